package dev.platter.linux;

import com.sun.jna.Native;
import java.io.Closeable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.BooleanSupplier;

/** The process that outlives a server of {@link FuseFile} that hangs or dies, and the thread that it hears from. */
final class FuseWatchdog implements Closeable {
    private static final Path CONNECTIONS = Path.of("/sys/fs/fuse/connections");
    private static final int BEATS_PER_LIMIT = 4;

    /**
     * {@code b} comes with each beat, {@code e} at an orderly end. The shell's own {@code read} has no limit of time
     * everywhere, so {@code dd} reads, a byte at a time. What is not mounted any more may have left its number to another
     * mount. Interrupts of the terminal are for the server, which says {@code e}
     * then.
     */
    private static final String SCRIPT = """
            trap '' INT HUP
            while :; do
              beat=$(timeout "$1" dd bs=1 count=1 2>/dev/null); status=$?
              case $status$beat in
                0b) continue ;;
                0e) exit 0 ;;
              esac
              if grep -q " $3 fuse" /proc/mounts; then
                echo 1 > "$2"
                test $status = 124 || umount -l "$3"
              fi
              test $status = 124 || exit 1
            done 2>/dev/null
            """;

    private final Process process;
    private final OutputStream beats;
    private final Thread heart;
    private volatile boolean closed;

    private FuseWatchdog(Process process, Duration limit, BooleanSupplier isStuck, Runnable abort) {
        this.process = process;
        this.beats = process.getOutputStream();
        this.heart = new Thread(() -> beat(limit, isStuck, abort), "heartbeat of process " + process.pid());
        heart.setDaemon(true);
    }

    /** Returns the file that ends a connection when it is written to. */
    static Path abortFile(int connection) {
        return CONNECTIONS.resolve(connection + "/abort");
    }

    static FuseWatchdog start(Path file, int connection, Duration limit, BooleanSupplier isStuck, Runnable abort)
            throws IOException {
        requireControl();
        long seconds = Math.max(1, limit.toSeconds());
        Process process = new ProcessBuilder(
                        "/bin/sh",
                        "-c",
                        SCRIPT,
                        "platter-watchdog",
                        Long.toString(seconds),
                        abortFile(connection).toString(),
                        file.toString())
                .directory(Path.of("/").toFile())
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        FuseWatchdog watchdog = new FuseWatchdog(process, limit, isStuck, abort);
        watchdog.heart.start();
        return watchdog;
    }

    /** Where the system has not mounted it, nobody could end the connection from outside. */
    private static void requireControl() throws IOException {
        if (MountTable.at(CONNECTIONS) == null
                && LibC.mount("fusectl", CONNECTIONS.toString(), "fusectl", 0, "") != 0) {
            int errno = Native.getLastError();
            if (errno != Errno.EBUSY) {
                throw new SystemCallException(CONNECTIONS + ": mount of fusectl", errno);
            }
        }
    }

    private void beat(Duration limit, BooleanSupplier isStuck, Runnable abort) {
        long pause = Math.max(TimeUnit.MILLISECONDS.toNanos(50), limit.toNanos() / BEATS_PER_LIMIT);
        while (!closed) {
            if (isStuck.getAsBoolean()) {
                abort.run();
            }
            if (!send('b')) {
                return;
            }
            LockSupport.parkNanos(pause);
        }
    }

    /** Returns whether the watchdog is still there to hear it. */
    private boolean send(char beat) {
        synchronized (beats) {
            try {
                beats.write(beat);
                beats.flush();
                return true;
            } catch (IOException e) {
                // somebody ended it; the server goes on without
                return false;
            }
        }
    }

    long pid() {
        return process.pid();
    }

    boolean isAlive() {
        return process.isAlive();
    }

    @Override
    public void close() throws IOException {
        closed = true;
        LockSupport.unpark(heart);
        send('e');
        try {
            beats.close();
        } catch (IOException e) {
            // it has ended already
            return;
        } finally {
            boolean ended = Waiting.until(() -> !process.isAlive(), TimeUnit.SECONDS.toMillis(5));
            if (!ended) {
                process.descendants().forEach(ProcessHandle::destroyForcibly);
                process.destroyForcibly();
            }
        }
    }
}
