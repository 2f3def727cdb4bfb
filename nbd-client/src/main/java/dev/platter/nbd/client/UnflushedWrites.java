package dev.platter.nbd.client;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Whether a lost connection may have taken writes with it: those that the server had replied to and not flushed. Then the
 * next flush has to fail, once, because it could not keep its promise. Counts too many rather than too few: a write that
 * failed, or was on its way, counts as not flushed. Safe for many threads.
 */
final class UnflushedWrites {
    private volatile Epoch current = new Epoch();
    private final AtomicBoolean lost = new AtomicBoolean();

    /** The time from one loss to the next. */
    static final class Epoch {
        private final AtomicLong begun = new AtomicLong();
        private final AtomicLong replied = new AtomicLong();
        private final AtomicLong flushed = new AtomicLong();

        /** A write is about to be sent. */
        void begin() {
            begun.incrementAndGet();
        }

        /** It was replied to. */
        void reply() {
            replied.incrementAndGet();
        }

        /** Returns how many writes a flush that begins now covers. */
        long replied() {
            return replied.get();
        }

        /** A flush has ended that covers so many writes. */
        void flushed(long writes) {
            flushed.accumulateAndGet(writes, Math::max);
        }
    }

    /** Returns what writes and flushes from now on count in. */
    Epoch current() {
        return current;
    }

    /** All connections are lost. */
    void noteLoss() {
        if (current.begun.get() > current.flushed.get()) {
            lost.set(true);
        }
        current = new Epoch();
    }

    /** Returns whether writes may be lost that nobody was told of yet; now somebody is. */
    boolean takeLoss() {
        return lost.getAndSet(false);
    }
}
