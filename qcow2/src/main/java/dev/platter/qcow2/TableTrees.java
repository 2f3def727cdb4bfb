package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBufferPool;
import dev.platter.core.DirectBuffers;
import dev.platter.core.LimitExceededException;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Walks L1 tables and the L2 tables that they name, writes them anew in places that nothing leads to, and changes the
 * refcounts of what they refer to. Guarded by whoever changes the image. Source: qcow2.rst, "Cluster mapping".
 */
final class TableTrees {
    private static final int PIECE_BYTES = 64 << 10;

    /** Bytes of tables that one change may read: far more than there are without aliases. */
    private static final long WALK_BASE = 64 << 20;

    private static final int WALK_FACTOR = 16;

    private final HostFile file;
    private final Allocator allocator;
    private final int clusterBits;
    private final int clusterSize;
    private final int entryBytes;
    private final Run run = new Run();
    private final DirectBufferPool pieces;
    private long walkable;

    /** Clusters next to each other, so that their refcounts are changed together. */
    private static final class Run {
        long cluster;
        long count;
        long delta;
    }

    /** Called for each L2 table of an L1 table. */
    interface TableVisitor {
        /** Returns the L1 entry that takes the place of {@code entry}. */
        long table(long entry) throws IOException;
    }

    /** Called for each entry of an L2 table that is not 0. */
    interface EntryVisitor {
        /** Returns the entry that takes the place of {@code stored}. */
        long entry(long stored) throws IOException;
    }

    /** Asked of each entry of an L2 table. */
    interface EntryTest {
        /** Returns whether it is one of those that are looked for. */
        boolean holds(long stored) throws IOException;
    }

    TableTrees(Qcow2Header header, HostFile file, Allocator allocator) {
        this.file = file;
        this.allocator = allocator;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.entryBytes = header.l2EntryBytes();
        this.pieces = new DirectBufferPool(Math.min(PIECE_BYTES, clusterSize));
    }

    /** Begins a change: from now on, so many tables may be read as a file of this size can have. */
    void begin() throws IOException {
        walkable = WALK_BASE + Math.min(file.askSize(), Long.MAX_VALUE / 64) * WALK_FACTOR;
    }

    /** Forgets refcounts that were to be changed. */
    void abandon() {
        run.count = 0;
    }

    // ---- places ----

    /** Takes clusters for a table of 8 bytes an entry, and fills them with zeros; returns where, 0 if it has none. */
    long allocateTable(long entries, MetadataMap.Kind kind) throws IOException {
        return entries == 0 ? 0 : allocateRange(entries * Long.BYTES, kind);
    }

    /** Takes clusters for so many bytes, and fills them with zeros. */
    long allocateRange(long bytes, MetadataMap.Kind kind) throws IOException {
        int clusters = (int) ((bytes + clusterSize - 1) >>> clusterBits);
        long first = allocator.allocate(clusters);
        for (long i = first; i < first + clusters; i++) {
            allocator.claimNew(i, kind);
        }
        file.writeZeros(first << clusterBits, (long) clusters << clusterBits);
        return first << clusterBits;
    }

    void releaseTable(long offset, long entries) throws IOException {
        releaseRange(offset, entries * Long.BYTES);
    }

    void releaseRange(long offset, long bytes) throws IOException {
        if (bytes > 0) {
            long first = offset >>> clusterBits;
            allocator.add(first, ((offset + bytes - 1) >>> clusterBits) - first + 1, -1);
        }
    }

    // ---- L1 tables ----

    /**
     * Copies an L1 table to one or two places, with what {@code visitor} makes of its entries.
     *
     * @param alsoTo the other place, -1 for none
     */
    void copyL1(long offset, long entries, TableVisitor visitor, long to, long alsoTo) throws IOException {
        ByteBuffer raw = DirectBuffers.allocate(PIECE_BYTES);
        long bytes = entries * Long.BYTES;
        for (long at = 0; at < bytes; at += raw.capacity()) {
            raw.clear().limit((int) Math.min(raw.capacity(), bytes - at));
            file.readPadded(offset + at, raw);
            raw.flip();
            for (int i = 0; i < raw.limit(); i += Long.BYTES) {
                long entry = raw.getLong(i);
                raw.putLong(i, L2Entry.offset(entry) == 0 ? 0 : visitor.table(requireAligned(entry)));
            }
            file.write(to + at, raw.duplicate());
            if (alsoTo >= 0) {
                file.write(alsoTo + at, raw.duplicate());
            }
        }
    }

    /** Visits the L2 tables of an L1 table, which stays as it is. */
    void eachTable(long offset, long entries, TableVisitor visitor) throws IOException {
        ByteBuffer raw = DirectBuffers.allocate(PIECE_BYTES);
        long bytes = entries * Long.BYTES;
        for (long at = 0; at < bytes; at += raw.capacity()) {
            raw.clear().limit((int) Math.min(raw.capacity(), bytes - at));
            file.readPadded(offset + at, raw);
            for (int i = 0; i < raw.limit(); i += Long.BYTES) {
                long entry = raw.getLong(i);
                if (L2Entry.offset(entry) != 0) {
                    visitor.table(requireAligned(entry));
                }
            }
        }
    }

