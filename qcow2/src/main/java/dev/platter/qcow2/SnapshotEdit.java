package dev.platter.qcow2;

import com.google.common.math.LongMath;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Printable;
import dev.platter.core.SnapshotInfo;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.LongConsumer;

/**
 * Creates, applies and deletes internal snapshots. All that changes, refcounts and L2 tables included, goes to places that
 * nothing leads to, and one write of the header leads there: after a crash, the image is as it was or as it will be.
 * Guarded by whoever changes the image, and nothing waits to be written. Source: qcow2.rst, "Snapshots".
 */
final class SnapshotEdit {
    private static final int MAX_SNAPSHOTS = 65536;
    private static final int MAX_NAME = 65535;

    private final Qcow2Header header;
    private final HostFile file;
    private final Allocator allocator;
    private final HeaderFields fields;
    private final TableTrees trees;
    private final SnapshotTable table;
    private boolean switched;
    private long l1TableOffset;
    private long l1Entries;

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
        this.trees = new TableTrees(header, file, allocator);
        this.table = new SnapshotTable(header, file, trees);
    }

    /**
     * Makes a snapshot of the disk as it is.
     *
     * @param mostBytes how long the snapshot table may become: a longer one could not be read again
     */
    void create(List<Snapshot> snapshots, String name, long seconds, long nanos, long mostBytes) throws IOException {
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
        long bytes = table.bytesWith(snapshots, info);
        if (bytes > mostBytes) {
            throw new BlockIOException(
                    BlockIOException.Kind.NO_SPACE,
                    file.name() + ": the snapshot table would have " + bytes + " bytes, the limit is " + mostBytes,
                    null);
        }
        change(clustersNeeded(header.l1Size()), () -> {
            long active = trees.allocateTable(header.l1Size(), MetadataMap.Kind.L1_TABLE);
            long kept = trees.allocateTable(header.l1Size(), MetadataMap.Kind.SNAPSHOT_L1_TABLE);
            trees.copyL1(header.l1TableOffset(), header.l1Size(), this::share, active, kept);
            trees.releaseTable(header.l1TableOffset(), header.l1Size());
            List<Snapshot> now = new ArrayList<>(snapshots);
            now.add(SnapshotTable.added(kept, header.l1Size(), info));
            return new Tables(header.size(), header.l1Size(), active, now.size(), table.write(snapshots, now));
        });
    }

    private static long number(String id) {
        try {
            return Long.parseLong(id);
        } catch (NumberFormatException e) {
            // ids are numbers by custom only
            return 0;
        }
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
            long active = trees.allocateTable(entries, MetadataMap.Kind.L1_TABLE);
            trees.copyL1(snapshot.l1TableOffset(), entries, this::borrow, active, -1);
            trees.eachTable(header.l1TableOffset(), header.l1Size(), this::drop);
            trees.releaseTable(header.l1TableOffset(), header.l1Size());
            return new Tables(size, entries, active, snapshots.size(), header.snapshotsOffset());
        });
    }

    /** Forgets a snapshot and frees what nothing else refers to. */
    void delete(List<Snapshot> snapshots, Snapshot snapshot) throws IOException {
        requirePossible();
        snapshot.requireTable(header, file);
        change(clustersNeeded(header.l1Size()), () -> {
            trees.eachTable(snapshot.l1TableOffset(), snapshot.l1Size(), this::drop);
            trees.flush();
            trees.releaseTable(snapshot.l1TableOffset(), snapshot.l1Size());
            long active = copyOwn();
            List<Snapshot> now = new ArrayList<>(snapshots);
            now.remove(snapshot);
            return new Tables(header.size(), header.l1Size(), active, now.size(), table.write(snapshots, now));
        });
    }

    /** Writes the snapshot table with the extra data that version 3 of the format asks for. */
    void completeTable(List<Snapshot> snapshots) throws IOException {
        change(clustersNeeded(0), () -> {
            long place = table.writeCompleted(snapshots);
            return new Tables(header.size(), header.l1Size(), header.l1TableOffset(), snapshots.size(), place);
        });
    }

    /**
     * Takes entries that say zero out of the tables of all snapshots: version 2 of the format has none.
     *
     * @param hides whether something lies below that would come to light
     * @param walked told how many bytes of the snapshots' disks were gone through
     */
    void expandZeros(List<Snapshot> snapshots, boolean hides, LongConsumer walked) throws IOException {
        SnapshotZeros zeros = new SnapshotZeros(header, file, allocator, trees, hides);
        long tables = clustersNeeded(header.l1Size());
        long found = 0;
        trees.begin();
        for (Snapshot snapshot : snapshots) {
            snapshot.requireReadable(header, file);
            tables += clustersNeeded(snapshot.l1Size());
            found += zeros.count(snapshot);
        }
        if (found == 0) {
            l1TableOffset = header.l1TableOffset();
            l1Entries = header.l1EntriesFor(header.size());
            return;
        }
        change(tables + found, () -> {
            List<Long> kept = new ArrayList<>();
            long done = 0;
            for (Snapshot snapshot : snapshots) {
                kept.add(zeros.expand(snapshot));
                done = LongMath.saturatedAdd(done, snapshot.info().diskSize());
                walked.accept(done);
            }
            // what lost references may be the disk's own now
            long active = copyOwn();
            long place = table.writeMoved(snapshots, kept);
            return new Tables(header.size(), header.l1Size(), active, snapshots.size(), place);
        });
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
        trees.begin();
        try {
            allocator.beginSwitch(clusters);
            tables = change.make();
            trees.flush();
            allocator.writeSwitch();
            file.sync();
            prepared = true;
        } finally {
            if (!prepared) {
                trees.abandon();
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
        l1TableOffset = tables.l1Offset;
        l1Entries = header.l1EntriesFor(tables.size);
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
        return l1Entries;
    }

    private long clustersNeeded(long entriesOfL1) {
        long entries = Math.max(header.l1Size(), entriesOfL1);
        long l1 = ((entries * Long.BYTES) >>> header.clusterBits()) + 1;
        return 2 * l1 + entries + MAX_SNAPSHOTS * 16 / header.clusterSize() + 64;
    }

    // ---- what becomes of a table ----

    /** One more tree refers to a table: so it does to each of its clusters, and none belongs to one tree alone. */
    private long share(long entry) throws IOException {
        long shared = L2Entry.offset(entry);
        boolean owns = trees.addReferences(shared, 1);
        if (!owns) {
            trees.addTable(shared, 1);
            return shared;
        }
        long copy = trees.rewrite(shared, stored -> stored & ~L2Entry.COPIED);
        trees.addTable(shared, -1);
        trees.addTable(copy, 1);
        return copy;
    }

    /** The disk refers to a snapshot's table, which stays as it is. */
    private long borrow(long entry) throws IOException {
        long borrowed = L2Entry.offset(entry);
        if (trees.addReferences(borrowed, 1)) {
            return trees.rewrite(borrowed, stored -> stored & ~L2Entry.COPIED) | L2Entry.COPIED;
        }
        trees.addTable(borrowed, 1);
        allocator.note(borrowed >>> header.clusterBits(), MetadataMap.Kind.L2_TABLE);
        return borrowed;
    }

    /** One tree less refers to a table. */
    private long drop(long entry) throws IOException {
        long dropped = L2Entry.offset(entry);
        trees.addReferences(dropped, -1);
        trees.addTable(dropped, -1);
        return entry;
    }

    /** Copies the L1 table of the disk, saying of each table and cluster whether it belongs to the disk alone. */
    private long copyOwn() throws IOException {
        long active = trees.allocateTable(header.l1Size(), MetadataMap.Kind.L1_TABLE);
        trees.copyL1(header.l1TableOffset(), header.l1Size(), this::own, active, -1);
        trees.releaseTable(header.l1TableOffset(), header.l1Size());
        return active;
    }

    private long own(long entry) throws IOException {
        long owned = L2Entry.offset(entry);
        if (allocator.refcount(owned >>> header.clusterBits()) != 1) {
            return owned;
        }
        if (trees.countEntries(owned, 1, stored -> stored > 0 && isOwn(stored)) == 0) {
            return owned | L2Entry.COPIED;
        }
        long copy = trees.rewrite(owned, stored -> isOwn(stored) ? stored | L2Entry.COPIED : stored);
        trees.addTable(owned, -1);
        return copy | L2Entry.COPIED;
    }

    private boolean isOwn(long stored) throws IOException {
        long offset = L2Entry.offset(stored);
        return !L2Entry.isCompressed(stored) && offset != 0 && allocator.refcount(offset >>> header.clusterBits()) == 1;
    }
}
