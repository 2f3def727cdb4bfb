package dev.platter.cli;

import dev.platter.linux.BoundDevice;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryIteratorException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Runs mount(8) and umount(8) of util-linux. The call of the kernel alone would know nothing of programs that help to mount,
 * as there is one for NTFS.
 */
final class MountProgram {
    private static final Path PROCESSES = Path.of("/proc");
    private static final int MOST_PROGRAMS = 10;

    private MountProgram() {}

    /**
     * Mounts a device.
     *
     * @throws StartFailure if that fails; nothing is mounted then
     */
    static void mount(BoundDevice device, Path folder) throws IOException {
        String content = device.content();
        String failure = "";
        for (String type : types(content)) {
            List<String> command = new ArrayList<>(List.of("mount"));
            if (!type.isEmpty()) {
                command.addAll(List.of("-t", type));
            }
            command.addAll(List.of("-o", device.mountOptions(), device.path().toString(), folder.toString()));
            String said = run(command);
            if (said == null) {
                return;
            }
            failure = said;
            if (!said.contains("unknown filesystem type")) {
                break;
            }
        }
        throw new StartFailure(device.name() + " (" + (content == null ? "nothing that is known" : content) + "): "
                + failure + hint(content, failure));
    }

    /** Returns the names of the drivers that may know a file system; one is empty, for mount to find out. */
    private static List<String> types(@Nullable String content) {
        if (content == null) {
            return List.of("");
        }
        return content.equals("ntfs") ? List.of("ntfs3", "ntfs-3g") : List.of(content);
    }

    private static String hint(@Nullable String content, String failure) {
        if (content == null || !failure.contains("unknown filesystem type")) {
            return "";
        }
        return "; this system cannot read " + content
                + (content.equals("ntfs") ? ": its kernel has no ntfs3, and the package ntfs-3g is missing" : "");
    }

    /**
     * Unmounts what lies on a folder.
     *
     * @throws StartFailure if that fails; if it is in use, it says by whom
     */
    static void unmount(Path folder) throws IOException {
        String said = run(List.of("umount", folder.toString()));
        if (said == null) {
            return;
        }
        List<String> programs = said.contains("busy") ? programsIn(folder) : List.of();
        throw new StartFailure(said + (programs.isEmpty() ? "" : " It is in use by " + String.join(", ", programs)));
    }

    /** Returns null, or the first line of what the program complained. */
    private static @Nullable String run(List<String> command) throws IOException {
        Process process;
        try {
            process = new ProcessBuilder(command).redirectErrorStream(true).start();
        } catch (IOException e) {
            throw new StartFailure("cannot run " + command.get(0) + " of util-linux: " + e.getMessage());
        }
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        try {
            int exit = process.waitFor();
            if (exit == 0) {
                return null;
            }
            return said.lines().findFirst().orElse(command.get(0) + " ended with " + exit);
        } catch (InterruptedException e) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new java.nio.channels.ClosedByInterruptException();
        }
    }

    /** Returns the programs that work in a folder or have a file of it open, as far as they can be seen. */
    private static List<String> programsIn(Path folder) throws IOException {
        List<String> found = new ArrayList<>();
        try (DirectoryStream<Path> processes = Files.newDirectoryStream(PROCESSES, "[0-9]*")) {
            for (Path process : processes) {
                if (found.size() < MOST_PROGRAMS && isIn(folder, process)) {
                    found.add(Files.readString(process.resolve("comm")).strip() + " (process " + process.getFileName()
                            + ")");
                }
            }
        }
        return found;
    }

    private static boolean isIn(Path folder, Path process) {
        try {
            if (pointsInto(folder, process.resolve("cwd")) || pointsInto(folder, process.resolve("root"))) {
                return true;
            }
            try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(process.resolve("fd"))) {
                for (Path descriptor : descriptors) {
                    if (pointsInto(folder, descriptor)) {
                        return true;
                    }
                }
            }
            return false;
        } catch (IOException | DirectoryIteratorException e) {
            // it ended meanwhile
            return false;
        }
    }

    private static boolean pointsInto(Path folder, Path link) throws IOException {
        return Files.readSymbolicLink(link).startsWith(folder);
    }
}
