package dev.platter.interop;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.opentest4j.TestAbortedException;

/**
 * A kernel of the distribution in QEMU, with busybox in memory for its root. QEMU computes every instruction itself: whether
 * there is hardware for it makes no difference but to the time, some seconds for a start.
 */
final class LinuxGuest {
    private static final Path KERNELS = Path.of("/boot");
    private static final Path MODULES = Path.of("/lib/modules");
    private static final Pattern LIBRARY = Pattern.compile("(/\\S+) \\(0x");
    private static final long SECONDS = 240;
    private static final String INIT = """
            #!/bin/busybox sh
            /bin/busybox --install -s /bin
            export PATH=/bin
            mount -t proc proc /proc
            mount -t sysfs sysfs /sys
            mount -t devtmpfs devtmpfs /dev
            for module in /modules/*; do insmod $module; done
            sh -e /job
            echo "guest: ends with $?"
            poweroff -f
            """;

    private final String version;
    private final Initramfs root = new Initramfs();

    private LinuxGuest(String version) {
        this.version = version;
    }

    /**
     * Prepares a guest; skips the test if there is no QEMU, no kernel with its modules, or no busybox.
     *
     * @param modules to load, without what they need, which is found
     */
    static LinuxGuest with(String... modules) throws IOException {
        ReferenceTools.assumeTool("qemu-system-x86_64");
        Path busybox = ReferenceTools.locate("busybox");
        LinuxGuest guest = new LinuxGuest(newestKernel());
        guest.root.file("init", INIT).file("bin/busybox", busybox);
        for (String folder : List.of("proc", "sys", "mnt", "tmp", "modules")) {
            guest.root.folders(folder);
        }
        guest.add(modules);
        return guest;
    }

    private static String newestKernel() throws IOException {
        List<String> versions = new ArrayList<>();
        if (Files.isDirectory(KERNELS)) {
            try (DirectoryStream<Path> kernels = Files.newDirectoryStream(KERNELS, "vmlinuz-*")) {
                for (Path kernel : kernels) {
                    String version = kernel.getFileName().toString().substring("vmlinuz-".length());
                    if (Files.isReadable(kernel) && Files.isReadable(MODULES.resolve(version + "/modules.dep"))) {
                        versions.add(version);
                    }
                }
            }
        }
        return versions.stream()
                .max(String::compareTo)
                .orElseThrow(() -> new TestAbortedException("no kernel with modules in " + KERNELS
                        + "; on Debian: apt-get install linux-image-cloud-amd64"));
    }

    private void add(String... modules) throws IOException {
        Path folder = MODULES.resolve(version);
        Map<String, List<String>> needs = new HashMap<>();
        for (String line : Files.readAllLines(folder.resolve("modules.dep"))) {
            int colon = line.indexOf(':');
            String file = line.substring(0, colon);
            List<String> files =
                    new ArrayList<>(List.of(line.substring(colon + 1).strip().split(" ")));
            files.removeIf(String::isEmpty);
            files.add(0, file);
            needs.put(name(file), files);
        }
        Set<String> ordered = new LinkedHashSet<>();
        for (String module : modules) {
            // what is not in the list is built in, or the guest will miss it and say so
            List<String> files = needs.getOrDefault(module, List.of());
            for (int i = files.size() - 1; i >= 0; i--) {
                ordered.add(files.get(i));
            }
        }
        int number = 10;
        for (String file : ordered) {
            if (!file.endsWith(".ko")) {
                throw new TestAbortedException(file + ": compressed modules are not loaded here");
            }
            root.file("modules/" + number++ + "-" + name(file) + ".ko", folder.resolve(file));
        }
    }

    private static String name(String file) {
        return file.substring(file.lastIndexOf('/') + 1)
                .replaceFirst("\\.ko.*", "")
                .replace('-', '_');
    }

    /** Adds a program of the host, with the libraries that it is linked with, where they are there. */
    LinuxGuest program(String name) throws IOException {
        Path file = ReferenceTools.locate(name);
        root.file(file.toString().substring(1), file);
        Matcher libraries =
                LIBRARY.matcher(ReferenceTools.runOk("ldd", file.toString()).stdout());
        while (libraries.find()) {
            root.file(libraries.group(1).substring(1), Path.of(libraries.group(1)));
        }
        return this;
    }

    /** Adds a file; names do not begin with a slash. */
    LinuxGuest file(String name, Path content) throws IOException {
        root.file(name, content);
        return this;
    }

    /**
     * Starts the guest, lets it do something, and waits until it switched itself off.
     *
     * @param folder for what QEMU needs; the test's own
     * @param job run by its shell, which ends at the first command that fails
     * @param options of QEMU: disks and networks
     * @return what the guest said on its console
     */
    String run(Path folder, String job, String... options) throws IOException {
        Path archive = folder.resolve("initramfs");
        Path console = folder.resolve("console");
        root.file("job", job);
        root.write(archive);
        List<String> command = new ArrayList<>(List.of("qemu-system-x86_64", "-accel", "tcg,thread=multi"));
        command.addAll(List.of("-machine", "q35", "-cpu", "max", "-smp", "1", "-m", "256", "-nodefaults"));
        command.addAll(List.of("-no-user-config", "-display", "none", "-no-reboot", "-serial", "file:" + console));
        command.addAll(List.of("-kernel", KERNELS.resolve("vmlinuz-" + version).toString()));
        command.addAll(List.of("-initrd", archive.toString()));
        command.addAll(List.of("-append", "console=ttyS0 quiet panic=-1 mitigations=off nokaslr"));
        command.addAll(List.of(options));
        ToolResult result = ReferenceTools.run(folder, command, SECONDS);
        String said = Files.exists(console) ? Files.readString(console, StandardCharsets.ISO_8859_1) : "";
        if (result.exit() != 0 || !said.contains("guest: ends with 0")) {
            throw new AssertionError(result + "\n" + result.stderr() + said);
        }
        return said.replace("\r", "");
    }
}
