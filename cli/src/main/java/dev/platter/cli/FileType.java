package dev.platter.cli;

import dev.platter.core.BlockDevice;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/** What the program {@code file} says of the first bytes of a device. */
final class FileType {
    /** Less than a pipe holds, so that nobody waits for a program that does not read. */
    private static final int HEAD_BYTES = 8192;

    private static final int LONGEST_LINE = 4096;
    private static final int SECONDS = 10;

    private FileType() {}

    /** Returns a line; null if the bytes cannot be read, or the program is not there or fails. */
    static @Nullable String of(BlockDevice device) {
        ByteBuffer head = ByteBuffer.allocate((int) Math.min(HEAD_BYTES, device.size()));
        try {
            device.read(0, head);
            return ask(head.array());
        } catch (IOException e) {
            System.getLogger(FileType.class.getName()).log(System.Logger.Level.DEBUG, "file", e);
            return null;
        }
    }

    private static @Nullable String ask(byte[] head) throws IOException {
        Process process = new ProcessBuilder("file", "-b", "-")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            try (OutputStream in = process.getOutputStream()) {
                in.write(head);
            }
            return process.waitFor(SECONDS, TimeUnit.SECONDS) ? line(process) : null;
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            return null;
        } finally {
            process.destroyForcibly();
        }
    }

    private static @Nullable String line(Process ended) throws IOException {
        try (BufferedReader out = ended.inputReader(StandardCharsets.UTF_8)) {
            String line = out.readLine();
            return line == null || line.isEmpty() || line.length() > LONGEST_LINE ? null : line;
        }
    }
}
