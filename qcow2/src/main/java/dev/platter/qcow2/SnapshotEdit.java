package dev.platter.qcow2;

import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Printable;
import dev.platter.core.SnapshotInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/**
 * Creates, applies and deletes internal snapshots. All that changes, refcounts and L2 tables included, goes to places that
 * nothing leads to, and one write of the header leads there: after a crash, the image is as it was or as it will be.
 * Guarded by whoever changes the image, and nothing waits to be written. Source: qcow2.rst, "Snapshots".
 */
final class SnapshotEdit {
    private static final int PIECE_BYTES = 64 << 10;

    /** Bytes of tables that one change may read: far more than there are without aliases. */
    private static final long WALK_BASE = 64 << 20;

    private static final int WALK_FACTOR = 16;
    private static final int STORED_BYTES = 40;
    private static final int EXTRA_BYTES = 24;
    private static final int MAX_SNAPSHOTS = 65536;
    private static final int MAX_NAME = 65535;

    private final Qcow2Header header;
    private final HostFile file;
    private final Allocator allocator;
    private final HeaderFields fields;
    private final int clusterBits;
    private final int clusterSize;
    private final int entryBytes;
    private final Run run = new Run();
    private final BufferPool pieces;
    private boolean switched;
    private long l1TableOffset;
    private long l1Entries0;
    private long walkable;

    /** Clusters next to each other, so that their refcounts are changed together. */
    private static final class Run {
        long cluster;
        long count;
        long delta;
    }

    /** Called for each L2 table of an L1 table. */
    private interface TableVisitor {
        /** Returns the L1 entry that takes the place of {@code entry}. */
        long table(long entry) throws IOException;
    }

    /**
     * Makes an edit.
     *
     * @param header as it is in the file now
     */
    SnapshotEdit(Qcow2Header header, HostFile file, Allocator allocator, HeaderFields fields) {
        this.header = header;
        this.file = file;
        this.allocator = allocator;
        this.fields = fields;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.entryBytes = header.l2EntryBytes();
        this.pieces = new BufferPool(Math.min(PIECE_BYTES, clusterSize));
    }

