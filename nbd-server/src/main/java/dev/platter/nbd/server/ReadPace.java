package dev.platter.nbd.server;

/**
 * How long reads of a device take. A read that is plain is done at once on the thread of its connection; one that has to be
 * decompressed, decrypted or fetched is worth handing over to another thread. What a device can be is no guide, for most
 * clusters of most images are plain, so the last reads are. Safe for many threads; a lost update costs nothing.
 */
final class ReadPace {
    /** The kernel copies from its cache several times as fast. */
    private static final long PLAIN_NANOS = 60_000;

    private static final int FAST_READS_UNTIL_PLAIN = 8;

    private volatile int slowness;

    boolean isSlow() {
        return slowness > 0;
    }

    /** Takes note of a read of so many bytes, which is given a nanosecond for each. */
    void note(long nanos, int bytes) {
        if (nanos > PLAIN_NANOS + bytes) {
            slowness = FAST_READS_UNTIL_PLAIN;
        } else if (slowness > 0) {
            slowness = Math.max(0, slowness - 1);
        }
    }
}
