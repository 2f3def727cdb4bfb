package dev.platter.testkit;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.opentest4j.TestAbortedException;

/**
 * Runs the programs that others wrote and that our answers are compared with. Programs get an empty standard input, the
 * locale {@code C.UTF-8} and the time zone UTC; they and their children are ended when the time is up or the test is
 * interrupted. Safe for many threads.
 */
public final class ReferenceTools {
    private static final long DEFAULT_TIMEOUT_SECONDS = 120;

    private static final Map<String, String> PACKAGES = Map.ofEntries(
            Map.entry("qemu-img", "qemu-utils"),
            Map.entry("qemu-io", "qemu-utils"),
            Map.entry("qemu-nbd", "qemu-utils"),
            Map.entry("sfdisk", "fdisk"),
            Map.entry("fdisk", "fdisk"),
            Map.entry("sgdisk", "gdisk"),
            Map.entry("blkid", "util-linux"),
            Map.entry("mkswap", "util-linux"),
            Map.entry("mkfifo", "coreutils"),
            Map.entry("flock", "util-linux"),
            Map.entry("losetup", "mount"),
            Map.entry("lvm", "lvm2"),
            Map.entry("pvcreate", "lvm2"),
            Map.entry("vgcreate", "lvm2"),
            Map.entry("lvcreate", "lvm2"),
            Map.entry("lvs", "lvm2"),
            Map.entry("mkfs.ext4", "e2fsprogs"),
            Map.entry("mke2fs", "e2fsprogs"),
            Map.entry("dumpe2fs", "e2fsprogs"),
            Map.entry("debugfs", "e2fsprogs"),
            Map.entry("mkfs.xfs", "xfsprogs"),
            Map.entry("mkfs.btrfs", "btrfs-progs"),
            Map.entry("mkfs.fat", "dosfstools"),
            Map.entry("mkfs.vfat", "dosfstools"),
            Map.entry("mkntfs", "ntfs-3g"),
            Map.entry("mkfs.ntfs", "ntfs-3g"),
            Map.entry("mkfs.exfat", "exfatprogs"),
            Map.entry("mkfs.f2fs", "f2fs-tools"),
            Map.entry("mksquashfs", "squashfs-tools"),
            Map.entry("mcopy", "mtools"),
            Map.entry("cryptsetup", "cryptsetup-bin"),
            Map.entry("nbdinfo", "libnbd-bin"),
            Map.entry("nbdcopy", "libnbd-bin"),
            Map.entry("nbdfuse", "libnbd-bin"),
            Map.entry("nbdsh", "python3-libnbd"),
            Map.entry("fusermount3", "fuse3"),
            Map.entry("qemu-system-x86_64", "qemu-system-x86"),
            Map.entry("busybox", "busybox-static"),
            Map.entry("e2fsck", "e2fsprogs"),
            Map.entry("certtool", "gnutls-bin"),
            Map.entry("xz", "xz-utils"));

    private ReferenceTools() {}

    /** Skips the test if a program is missing; the message names the Debian package that has it. */
    public static void assumeTool(String name) {
        if (find(name) == null) {
            throw new TestAbortedException(
                    name + " is not installed; on Debian: apt-get install " + PACKAGES.getOrDefault(name, name));
        }
    }

    /** Returns the file of a program; skips the test if it is missing. */
    public static Path locate(String name) {
        assumeTool(name);
        return Objects.requireNonNull(find(name));
    }

    /** Returns whether a program is installed. */
    public static boolean isInstalled(String name) {
        return find(name) != null;
    }

    /** Runs a program. */
    public static ToolResult run(String... command) throws IOException {
        return run(List.of(command));
    }

    /** Runs a program. */
    public static ToolResult run(List<String> command) throws IOException {
        return run(null, command, DEFAULT_TIMEOUT_SECONDS);
    }

    /** Runs a program in a folder. */
    public static ToolResult runIn(Path folder, String... command) throws IOException {
        return run(folder, List.of(command), DEFAULT_TIMEOUT_SECONDS);
    }

    /** Runs a program that has to succeed. */
    public static ToolResult runOk(String... command) throws IOException {
        return run(command).assertSuccess();
    }

    /**
     * Runs a program.
     *
     * @param folder its working directory; null for a folder of its own, which is empty and deleted afterwards
     * @param command the program, looked for in the path and in the folders for administrators, and its arguments
     * @param timeoutSeconds after which it is killed
     * @throws IOException if it cannot be started or took too long
     */
    public static ToolResult run(@Nullable Path folder, List<String> command, long timeoutSeconds) throws IOException {
        Path scratch = Files.createTempDirectory("platter-tool-");
        try {
            Path own = Files.createDirectory(scratch.resolve("cwd"));
            Path out = scratch.resolve("out");
            Path err = scratch.resolve("err");
            ProcessBuilder builder = builder(command)
                    .directory((folder == null ? own : folder).toFile())
                    .redirectOutput(out.toFile())
                    .redirectError(err.toFile());
            int exit = waitFor(builder.start(), command, timeoutSeconds);
            return new ToolResult(List.copyOf(command), exit, text(out), text(err));
        } finally {
            TempFolders.delete(scratch);
        }
    }

    /**
     * Starts a program that goes on while the test does: a server, or whoever holds a lock. The caller ends it, by
     * {@link #end} in a {@code finally}. What it prints is thrown away unless the caller redirects it.
     */
    public static ProcessBuilder builder(List<String> command) {
        List<String> full = new ArrayList<>(command);
        Path program = find(command.get(0));
        if (program != null) {
            full.set(0, program.toString());
        }
        ProcessBuilder builder = new ProcessBuilder(full)
                .redirectInput(new File("/dev/null"))
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().put("LC_ALL", "C.UTF-8");
        builder.environment().put("TZ", "UTC");
        builder.environment().put("LVM_SUPPRESS_FD_WARNINGS", "1");
        return builder;
    }

    /** Ends a process and its children, and waits until they are gone. */
    public static void end(Process process) {
        end(process.toHandle());
    }

    /** Ends a process that some other program left behind, and its children, and waits until they are gone. */
    public static void end(ProcessHandle process) {
        List<ProcessHandle> children = process.descendants().toList();
        process.destroyForcibly();
        children.forEach(ProcessHandle::destroyForcibly);
        process.onExit().join();
        children.forEach(child -> child.onExit().join());
    }

    private static int waitFor(Process process, List<String> command, long timeoutSeconds) throws IOException {
        try {
            if (!process.waitFor(timeoutSeconds, TimeUnit.SECONDS)) {
                throw new IOException(String.join(" ", command) + ": not done after " + timeoutSeconds + " s");
            }
            return process.exitValue();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException(String.join(" ", command) + ": the test was interrupted", e);
        } finally {
            end(process);
        }
    }

    private static String text(Path file) throws IOException {
        return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
    }

    private static @Nullable Path find(String name) {
        if (name.indexOf('/') >= 0) {
            Path path = Path.of(name);
            return Files.isExecutable(path) ? path.toAbsolutePath() : null;
        }
        String path = System.getenv().getOrDefault("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin";
        for (String folder : path.split(":", -1)) {
            Path candidate = Path.of(folder.isEmpty() ? "." : folder, name);
            if (Files.isRegularFile(candidate) && Files.isExecutable(candidate)) {
                return candidate.toAbsolutePath();
            }
        }
        return null;
    }
}
