package dev.platter.testkit;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Another process that holds a lock on a file while a test does something. */
final class LockHolder {
    private static final String PROGRAM = """
            import java.nio.channels.FileChannel;
            import java.nio.file.Path;
            import java.nio.file.StandardOpenOption;

            public class Holder {
                public static void main(String[] args) throws Exception {
                    try (FileChannel file = FileChannel.open(Path.of(args[0]), StandardOpenOption.WRITE)) {
                        file.lock();
                        System.out.println("locked");
                        System.in.read();
                    }
                }
            }
            """;

    private LockHolder() {}

    static void run(Path folder, Path file, Action action) throws IOException {
        Path source = Files.writeString(folder.resolve("Holder.java"), PROGRAM);
        Path java = Path.of(System.getProperty("java.home"), "bin", "java");
        Process process = ReferenceTools.builder(List.of(java.toString(), source.toString(), file.toString()))
                .redirectInput(ProcessBuilder.Redirect.PIPE)
                .redirectOutput(ProcessBuilder.Redirect.PIPE)
                .start();
        try (BufferedReader said =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            if (!"locked".equals(said.readLine())) {
                throw new IOException("the other process took no lock");
            }
            action.run();
        } finally {
            ReferenceTools.end(process);
        }
    }

    @FunctionalInterface
    interface Action {
        void run() throws IOException;
    }
}