    private long requireAligned(long entry) throws CorruptImageException {
        if ((L2Entry.offset(entry) & (clusterSize - 1)) != 0) {
            throw new CorruptImageException(file.name() + ": an L2 table is said to be at " + L2Entry.offset(entry)
                    + ", which is not aligned to the cluster size " + clusterSize);
        }
        return entry;
    }

    // ---- L2 tables ----

    /** Writes a table anew in another place, where it is in use once; returns where. */
    long rewrite(long table, EntryVisitor visitor) throws IOException {
        long copy = allocator.allocate(1);
        allocator.claimNew(copy, MetadataMap.Kind.L2_TABLE);
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity(); i += entryBytes) {
                    long stored = raw.getLong(i);
                    if (stored != 0) {
                        raw.putLong(i, visitor.entry(stored));
                    }
                }
                file.write((copy << clusterBits) + at, raw.clear());
            }
        } finally {
            pieces.give(raw);
        }
        return copy << clusterBits;
    }

    /** Returns how many entries of a table are looked for, up to {@code most}. */
    long countEntries(long table, long most, EntryTest test) throws IOException {
        long found = 0;
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize && found < most; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity() && found < most; i += entryBytes) {
                    found += test.holds(raw.getLong(i)) ? 1 : 0;
                }
            }
        } finally {
            pieces.give(raw);
        }
        return found;
    }

    private void read(long table, int at, ByteBuffer raw) throws IOException {
        walkable -= raw.capacity();
        if (walkable < 0) {
            throw new LimitExceededException(
                    file.name()
                            + ": its L2 tables have far more bytes than the file: they alias each other to make work without end");
        }
        file.readTable("L2 table", table, clusterSize, table + at, raw.clear());
        raw.clear();
    }

    // ---- refcounts ----

    /** Changes the refcounts of what a table refers to; returns whether an entry says that a cluster is its own. */
    boolean addReferences(long table, long delta) throws IOException {
        boolean owns = false;
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity(); i += entryBytes) {
                    long stored = raw.getLong(i);
                    if (stored != 0) {
                        owns |= stored < 0;
                        addReference(stored, delta);
                    }
                }
            }
        } finally {
            pieces.give(raw);
        }
        return owns;
    }

    /** Changes the refcounts of what an entry of an L2 table refers to. */
    void addReference(long stored, long delta) throws IOException {
        long place = L2Entry.isCompressed(stored)
                ? CompressedClusters.hostOffset(stored, clusterBits)
                : L2Entry.offset(stored);
        boolean aligned = L2Entry.isCompressed(stored) || (place & (clusterSize - 1)) == 0;
        if (place != 0 && (!aligned || !file.holds(place, 1))) {
            throw new CorruptImageException(file.name() + ": an L2 entry has guest data at " + place
                    + ", which is not aligned or lies beyond the end of the file (" + file.fileSize() + " bytes)");
        }
        if (L2Entry.isCompressed(stored)) {
            long last = place + CompressedClusters.hostLength(stored, clusterBits) - 1;
            addData(place >>> clusterBits, (last >>> clusterBits) - (place >>> clusterBits) + 1, delta);
        } else if (place != 0) {
            addData(place >>> clusterBits, 1, delta);
        }
    }

    /** A table that an entry takes for data is not freed, whatever its refcount. */
    private void addData(long cluster, long count, long delta) throws IOException {
        for (long i = cluster; i < cluster + count; i++) {
            requireNo(allocator.metadataAt(i), "an L2 entry has guest data", i);
        }
        add(cluster, count, delta);
    }

    /** Changes the refcount of the cluster of a table. */
    void addTable(long offset, long delta) throws IOException {
        long cluster = offset >>> clusterBits;
        MetadataMap.Kind kind = allocator.metadataAt(cluster);
        requireNo(kind == MetadataMap.Kind.L2_TABLE ? null : kind, "an L1 entry has an L2 table", cluster);
        add(cluster, 1, delta);
    }

    private void requireNo(MetadataMap.@Nullable Kind kind, String what, long cluster) throws OverlapException {
        if (kind != null) {
            throw new OverlapException(file.name() + ": " + what + " at " + (cluster << clusterBits) + ", where " + kind
                    + " is: the image is damaged and marked so, nothing more is written");
        }
    }

    private void add(long cluster, long count, long delta) throws IOException {
        if (run.count > 0 && run.delta == delta && run.cluster + run.count == cluster) {
            run.count += count;
            return;
        }
        flush();
        run.cluster = cluster;
        run.count = count;
        run.delta = delta;
    }

    /** Hands over what is gathered, so that refcounts are what was said. */
    void flush() throws IOException {
        if (run.count > 0) {
            allocator.add(run.cluster, run.count, run.delta);
            run.count = 0;
        }
    }
}
