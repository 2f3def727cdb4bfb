package dev.platter.qcow2;

import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.HashMap;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/**
 * Entries of L1 and L2 tables that were changed and are not in the file yet. Guarded by itself: mappers load tables while
 * they hold it, so that nobody keeps what the file had before a change.
 */
final class TableEdits {
    private final Map<Long, Slice> slices = new HashMap<>();
    private final Map<Long, Long> l1 = new TreeMap<>();

    /** A slice of an L2 table with changes: as mappers keep it, and as it is written. */
    static final class Slice {
        final long number;
        final long[] entries;
        final ByteBuffer raw;
        private int dirtyFrom;
        private int dirtyTo;

        Slice(long number, long[] entries, ByteBuffer raw) {
            this.number = number;
            this.entries = entries;
            this.raw = raw;
            this.dirtyFrom = raw.capacity();
        }

        void markDirty(int from, int to) {
            dirtyFrom = Math.min(dirtyFrom, from);
            dirtyTo = Math.max(dirtyTo, to);
        }

        int dirtyFrom() {
            return dirtyFrom;
        }

        /** Returns the bytes from {@link #dirtyFrom} on that are to be written. */
        ByteBuffer dirty() {
            return raw.slice(dirtyFrom, dirtyTo - dirtyFrom);
        }
    }

    @Nullable
    Slice slice(long number) {
        return slices.get(number);
    }

    void add(Slice slice) {
        slices.put(slice.number, slice);
    }

    Collection<Slice> slices() {
        return slices.values();
    }

    @Nullable
    Long l1Entry(long index) {
        return l1.get(index);
    }

    void l1Entry(long index, long entry) {
        l1.put(index, entry);
    }

    Map<Long, Long> l1Entries() {
        return l1;
    }

    boolean isEmpty() {
        return slices.isEmpty() && l1.isEmpty();
    }

    void clear() {
        slices.clear();
        l1.clear();
    }
}
