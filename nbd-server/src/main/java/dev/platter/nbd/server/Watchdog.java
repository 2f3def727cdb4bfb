package dev.platter.nbd.server;

import java.io.Closeable;
import java.io.IOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;

/**
 * Closes channels of which somebody waits too long for something. A blocking channel has no time-outs of its own, and a
 * thread that is inside it is freed only by closing it.
 */
final class Watchdog implements Closeable {
    private static final long TICK_MILLIS = 100;

    private final Set<Watch> watches = ConcurrentHashMap.newKeySet();
    private final Thread thread;
    private volatile boolean closed;
    private volatile long now = System.nanoTime();

    Watchdog(String name) {
        thread = new Thread(this::run, name);
        thread.setDaemon(true);
        thread.start();
    }

    /** One channel under watch. Used by the thread that waits; a deadline costs one write to memory. */
    final class Watch {
        private static final long NEVER = Long.MAX_VALUE;

        private final Closeable target;
        private final long start = System.nanoTime();
        private volatile long deadline = NEVER;
        private volatile boolean expired;

        private Watch(Closeable target) {
            this.target = target;
        }

        /** Closes the channel in {@code nanos} nanoseconds, give or take a tick, unless something else is said before. */
        void within(long nanos) {
            deadline = now - start + nanos;
        }

        /** Nobody waits. */
        void off() {
            deadline = NEVER;
        }

        /** Returns whether the channel was closed because somebody waited too long. */
        boolean isExpired() {
            return expired;
        }

        /** Ends the watch. */
        void end() {
            watches.remove(this);
        }

        private void look() {
            if (now - start > deadline && !expired) {
                expired = true;
                try {
                    target.close();
                } catch (IOException e) {
                    // The thread that waits finds the channel closed, which is what is wanted of it.
                    deadline = NEVER;
                }
            }
        }
    }

    Watch watch(Closeable target) {
        Watch watch = new Watch(target);
        watches.add(watch);
        return watch;
    }

    private void run() {
        while (!closed) {
            now = System.nanoTime();
            for (Watch watch : watches) {
                watch.look();
            }
            try {
                TimeUnit.MILLISECONDS.sleep(TICK_MILLIS);
            } catch (InterruptedException e) {
                // Only close() interrupts.
                return;
            }
        }
    }

    @Override
    public void close() {
        closed = true;
        thread.interrupt();
    }
}
