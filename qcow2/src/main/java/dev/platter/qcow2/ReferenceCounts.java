package dev.platter.qcow2;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
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

    private static final byte[] ZEROS = new byte[1 << 12];
    private static final VarHandle INTS = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.nativeOrder());

    private final byte[] counters;
    private long first;
    private int size;
    private boolean wide;

    /** Index in the window plus one, 0 for a free slot. */
    private int[] escapeKeys = new int[0];

    private long[] escapeCounts = new long[0];
    private int escapes;
    private boolean overflowed;

    /** Makes an empty window of counters that take so many bytes, the side table not included. */
    ReferenceCounts(int bytes) {
        this.counters = new byte[bytes];
    }

    /**
     * Begins another window: all its counters are zero.
     *
     * @param firstCluster first cluster of the window
     * @param clusters clusters in the window
     * @param fourBytes whether a counter takes four bytes
     */
    void begin(long firstCluster, int clusters, boolean fourBytes) {
        Arrays.fill(counters, 0, size << (wide ? 2 : 0), (byte) 0);
        Arrays.fill(escapeKeys, 0);
        escapes = 0;
        overflowed = false;
        first = firstCluster;
        size = clusters;
        wide = fourBytes;
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
        return wide ? (int) INTS.get(counters, index << 2) >= INT_MAX : (counters[index] & 0xff) >= BYTE_MAX;
    }

    /** Adds a reference to a cluster, counted from the beginning of the window. */
    void increment(int index) {
        if (wide) {
            int count = (int) INTS.get(counters, index << 2);
            if (count < INT_MAX) {
                INTS.set(counters, index << 2, count + 1);
            } else {
                incrementEscaped(index, count == INT_MAX);
            }
        } else {
            int count = counters[index] & 0xff;
            if (count < BYTE_MAX) {
                counters[index] = (byte) (count + 1);
            } else {
                incrementEscaped(index, count == BYTE_MAX);
            }
        }
    }

    /** Returns the references to a cluster, counted from the beginning of the window. */
    long get(int index) {
        long count = wide ? (int) INTS.get(counters, index << 2) : counters[index] & 0xff;
        return count <= (wide ? INT_MAX : BYTE_MAX) ? count : escapeCounts[slot(index)];
    }

    /** Returns whether nothing refers to {@code length} clusters from {@code from} on. */
    boolean isZero(int from, int length) {
        int shift = wide ? 2 : 0;
        int end = (from + length) << shift;
        for (int at = from << shift; at < end; at += ZEROS.length) {
            int run = Math.min(ZEROS.length, end - at);
            if (Arrays.mismatch(counters, at, at + run, ZEROS, 0, run) >= 0) {
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
            if (escapeKeys.length == 0) {
                escapeKeys = new int[ESCAPE_SLOTS];
                escapeCounts = new long[ESCAPE_SLOTS];
            }
            escapes++;
            int slot = slot(index);
            escapeKeys[slot] = index + 1;
            if (wide) {
                INTS.set(counters, index << 2, INT_MAX + 1);
                escapeCounts[slot] = INT_MAX + 1L;
            } else {
                counters[index] = (byte) (BYTE_MAX + 1);
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
