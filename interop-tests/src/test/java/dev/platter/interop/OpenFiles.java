package dev.platter.interop;

import java.io.IOException;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Set;
import java.util.TreeSet;
import org.opentest4j.TestAbortedException;

/** What this process holds open: files, devices, sockets and pipes. Linux only. */
final class OpenFiles {
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    private OpenFiles() {}

    static Set<String> now() throws IOException {
        if (!Files.isDirectory(DESCRIPTORS)) {
            throw new TestAbortedException("there is no " + DESCRIPTORS);
        }
        Set<String> targets = new TreeSet<>();
        try (DirectoryStream<Path> descriptors = Files.newDirectoryStream(DESCRIPTORS)) {
            for (Path descriptor : descriptors) {
                String target = target(descriptor);
                if (!isOfTheJvm(target)) {
                    targets.add(target);
                }
            }
        }
        return targets;
    }

    /** What the JVM opens whenever it likes: its own modules, the limits of its control group, and this listing. */
    private static boolean isOfTheJvm(String target) {
        return target.endsWith(".jar")
                || target.endsWith("/modules")
                || target.startsWith("/proc/")
                || target.startsWith("/sys/fs/cgroup/");
    }

    private static String target(Path descriptor) throws IOException {
        try {
            return Files.readSymbolicLink(descriptor).toString();
        } catch (NoSuchFileException e) {
            return "/proc/ (closed since it was listed)";
        }
    }
}