    /** Makes a snapshot of the disk as it is. */
    void create(List<Snapshot> snapshots, String name, long seconds, long nanos) throws IOException {
        requirePossible();
        if (snapshots.size() >= MAX_SNAPSHOTS) {
            throw new BlockIOException(
                    BlockIOException.Kind.NO_SPACE, file.name() + ": an image holds up to 65536 snapshots", null);
        }
        if (name.getBytes(StandardCharsets.UTF_8).length > MAX_NAME) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": the name of a snapshot has up to " + MAX_NAME + " bytes",
                    null);
        }
        long highest = 0;
        for (Snapshot snapshot : snapshots) {
            highest = Math.max(highest, number(snapshot.info().id()));
        }
        SnapshotInfo info = new SnapshotInfo(Long.toString(highest + 1), name, 0, seconds, nanos, 0, -1, header.size());
        change(clustersNeeded(header.l1Size()), () -> {
            long active = allocateTable(header.l1Size(), MetadataMap.Kind.L1_TABLE);
            long kept = allocateTable(header.l1Size(), MetadataMap.Kind.SNAPSHOT_L1_TABLE);
            copyL1(header.l1TableOffset(), header.l1Size(), this::share, active, kept);
            releaseRange(header.l1TableOffset(), (long) header.l1Size() * Long.BYTES);
            List<Snapshot> now = new ArrayList<>(snapshots);
            now.add(new Snapshot(0, 0, kept, header.l1Size(), EXTRA_BYTES, info));
            return new Tables(header.size(), header.l1Size(), active, now.size(), writeTable(snapshots, entries(now)));
        });
    }

    /** Makes the disk what it was when the snapshot was made. */
    void apply(List<Snapshot> snapshots, Snapshot snapshot) throws IOException {
        requirePossible();
        snapshot.requireReadable(header, file);
        long size = snapshot.info().diskSize();
        if (header.version() < 3 && size != header.size()) {
            throw new DiskImageException(file.name() + ": snapshot "
                    + Printable.quote(snapshot.info().name())
                    + " has a disk of " + size + " bytes, the image has one of " + header.size()
                    + ": in version 2 of the format it cannot be applied");
        }
        int entries = (int) header.l1EntriesFor(size);
        change(clustersNeeded(entries), () -> {
            long active = allocateTable(entries, MetadataMap.Kind.L1_TABLE);
            copyL1(snapshot.l1TableOffset(), header.l1EntriesFor(size), this::borrow, active, -1);
            eachTable(header.l1TableOffset(), header.l1Size(), this::drop);
            releaseRange(header.l1TableOffset(), (long) header.l1Size() * Long.BYTES);
            return new Tables(size, entries, active, snapshots.size(), header.snapshotsOffset());
        });
    }

    /** Forgets a snapshot and frees what nothing else refers to. */
    void delete(List<Snapshot> snapshots, Snapshot snapshot) throws IOException {
        requirePossible();
        snapshot.requireTable(header, file);
        change(clustersNeeded(header.l1Size()), () -> {
            eachTable(snapshot.l1TableOffset(), snapshot.l1Size(), this::drop);
            flushRun();
            releaseRange(snapshot.l1TableOffset(), snapshot.l1Size() * Long.BYTES);
            long active = allocateTable(header.l1Size(), MetadataMap.Kind.L1_TABLE);
            copyL1(header.l1TableOffset(), header.l1Size(), this::own, active, -1);
            releaseRange(header.l1TableOffset(), (long) header.l1Size() * Long.BYTES);
            List<Snapshot> now = new ArrayList<>(snapshots);
            now.remove(snapshot);
            return new Tables(header.size(), header.l1Size(), active, now.size(), writeTable(snapshots, entries(now)));
        });
    }

    /** Writes the snapshot table with the extra data that version 3 of the format asks for. */
    void completeTable(List<Snapshot> snapshots) throws IOException {
        change(clustersNeeded(0), () -> {
            List<byte[]> entries = new ArrayList<>();
            for (Snapshot snapshot : snapshots) {
                byte[] stored = storedEntry(snapshot);
                entries.add(snapshot.isComplete() ? stored : completed(stored, snapshot));
            }
            long place = writeTable(snapshots, entries);
            return new Tables(header.size(), header.l1Size(), header.l1TableOffset(), snapshots.size(), place);
        });
    }

    private static byte[] completed(byte[] stored, Snapshot snapshot) {
        int names = STORED_BYTES + (int) snapshot.extraDataSize();
        ByteBuffer entry = ByteBuffer.allocate(STORED_BYTES + EXTRA_BYTES + stored.length - names);
        entry.put(stored, 0, STORED_BYTES - Integer.BYTES).putInt(EXTRA_BYTES);
        entry.putLong(snapshot.info().vmStateSize())
                .putLong(snapshot.info().diskSize())
                .putLong(-1);
        return entry.put(stored, names, stored.length - names).array();
    }

    /**
     * Takes entries that say zero out of the tables of all snapshots: version 2 of the format has none.
     *
     * @param hides whether something lies below that would come to light
     */
    void expandZeros(List<Snapshot> snapshots, boolean hides) throws IOException {
        long[] needed = {clustersNeeded(header.l1Size()), 0};
        walkable = walkLimit();
        for (Snapshot snapshot : snapshots) {
            snapshot.requireReadable(header, file);
            needed[0] += clustersNeeded(snapshot.l1Size());
            eachTable(snapshot.l1TableOffset(), snapshot.l1Size(), entry -> {
                needed[1] += zeros(L2Entry.offset(entry));
                return entry;
            });
        }
        if (needed[1] == 0) {
            l1TableOffset = header.l1TableOffset();
            l1Entries0 = header.l1EntriesFor(header.size());
            return;
        }
        change(needed[0] + needed[1], () -> {
            List<byte[]> entries = new ArrayList<>();
            for (Snapshot snapshot : snapshots) {
                long kept = allocateTable(snapshot.l1Size(), MetadataMap.Kind.SNAPSHOT_L1_TABLE);
                copyL1(snapshot.l1TableOffset(), snapshot.l1Size(), entry -> expanded(entry, hides), kept, -1);
                flushRun();
                releaseRange(snapshot.l1TableOffset(), snapshot.l1Size() * Long.BYTES);
                byte[] entry = storedEntry(snapshot);
                ByteBuffer.wrap(entry).putLong(0, kept);
                entries.add(entry);
            }
            // what lost references may be the disk's own now
            long active = allocateTable(header.l1Size(), MetadataMap.Kind.L1_TABLE);
            copyL1(header.l1TableOffset(), header.l1Size(), this::own, active, -1);
            releaseRange(header.l1TableOffset(), (long) header.l1Size() * Long.BYTES);
            long place = writeTable(snapshots, entries);
            return new Tables(header.size(), header.l1Size(), active, snapshots.size(), place);
        });
    }

    private long zeros(long table) throws IOException {
        long found = 0;
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity(); i += entryBytes) {
                    found += saysZero(raw.getLong(i)) ? 1 : 0;
                }
            }
        } finally {
            pieces.give(raw);
        }
        return found;
    }

    private static boolean saysZero(long stored) {
        return !L2Entry.isCompressed(stored) && (stored & L2Entry.ZERO_FLAG) != 0;
    }

    /** One tree gets a table of its own where there is something to change. */
    private long expanded(long entry, boolean hides) throws IOException {
        long table = L2Entry.offset(entry);
        if (zeros(table) == 0) {
            return table;
        }
        long copy = rewrite(table, stored -> {
            if (!saysZero(stored)) {
                return stored & ~L2Entry.COPIED;
            }
            countEntry(stored, -1);
            flushRun();
            if (!hides) {
                return 0;
            }
            long cluster = allocator.allocate(1);
            file.writeZeros(cluster << clusterBits, clusterSize);
            return cluster << clusterBits;
        });
        count(table >>> clusterBits, 1, -1);
        return copy;
    }

    private static long number(String id) {
        try {
            return Long.parseLong(id);
        } catch (NumberFormatException e) {
            // ids are numbers by custom only
            return 0;
        }
    }

    private void requirePossible() throws BlockIOException {
        if (header.hasDataFile()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": an image with an external data file cannot have snapshots",
                    null);
        }
    }

    // ---- the switch ----

    private record Tables(long size, int l1Size, long l1Offset, int snapshots, long snapshotsOffset) {}

    private interface Change {
        Tables make() throws IOException;
    }

    private void change(long clusters, Change change) throws IOException {
        Tables tables;
        boolean prepared = false;
        walkable = walkLimit();
        try {
            allocator.beginSwitch(clusters);
            tables = change.make();
            flushRun();
            allocator.writeSwitch();
            file.sync();
            prepared = true;
        } finally {
            if (!prepared) {
                run.count = 0;
                allocator.abandonSwitch();
            }
        }
        switched = true;
        fields.tables(
                tables.size,
                tables.l1Size,
                tables.l1Offset,
                allocator.tableOffset(),
                allocator.tableClusters(),
                tables.snapshots,
                tables.snapshotsOffset);
        file.sync();
        allocator.finishSwitch();
        walkable = 0;
        l1TableOffset = tables.l1Offset;
        l1Entries0 = header.l1EntriesFor(tables.size);
    }

    private long walkLimit() throws IOException {
        return WALK_BASE + Math.min(file.askSize(), Long.MAX_VALUE / 64) * WALK_FACTOR;
    }

    /** Returns whether the header was written, or could have been. */
    boolean isSwitched() {
        return switched;
    }

    /** Returns where the L1 table of the disk lies now. */
    long l1TableOffset() {
        return l1TableOffset;
    }

    /** Returns how many entries of it the disk needs. */
    long l1Entries() {
        return l1Entries0;
    }

    private long clustersNeeded(long l1Entries) {
        long entries = Math.max(header.l1Size(), l1Entries);
        long l1 = ((entries * Long.BYTES) >>> clusterBits) + 1;
        return 2 * l1 + entries + MAX_SNAPSHOTS * 16 / clusterSize + 64;
    }

    private long allocateTable(long entries, MetadataMap.Kind kind) throws IOException {
        return entries == 0 ? 0 : allocateRange(entries * Long.BYTES, kind);
    }

    private long allocateRange(long bytes, MetadataMap.Kind kind) throws IOException {
        int clusters = (int) ((bytes + clusterSize - 1) >>> clusterBits);
        long first = allocator.allocate(clusters);
        for (long i = first; i < first + clusters; i++) {
            allocator.claimNew(i, kind);
        }
        file.writeZeros(first << clusterBits, (long) clusters << clusterBits);
        return first << clusterBits;
    }

    private void releaseRange(long offset, long bytes) throws IOException {
        if (bytes > 0) {
            long first = offset >>> clusterBits;
            allocator.add(first, ((offset + bytes - 1) >>> clusterBits) - first + 1, -1);
        }
    }

    // ---- trees ----

    /** Copies an L1 table to one or two places, with what {@code visitor} makes of its entries. */
    private void copyL1(long offset, long entries, TableVisitor visitor, long to, long alsoTo) throws IOException {
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

    private void eachTable(long offset, long entries, TableVisitor visitor) throws IOException {
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

    /** One more tree refers to a table: so it does to each of its clusters, and none belongs to one tree alone. */
    private long share(long entry) throws IOException {
        long table = L2Entry.offset(entry);
        boolean owns = eachEntry(table, 1);
        if (!owns) {
            count(table >>> clusterBits, 1, 1);
            return table;
        }
        long copy = rewrite(table, stored -> stored & ~L2Entry.COPIED);
        count(table >>> clusterBits, 1, -1);
        count(copy >>> clusterBits, 1, 1);
        return copy;
    }

    /** The disk refers to a snapshot's table, which stays as it is. */
    private long borrow(long entry) throws IOException {
        long table = L2Entry.offset(entry);
        if (eachEntry(table, 1)) {
            return rewrite(table, stored -> stored & ~L2Entry.COPIED) | L2Entry.COPIED;
        }
        count(table >>> clusterBits, 1, 1);
        allocator.note(table >>> clusterBits, MetadataMap.Kind.L2_TABLE);
        return table;
    }

    /** One tree less refers to a table. */
    private long drop(long entry) throws IOException {
        long table = L2Entry.offset(entry);
        eachEntry(table, -1);
        count(table >>> clusterBits, 1, -1);
        return entry;
    }

    /** Says of each cluster of the disk whether it belongs to the disk alone. */
    private long own(long entry) throws IOException {
        long table = L2Entry.offset(entry);
        if (allocator.refcount(table >>> clusterBits) != 1) {
            return table;
        }
        if (!anyToOwn(table)) {
            return table | L2Entry.COPIED;
        }
        long copy = rewrite(table, stored -> isOwn(stored) ? stored | L2Entry.COPIED : stored);
        count(table >>> clusterBits, 1, -1);
        return copy | L2Entry.COPIED;
    }

    private boolean isOwn(long stored) throws IOException {
        long offset = L2Entry.offset(stored);
        return !L2Entry.isCompressed(stored) && offset != 0 && allocator.refcount(offset >>> clusterBits) == 1;
    }

    private boolean anyToOwn(long table) throws IOException {
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity(); i += entryBytes) {
                    long stored = raw.getLong(i);
                    if (stored > 0 && isOwn(stored)) {
                        return true;
                    }
                }
            }
            return false;
        } finally {
            pieces.give(raw);
        }
    }

    private interface Rewriting {
        long entry(long stored) throws IOException;
    }

    /** Writes a table anew in another place, where it is in use once. */
    private long rewrite(long table, Rewriting rewriting) throws IOException {
        long copy = allocator.allocate(1);
        allocator.claimNew(copy, MetadataMap.Kind.L2_TABLE);
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity(); i += entryBytes) {
                    long stored = raw.getLong(i);
                    if (stored != 0) {
                        raw.putLong(i, rewriting.entry(stored));
                    }
                }
                file.write((copy << clusterBits) + at, raw.clear());
            }
        } finally {
            pieces.give(raw);
        }
        return copy << clusterBits;
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

    /** Changes the refcounts of what a table refers to; returns whether an entry says that a cluster is its own. */
    private boolean eachEntry(long table, long delta) throws IOException {
        boolean owns = false;
        ByteBuffer raw = pieces.take();
        try {
            for (int at = 0; at < clusterSize; at += raw.capacity()) {
                read(table, at, raw);
                for (int i = 0; i < raw.capacity(); i += entryBytes) {
                    long stored = raw.getLong(i);
                    if (stored != 0) {
                        owns |= stored < 0;
                        countEntry(stored, delta);
                    }
                }
            }
        } finally {
            pieces.give(raw);
        }
        return owns;
    }

    private void countEntry(long stored, long delta) throws IOException {
        long place = L2Entry.isCompressed(stored)
                ? CompressedClusters.hostOffset(stored, clusterBits)
                : L2Entry.offset(stored);
        boolean aligned = L2Entry.isCompressed(stored) || (place & (clusterSize - 1)) == 0;
        if (place != 0 && (!aligned || !file.holds(place, 1))) {
            throw new CorruptImageException(file.name() + ": an L2 entry has guest data at " + place
                    + ", which is not aligned or lies beyond the end of the file (" + file.fileSize() + " bytes)");
        }
        if (L2Entry.isCompressed(stored)) {
            long from = CompressedClusters.hostOffset(stored, clusterBits);
            long last = from + CompressedClusters.hostLength(stored, clusterBits) - 1;
            count(from >>> clusterBits, (last >>> clusterBits) - (from >>> clusterBits) + 1, delta);
        } else if (L2Entry.offset(stored) != 0) {
            count(L2Entry.offset(stored) >>> clusterBits, 1, delta);
        }
    }

    private void count(long cluster, long count, long delta) throws IOException {
        if (run.count > 0 && run.delta == delta && run.cluster + run.count == cluster) {
            run.count += count;
            return;
        }
        flushRun();
        run.cluster = cluster;
        run.count = count;
        run.delta = delta;
    }

    private void flushRun() throws IOException {
        if (run.count > 0) {
            allocator.add(run.cluster, run.count, run.delta);
            run.count = 0;
        }
    }

    // ---- the snapshot table ----

    /** Writes the snapshot table in a new place, and releases the old one; returns where, 0 if it is empty. */
    private long writeTable(List<Snapshot> before, List<byte[]> entries) throws IOException {
        if (!before.isEmpty()) {
            Snapshot last = before.get(before.size() - 1);
            releaseRange(header.snapshotsOffset(), last.tableOffset() + last.entryBytes() - header.snapshotsOffset());
        }
        if (entries.isEmpty()) {
            return 0;
        }
        int bytes = 0;
        for (byte[] entry : entries) {
            bytes += entry.length + 7 & -8;
        }
        ByteBuffer table = ByteBuffer.allocate(bytes);
        for (byte[] entry : entries) {
            table.put(entry).position(table.position() + 7 & -8);
        }
        long place = allocateRange(bytes, MetadataMap.Kind.SNAPSHOT_TABLE);
        file.write(place, table.clear());
        return place;
    }

    private List<byte[]> entries(List<Snapshot> snapshots) throws IOException {
        List<byte[]> entries = new ArrayList<>();
        for (Snapshot snapshot : snapshots) {
            entries.add(snapshot.tableOffset() == 0 ? newEntry(snapshot) : storedEntry(snapshot));
        }
        return entries;
    }

    /** As it is stored, extra data that we do not know included. */
    private byte[] storedEntry(Snapshot snapshot) throws IOException {
        ByteBuffer entry = ByteBuffer.allocate((int) snapshot.entryBytes());
        file.readPadded(snapshot.tableOffset(), entry);
        return entry.array();
    }

    private static byte[] newEntry(Snapshot snapshot) {
        SnapshotInfo info = snapshot.info();
        byte[] id = info.id().getBytes(StandardCharsets.UTF_8);
        byte[] name = info.name().getBytes(StandardCharsets.UTF_8);
        ByteBuffer entry = ByteBuffer.allocate(STORED_BYTES + EXTRA_BYTES + id.length + name.length);
        entry.putLong(snapshot.l1TableOffset()).putInt((int) snapshot.l1Size());
        entry.putShort((short) id.length).putShort((short) name.length);
        entry.putInt((int) info.dateSeconds()).putInt((int) info.dateNanos());
        entry.putLong(info.vmClockNanos()).putInt(0).putInt(EXTRA_BYTES);
        entry.putLong(0).putLong(info.diskSize()).putLong(-1);
        return entry.put(id).put(name).array();
    }
}
