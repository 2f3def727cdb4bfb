package dev.platter.qcow2;

/**
 * Entries of a table that are kept together. Its fields are final, so that a thread which finds it in an array finds it
 * whole, without the barrier that a bare array of entries would need for that: half of the time of a lookup. Source: The
 * Java Language Specification, 17.5.
 */
final class TableSlice {
    /** Which one it is, counted from the table's first. */
    final long number;

    /** In host byte order; of L2 tables {@linkplain L2Entry compact}, followed by the bitmaps in images with subclusters. */
    final long[] entries;

    TableSlice(long number, long[] entries) {
        this.number = number;
        this.entries = entries;
    }
}
