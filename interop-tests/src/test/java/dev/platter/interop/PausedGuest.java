package dev.platter.interop;

import dev.platter.examples.QmpMonitor;
import dev.platter.testkit.ReferenceTools;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/**
 * A QEMU with one disk and no processor: nothing runs in it, and what a guest would write, the monitor writes. The disk is
 * the drive {@code drive0} on the node {@code disk0}.
 */
final class PausedGuest implements Closeable {
    private static final long START_SECONDS = 60;

    private final Process process;
    private final QmpMonitor monitor;
    private final Path control;

    private PausedGuest(Process process, QmpMonitor monitor, Path control) {
        this.process = process;
        this.monitor = monitor;
        this.control = control;
    }

    static PausedGuest start(Path folder, Path disk, String format) throws IOException {
        ReferenceTools.assumeTool("qemu-system-x86_64");
        Path own = folder.resolve("own.qmp");
        Path control = folder.resolve("control.qmp");
        Process process = ReferenceTools.builder(List.of(
                        "qemu-system-x86_64",
                        "-machine",
                        "none",
                        "-nodefaults",
                        "-display",
                        "none",
                        "-qmp",
                        "unix:" + own + ",server=on,wait=off",
                        "-qmp",
                        "unix:" + control + ",server=on,wait=off",
                        "-drive",
                        "if=none,id=drive0,node-name=disk0,format=" + format + ",file=" + disk))
                .start();
        try {
            return new PausedGuest(process, connect(process, own), control);
        } catch (IOException | RuntimeException e) {
            ReferenceTools.end(process);
            throw e;
        }
    }

    private static QmpMonitor connect(Process process, Path socket) throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            if (Files.exists(socket)) {
                try {
                    return new QmpMonitor(socket);
                } catch (IOException e) {
                    if (System.nanoTime() > end) {
                        throw e;
                    }
                }
            }
            await(process);
            if (System.nanoTime() > end) {
                throw new IOException(socket + ": QEMU does not listen");
            }
        }
    }

    private static void await(Process process) throws IOException {
        try {
            if (process.waitFor(10, TimeUnit.MILLISECONDS)) {
                throw new IOException("QEMU ended with status " + process.exitValue());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("the test was interrupted", e);
        }
    }

    /** Returns the control socket that is free for others. */
    Path control() {
        return control;
    }

    /** Writes as the guest's device does, and waits for that. */
    void write(long offset, int length, byte value) throws IOException {
        String command = "qemu-io drive0 \"write -P " + (value & 0xff) + " " + offset + " " + length + "\"";
        String said = monitor.execute("human-monitor-command", Map.of("command-line", command))
                .asText();
        if (!said.isEmpty()) {
            throw new IOException(command + ": " + said);
        }
    }

    /** Returns what QEMU says of its nodes. */
    String nodes() throws IOException {
        return monitor.execute("query-named-block-nodes", Map.of("flat", true)).toString();
    }

    @Override
    public void close() throws IOException {
        try {
            monitor.close();
        } finally {
            ReferenceTools.end(process);
        }
    }
}
