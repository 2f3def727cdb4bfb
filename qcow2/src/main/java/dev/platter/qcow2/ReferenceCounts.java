package dev.platter.qcow2;

import java.util.Arrays;

/**
 * Counts references to the clusters of a window of the file.
 *
 * <p>A counter takes one byte; what outgrows it moves to a small table on the side. Where more clusters outgrow it than
 * that table holds (hundreds of snapshots), the counts are {@linkplain #overflowed() void} and the window has to be
 * counted again with counters of four bytes.
 */
final class ReferenceCounts {
    private static final int BYTE_MAX = 254;
    private static final int INT_MAX = Integer.MAX_VALUE - 1;
    private static final int ESCAPE_SLOTS = 1 << 16;

    /** Entries that the side table takes before its chains get long. */
    static final int MAX_ESCAPES = ESCAPE_SLOTS / 4 * 3;

    private static final byte[] ZERO_BYTES = new byte[1 << 12];
    private static final int[] ZERO_INTS = new int[1 << 10];

    private final long first;
    private final int size;
    private final boolean wide;
    private final byte[] bytes;
    private final int[] ints;

    /** Index in the window plus one, 0 for a free slot. */
    private int[] escapeKeys = new int[0];

    private long[] escapeCounts = new long[0];
    private int escapes;
    private boolean overflowed;

    /**
     * Makes counters, all zero.
     *
     * @param first first cluster of the window
     * @param size clusters in the window
     * @param wide whether a counter takes four bytes
     */
    ReferenceCounts(long first, int size, boolean wide) {
        this.first = first;
        this.size = size;
        this.wide = wide;
        this.bytes = new byte[wide ? 0 : size];
        this.ints = new int[wide ? size : 0];
    }

    long first() {
        return first;
    }

    int size() {
        return size;
    }

    boolean holds(long cluster) {
        return cluster >= first && cluster - first < size;
    }

    /** Returns whether more clusters outgrew their counters than the side table takes: the counts are void. */
    boolean overflowed() {
        return overflowed;
    }

    /** Returns how many more clusters may outgrow their counters. */
    int escapesLeft() {
        return MAX_ESCAPES - escapes;
    }

    /** Returns whether one more reference may need the side table. */
    boolean isNearlyFull(int index) {
        return wide ? ints[index] >= INT_MAX : (bytes[index] & 0xff) >= BYTE_MAX;
    }

    /** Adds a reference to a cluster, counted from the beginning of the window. */
    void increment(int index) {
        if (wide) {
            int count = ints[index];
            if (count < INT_MAX) {
                ints[index] = count + 1;
            } else {
                incrementEscaped(index, count == INT_MAX);
            }
        } else {
            int count = bytes[index] & 0xff;
            if (count < BYTE_MAX) {
                bytes[index] = (byte) (count + 1);
            } else {
                incrementEscaped(index, count == BYTE_MAX);
            }
        }
    }

    /** Returns the references to a cluster, counted from the beginning of the window. */
    long get(int index) {
        long count = wide ? ints[index] : bytes[index] & 0xff;
        return count <= (wide ? INT_MAX : BYTE_MAX) ? count : escapeCounts[slot(index)];
    }

    /** Returns whether nothing refers to {@code length} clusters from {@code from} on. */
    boolean isZero(int from, int length) {
        int step = wide ? ZERO_INTS.length : ZERO_BYTES.length;
        for (int at = from; at < from + length; at += step) {
            int run = Math.min(step, from + length - at);
            int different = wide
                    ? Arrays.mismatch(ints, at, at + run, ZERO_INTS, 0, run)
                    : Arrays.mismatch(bytes, at, at + run, ZERO_BYTES, 0, run);
            if (different >= 0) {
                return false;
            }
        }
        return true;
    }

    private void incrementEscaped(int index, boolean isNew) {
        if (isNew) {
            if (escapes == MAX_ESCAPES) {
                overflowed = true;
                return;
            }
            if (escapes == 0) {
                escapeKeys = new int[ESCAPE_SLOTS];
                escapeCounts = new long[ESCAPE_SLOTS];
            }
            escapes++;
            int slot = slot(index);
            escapeKeys[slot] = index + 1;
            if (wide) {
                ints[index] = INT_MAX + 1;
                escapeCounts[slot] = INT_MAX + 1L;
            } else {
                bytes[index] = (byte) (BYTE_MAX + 1);
                escapeCounts[slot] = BYTE_MAX + 1L;
            }
        } else {
            escapeCounts[slot(index)]++;
        }
    }

    /** The slot of a cluster, or the free one where it belongs. */
    private int slot(int index) {
        int slot = (index * 0x9e37_79b9) >>> 16;
        while (escapeKeys[slot] != 0 && escapeKeys[slot] != index + 1) {
            slot = (slot + 1) & (ESCAPE_SLOTS - 1);
        }
        return slot;
    }
}
