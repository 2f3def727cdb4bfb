package dev.platter.linux;

import java.io.IOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Waits for what the kernel does in its own time and tells nobody. */
final class Waiting {
    private static final long STEP_NANOS = TimeUnit.MILLISECONDS.toNanos(2);

    private Waiting() {}

    /** What is waited for. */
    interface Condition {
        boolean isTrue() throws IOException;
    }

    /** Returns whether it came true in that time; asks at least once. An interrupt ends the wait, and stays set. */
    static boolean until(Condition condition, long millis) throws IOException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        while (!condition.isTrue()) {
            if (System.nanoTime() - end > 0) {
                return false;
            }
            pause();
        }
        return true;
    }

    /** Waits a moment. */
    static void pause() throws ClosedByInterruptException {
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
        LockSupport.parkNanos(STEP_NANOS);
    }
}
