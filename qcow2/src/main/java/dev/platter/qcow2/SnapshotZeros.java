package dev.platter.qcow2;

import java.io.IOException;

/**
 * Takes entries that say zero out of the trees of snapshots, because version 2 of the format has none: where nothing lies
 * below they become unallocated, elsewhere zeros are written. Guarded by whoever changes the image.
 */
final class SnapshotZeros {
    private final HostFile file;
    private final Allocator allocator;
    private final TableTrees trees;
    private final boolean hides;
    private final int clusterBits;

    /** @param hides whether something lies below that would come to light */
    SnapshotZeros(Qcow2Header header, HostFile file, Allocator allocator, TableTrees trees, boolean hides) {
        this.file = file;
        this.allocator = allocator;
        this.trees = trees;
        this.hides = hides;
        this.clusterBits = header.clusterBits();
    }

    private static boolean saysZero(long stored) {
        return !L2Entry.isCompressed(stored) && (stored & L2Entry.ZERO_FLAG) != 0;
    }

    /** Returns how many such entries a snapshot has. */
    long count(Snapshot snapshot) throws IOException {
        long[] found = {0};
        trees.eachTable(snapshot.l1TableOffset(), snapshot.l1Size(), entry -> {
            found[0] += trees.countEntries(L2Entry.offset(entry), Long.MAX_VALUE, SnapshotZeros::saysZero);
            return entry;
        });
        return found[0];
    }

    /** Gives a snapshot an L1 table whose tree has none, and releases the old one; returns where. */
    long expand(Snapshot snapshot) throws IOException {
        long kept = trees.allocateTable(snapshot.l1Size(), MetadataMap.Kind.SNAPSHOT_L1_TABLE);
        trees.copyL1(snapshot.l1TableOffset(), snapshot.l1Size(), this::expanded, kept, -1);
        trees.flush();
        trees.releaseTable(snapshot.l1TableOffset(), snapshot.l1Size());
        return kept;
    }

    /** One tree gets a table of its own where there is something to change. */
    private long expanded(long entry) throws IOException {
        long table = L2Entry.offset(entry);
        if (trees.countEntries(table, 1, SnapshotZeros::saysZero) == 0) {
            return table;
        }
        long copy = trees.rewrite(table, stored -> saysZero(stored) ? withoutZero(stored) : stored & ~L2Entry.COPIED);
        trees.addTable(table, -1);
        return copy;
    }

    private long withoutZero(long stored) throws IOException {
        trees.addReference(stored, -1);
        trees.flush();
        if (!hides) {
            return 0;
        }
        long cluster = allocator.allocate(1);
        file.writeZeros(cluster << clusterBits, 1L << clusterBits);
        return cluster << clusterBits;
    }
}
