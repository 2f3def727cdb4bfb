package dev.platter.cli;

import dev.platter.core.Copier;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/** Slows a copy down to so many bytes a second; zeros count as they do for the progress. */
final class RateLimit implements Copier.Progress {
    private final long bytesPerSecond;
    private final Copier.Progress next;
    private final long start = System.nanoTime();

    /**
     * Begins now.
     *
     * @param bytesPerSecond more than 0
     * @param next is told the progress too
     */
    RateLimit(long bytesPerSecond, Copier.Progress next) {
        this.bytesPerSecond = bytesPerSecond;
        this.next = next;
    }

    /** Returns {@code progress}, slowed down if the command line asks for it by {@code -r}. */
    static Copier.Progress of(Arguments arguments, Copier.Progress progress) {
        String rate = arguments.value("-r");
        if (rate == null) {
            return progress;
        }
        long bytes = ByteCount.parse("-r", rate);
        return bytes == 0 ? progress : new RateLimit(bytes, progress);
    }

    @Override
    public boolean copied(long done, long total) {
        long due = start + (long) (done * 1e9 / bytesPerSecond);
        while (done < total && due - System.nanoTime() > 0) {
            if (Thread.currentThread().isInterrupted()) {
                return false;
            }
            LockSupport.parkNanos(this, Math.min(due - System.nanoTime(), TimeUnit.SECONDS.toNanos(1)));
        }
        return next.copied(done, total);
    }
}
