package dev.platter.linux;

import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Modules of the kernel, loaded by modprobe(8). */
final class KernelModule {
    private static final List<Path> PROGRAMS =
            List.of(Path.of("/sbin/modprobe"), Path.of("/usr/sbin/modprobe"), Path.of("/bin/modprobe"));
    private static final int MOST_CHARACTERS = 300;
    private static final long NODE_MILLIS = 5_000;

    private KernelModule() {}

    /** Loads a module; returns null if that went well, else why it did not. */
    static @Nullable String load(String name, String... parameters) throws IOException {
        for (Path program : PROGRAMS) {
            if (Files.isExecutable(program)) {
                List<String> command = new ArrayList<>(List.of(program.toString(), name));
                command.addAll(List.of(parameters));
                return run(command);
            }
        }
        return "there is no modprobe";
    }

    /** Loads the module of a node that is not there; returns null if it is there then, else why it is not. */
    static @Nullable String loadFor(Path node, String name) throws IOException {
        if (Files.exists(node)) {
            return null;
        }
        String refusal = load(name);
        if (refusal != null) {
            return refusal;
        }
        return Waiting.until(() -> Files.exists(node), NODE_MILLIS) ? null : node + " does not appear";
    }

    private static @Nullable String run(List<String> command) throws IOException {
        Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
        process.getOutputStream().close();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
        try {
            int exit = process.waitFor();
            if (exit == 0) {
                return null;
            }
            String words = said.substring(0, Math.min(said.length(), MOST_CHARACTERS));
            return words.isEmpty() ? "modprobe ended with " + exit : Printable.escape(words);
        } catch (InterruptedException e) {
            process.destroy();
            Thread.currentThread().interrupt();
            throw new java.nio.channels.ClosedByInterruptException();
        }
    }
}
