package dev.platter.qcow2;

import static java.util.Objects.requireNonNull;

import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Gives out clusters of the file and keeps their refcounts, first in memory: {@link #write()} puts them into the file,
 * which has to be durable before anything there refers to the clusters. A count that goes down is not written before the
 * reference is gone from the file, so it is lowered here only then. Source: qcow2.rst, "Host cluster management". Guarded by
 * whoever changes the image.
 */
final class Allocator {
    private static final int PIECE_BYTES = 64 << 10;

    /** As qemu: 2^56 bytes is what an L2 entry can say. */
    private static final long MAX_OFFSET = 1L << 56;

    private final Qcow2Header header;
    private final HostFile file;
    private final HeaderFields fields;
    private final MetadataMap metadata;
    private final int clusterBits;
    private final int order;
    private final int blockBits;
    private final RefcountPieces pieces;
    private long[] table;
    private long tableOffset;

    /** No cluster below is free. */
    private long firstFree = 1;

    /** A cluster that has not been free since somebody asked to watch it; -1 for none. */
    private long watched = -1;

    /** Set while refcounts are prepared that replace those in the file at once. */
    private @Nullable Switch replacement;

    /** What it takes to go back to the refcounts in the file, and what may not be touched before they are replaced. */
    private static final class Switch {
        final long[] oldTable;
        final long oldTableOffset;
        final Set<Integer> moved = new HashSet<>();
        final ClusterSet taken = new ClusterSet();
        final ClusterSet released = new ClusterSet();
        final ArrayDeque<Long> leftBlocks = new ArrayDeque<>();
        final List<Long> claimed = new ArrayList<>();

        Switch(long[] oldTable, long oldTableOffset) {
            this.oldTable = oldTable;
            this.oldTableOffset = oldTableOffset;
        }
    }

    /** Clusters that lie together. */
    record Run(long cluster, int count) {}

    private Allocator(Qcow2Header header, HostFile file, HeaderFields fields, MetadataMap metadata, long[] table) {
        this.header = header;
        this.file = file;
        this.fields = fields;
        this.metadata = metadata;
        this.clusterBits = header.clusterBits();
        this.order = header.refcountOrder();
        this.blockBits = clusterBits + 3 - order;
        this.pieces = new RefcountPieces(header, file);
        this.table = table;
        this.tableOffset = header.refcountTableOffset();
    }

    /** Reads the refcount table, and notes where it and its blocks lie. */
    static Allocator open(Qcow2Header header, HostFile file, HeaderFields fields, MetadataMap metadata)
            throws IOException {
        long clusters = header.refcountTableClusters();
        if (clusters == 0 || clusters > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / header.clusterSize()) {
            throw new CorruptImageException(file.name() + ": header at 56: the refcount table is said to have "
                    + clusters + " clusters; the image can be read, but not written");
        }
        long[] table = new long[(int) (clusters * header.clusterSize() / Long.BYTES)];
        ByteBuffer raw = DirectBuffers.allocate(PIECE_BYTES);
        for (int at = 0; at < table.length; at += raw.capacity() / Long.BYTES) {
            raw.clear().limit(Math.min(raw.capacity(), (table.length - at) * Long.BYTES));
            long from = header.refcountTableOffset() + (long) at * Long.BYTES;
            file.readTable("refcount table", header.refcountTableOffset(), clusters << header.clusterBits(), from, raw);
            raw.flip().asLongBuffer().get(table, at, raw.limit() / Long.BYTES);
        }
        Allocator allocator = new Allocator(header, file, fields, metadata, table);
        allocator.claim(
                header.refcountTableOffset() >>> header.clusterBits(), clusters, MetadataMap.Kind.REFCOUNT_TABLE);
        for (int i = 0; i < table.length; i++) {
            if (table[i] != 0) {
                allocator.requireBlock(i);
                allocator.claim(table[i] >>> header.clusterBits(), 1, MetadataMap.Kind.REFCOUNT_BLOCK);
            }
        }
        return allocator;
    }

    private void requireBlock(int index) throws IOException {
        long offset = table[index];
        if (offset < 0 || (offset & (header.clusterSize() - 1)) != 0) {
            throw new CorruptImageException(file.name() + ": refcount table entry " + index + " at "
                    + (tableOffset + (long) index * Long.BYTES) + ": the block is said to be at "
                    + Long.toUnsignedString(offset) + ", which is not aligned to the cluster size "
                    + header.clusterSize()
                    + "; the image can be read, but not written");
        }
        if (!file.holds(offset, header.clusterSize())) {
            // what is cut off would count clusters that are in use as free
            throw file.truncated("refcount block", offset);
        }
    }

    /** Notes that clusters are metadata; two tables in one place are refused. */
    void claim(long cluster, long count, MetadataMap.Kind kind) throws IOException {
        for (long i = cluster; i < cluster + count; i++) {
            MetadataMap.Kind before = metadata.get(i);
            if (before != null) {
                throw new CorruptImageException(file.name() + ": " + kind + " and " + before + " both lie at "
                        + (i << clusterBits) + "; the image can be read, but not written");
            }
            metadata.put(i, kind);
        }
    }

    /** Returns the largest refcount that the image can hold. */
    long max() {
        return order == 6 ? Long.MAX_VALUE : (1L << (1 << order)) - 1;
    }

    /** Returns the refcount of a cluster. */
    long refcount(long cluster) throws IOException {
        long index = cluster >>> blockBits;
        if (index >= table.length || table[(int) index] == 0) {
            return 0;
        }
        return pieces.get(cluster, table[(int) index], replacement != null);
    }

    /** Returns whether a cluster, or one behind it, has a refcount other than 0. */
    boolean isUsedFrom(long cluster) throws IOException {
        for (long block = cluster >>> blockBits; block < table.length; block++) {
            long first = Math.max(cluster, block << blockBits);
            long offset = table[(int) block];
            if (offset != 0 && pieces.isUsed(first, (block + 1) << blockBits, offset, replacement != null)) {
                return true;
            }
        }
        return false;
    }

    /**
     * Allocates clusters that lie together, with a refcount of 1.
     *
     * @throws BlockIOException of kind {@code NO_SPACE} if the file cannot be that large
     */
    long allocate(int count) throws IOException {
        if (replacement == null && count > (1 << blockBits) / 2) {
            return allocateBehindBlocks(count);
        }
        while (true) {
            long start = firstFree();
            for (long at = start; at - start < count; at++) {
                if (!isFree(at)) {
                    start = at + 1;
                }
            }
            if (replacement != null || hasBlocks(start, count)) {
                return take(start, count);
            }
        }
    }

    /** Allocates the first free cluster, and those behind it that are free, up to {@code count} in all. */
    Run allocateUpTo(int count) throws IOException {
        while (true) {
            long start = firstFree();
            if (!hasBlocks(start, 1)) {
                continue;
            }
            long blockEnd = ((start >>> blockBits) + 1) << blockBits;
            int run = 1;
            while (run < count && start + run < blockEnd && isFree(start + run)) {
                run++;
            }
            return new Run(take(start, run), run);
        }
    }

    /** Returns whether there are refcounts for all of these clusters; if not, they are made, and took some clusters. */
    private boolean hasBlocks(long start, int count) throws IOException {
        for (long block = start >>> blockBits; block <= (start + count - 1) >>> blockBits; block++) {
            if (block >= table.length) {
                growTable(block);
                return false;
            }
            if (table[(int) block] == 0) {
                addBlock((int) block);
                return false;
            }
        }
        return true;
    }

    /**
     * Allocates more clusters than there are between one block and the next: the blocks that describe them go in front of
     * them all.
     */
    private long allocateBehindBlocks(int count) throws IOException {
        int first = table.length;
        while (first > 0 && table[first - 1] == 0) {
            first--;
        }
        int blocks = 1;
        while (((long) blocks << blockBits) < (long) blocks + count) {
            blocks++;
        }
        while (first + blocks > table.length) {
            growTable((long) first + blocks - 1);
            first = table.length;
            while (table[first - 1] == 0) {
                first--;
            }
        }
        long start = (long) first << blockBits;
        claim(start, blocks, MetadataMap.Kind.REFCOUNT_BLOCK);
        try {
            for (int i = 0; i < blocks; i++) {
                long inUse = Math.min(1L << blockBits, blocks - ((long) i << blockBits));
                writeBlock(start + i, (int) Math.max(0, inUse));
            }
            file.sync();
            ByteBuffer entries = ByteBuffer.allocate(blocks * Long.BYTES);
            for (int i = 0; i < blocks; i++) {
                entries.putLong((start + i) << clusterBits);
            }
            file.write(tableOffset + (long) first * Long.BYTES, entries.flip());
        } catch (IOException e) {
            // the next attempt does the same again
            for (int i = 0; i < blocks; i++) {
                metadata.remove(start + i);
            }
            throw e;
        }
        for (int i = 0; i < blocks; i++) {
            table[first + i] = (start + i) << clusterBits;
        }
        return take(start + blocks, count);
    }

    private long firstFree() throws IOException {
        while (!isFree(firstFree)) {
            firstFree++;
        }
        return firstFree;
    }

    private boolean isFree(long cluster) throws IOException {
        Switch now = replacement;
        return refcount(cluster) == 0
                && (now == null || (!now.released.contains(cluster) && !now.taken.contains(cluster)));
    }

    private long take(long start, int count) throws IOException {
        if ((start + count) >= MAX_OFFSET >>> clusterBits) {
            throw new BlockIOException(
                    BlockIOException.Kind.NO_SPACE, file.name() + ": the file would grow beyond 2^56 bytes", null);
        }
        for (long i = start; i < start + count; i++) {
            MetadataMap.Kind kind = metadata.get(i);
            if (kind != null) {
                throw overlap(i, kind);
            }
            if (replacement != null) {
                // so that no block moves there
                replacement.taken.add(i);
            }
        }
        long at = start;
        try {
            for (; at < start + count; at++) {
                set(at, 1);
                if (replacement != null) {
                    replacement.taken.remove(at);
                }
            }
        } catch (IOException e) {
            // a replacement is abandoned as a whole
            for (long i = start; i < at && replacement == null; i++) {
                set(i, 0);
            }
            throw e;
        }
        if (start == firstFree) {
            firstFree = start + count;
        }
        return start;
    }

    /** A cluster with refcount 0 that holds metadata: the refcounts are wrong. */
    private CorruptImageException overlap(long cluster, MetadataMap.Kind kind) {
        return new OverlapException(file.name() + ": the cluster at " + (cluster << clusterBits)
                + " has refcount 0, but holds " + kind + ": the refcounts are wrong; nothing more is written");
    }

    /** Adds to the refcounts of clusters. */
    void add(long cluster, long count, long delta) throws IOException {
        if (cluster <= 0 || (cluster + count - 1) >>> blockBits > Integer.MAX_VALUE) {
            throw new OverlapException(file.name() + ": a reference to the cluster at " + (cluster << clusterBits)
                    + ", where no guest data can be; nothing more is written");
        }
        for (long i = cluster; i < cluster + count; i++) {
            long now = refcount(i) + delta;
            if (now < 0) {
                throw new OverlapException(file.name() + ": the cluster at " + (i << clusterBits)
                        + " is given back more often than its refcount says; nothing more is written");
            }
            if (now > max()) {
                throw new BlockIOException(
                        BlockIOException.Kind.NOT_SUPPORTED,
                        file.name() + ": the cluster at " + (i << clusterBits) + " would be in use " + now
                                + " times; refcounts of " + (1 << order) + " bits hold up to " + max(),
                        null);
            }
            if (delta > 0 && replacement == null) {
                ensureBlockFor(i);
            }
            set(i, now);
            if (now == 0 && i == watched) {
                watched = -1;
            }
            if (now == 0 && replacement != null) {
                replacement.released.add(i);
            } else if (now == 0) {
                firstFree = Math.min(firstFree, i);
                metadata.remove(i);
            }
        }
    }

    /** Watches a cluster that is in use, instead of the one before. */
    void watch(long cluster) {
        watched = cluster;
    }

    /** Returns whether a cluster is watched, and was in use all the time since. */
    boolean isWatched(long cluster) {
        return cluster == watched;
    }

    private void ensureBlockFor(long cluster) throws IOException {
        long block = cluster >>> blockBits;
        if (block >= table.length) {
            growTable(block);
        }
        if (table[(int) block] == 0) {
            addBlock((int) block);
        }
    }

    private void set(long cluster, long value) throws IOException {
        if (replacement != null) {
            move(cluster >>> blockBits, replacement);
        }
        pieces.put(cluster, table[(int) (cluster >>> blockBits)], value, replacement != null);
    }

    /** Returns whether refcounts are not in the file yet. */
    boolean isDirty() {
        return pieces.isDirty();
    }

    /** Writes what is not in the file yet; making it durable is left to the caller. */
    void write() throws IOException {
        pieces.write();
    }

    /** Returns whether so many refcounts wait that they should be written. */
    boolean isFull() {
        return pieces.isFull();
    }

    /**
     * Adds a block where there is none, at the beginning of what it describes: all of that is free. Its own refcount is
     * in it, and it is durable before the table names it, so that no garbage is ever taken for refcounts.
     */
    private void addBlock(int index) throws IOException {
        long cluster = (long) index << blockBits;
        claim(cluster, 1, MetadataMap.Kind.REFCOUNT_BLOCK);
        try {
            writeBlock(cluster, 1);
            file.sync();
            file.write(
                    tableOffset + (long) index * Long.BYTES,
                    ByteBuffer.allocate(Long.BYTES)
                            .putLong(cluster << clusterBits)
                            .flip());
        } catch (IOException e) {
            // the next attempt does the same again
            metadata.remove(cluster);
            throw e;
        }
        table[index] = cluster << clusterBits;
    }

    /** Writes a block whose first clusters are in use once. */
    private void writeBlock(long cluster, int inUse) throws IOException {
        long offset = cluster << clusterBits;
        file.writeZeros(offset, header.clusterSize());
        ByteBuffer raw = ByteBuffer.allocate(((inUse << order) + 7) >>> 3);
        for (int i = 0; i < inUse; i++) {
            Refcounts.put(raw, i, order, 1);
        }
        file.write(offset, raw);
    }

    /**
     * Makes a larger table. It and the blocks that describe it go where the old table could not reach, which is free.
     * Blocks and table are durable before the header names them.
     */
    private void growTable(long neededBlock) throws IOException {
        long firstBlock = Math.max(neededBlock, table.length);
        long entries = firstBlock + firstBlock / 2 + 1;
        long entriesPerCluster = header.clusterSize() / Long.BYTES;
        long tableClusters = (entries + entriesPerCluster - 1) / entriesPerCluster;
        int newBlocks = 1;
        while (((long) newBlocks << blockBits) < newBlocks + tableClusters) {
            newBlocks++;
        }
        if (tableClusters * header.clusterSize() > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            tableClusters = Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / header.clusterSize();
        }
        long[] larger = Arrays.copyOf(table, (int) (tableClusters * entriesPerCluster));
        if (firstBlock + newBlocks > larger.length) {
            throw tableTooLarge();
        }
        long start = firstBlock << blockBits;
        claim(start, newBlocks, MetadataMap.Kind.REFCOUNT_BLOCK);
        claim(start + newBlocks, tableClusters, MetadataMap.Kind.REFCOUNT_TABLE);
        long newOffset = (start + newBlocks) << clusterBits;
        try {
            writeTable(larger, newOffset, (int) firstBlock, newBlocks, newBlocks + tableClusters);
        } catch (IOException e) {
            for (long i = start; i < start + newBlocks + tableClusters; i++) {
                metadata.remove(i);
            }
            throw e;
        }
        fields.refcountTable(newOffset, (int) tableClusters);
        // the old table is free for others from here on
        file.sync();
        long oldOffset = tableOffset;
        long oldClusters = ((long) table.length * Long.BYTES) >>> clusterBits;
        table = larger;
        tableOffset = newOffset;
        add(oldOffset >>> clusterBits, oldClusters, -1);
    }

    private void writeTable(long[] larger, long offset, int firstBlock, int newBlocks, long used) throws IOException {
        long start = (long) firstBlock << blockBits;
        for (int i = 0; i < newBlocks; i++) {
            larger[firstBlock + i] = (start + i) << clusterBits;
            writeBlock(start + i, (int) Math.max(0, Math.min(1L << blockBits, used - ((long) i << blockBits))));
        }
        ByteBuffer raw = DirectBuffers.allocate(larger.length * Long.BYTES);
        raw.asLongBuffer().put(larger);
        file.write(offset, raw);
        file.sync();
    }

    // ---- other refcounts at once ----

    /**
     * Begins to prepare refcounts that replace those in the file at once: from now on every change goes to new blocks in
     * new places, and what is released stays as it is until the {@linkplain #finishSwitch switch}.
     *
     * @param clusters how many clusters will be allocated at most
     */
    void beginSwitch(long clusters) throws IOException {
        if (isDirty()) {
            throw new IllegalStateException("refcounts wait to be written");
        }
        replacement = new Switch(table, tableOffset);
        int perCluster = header.clusterSize() / Long.BYTES;
        long oldClusters = table.length / perCluster;
        long blocks = table.length;
        while (blocks > 0 && table[(int) blocks - 1] == 0) {
            blocks--;
        }
        long needed = blocks + ((clusters + blocks + oldClusters) >>> blockBits) + 2;
        long newClusters = Math.max(oldClusters, (needed + perCluster - 1) / perCluster);
        if (newClusters * header.clusterSize() > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            throw tableTooLarge();
        }
        table = Arrays.copyOf(table, (int) newClusters * perCluster);
        long place = allocate((int) newClusters);
        for (long i = place; i < place + newClusters; i++) {
            claimNew(i, MetadataMap.Kind.REFCOUNT_TABLE);
        }
        tableOffset = place << clusterBits;
        add(replacement.oldTableOffset >>> clusterBits, oldClusters, -1);
    }

    /** Notes that a cluster holds metadata, which it may have been known for. */
    void note(long cluster, MetadataMap.Kind kind) throws IOException {
        metadata.put(cluster, kind);
    }

    /** Notes that a new cluster of the replacement holds metadata. */
    void claimNew(long cluster, MetadataMap.Kind kind) throws IOException {
        claim(cluster, 1, kind);
        requireNonNull(replacement).claimed.add(cluster);
    }

    /** Moves a block to where it can be changed. */
    private void move(long block, Switch now) throws IOException {
        if (block >= table.length) {
            throw new OverlapException(
                    file.name() + ": a refcount beyond the refcount table is needed for the cluster at "
                            + (block << blockBits << clusterBits) + "; nothing more is written");
        }
        int index = (int) block;
        if (!now.moved.add(index)) {
            return;
        }
        long old = table[index];
        long place = firstFree();
        now.taken.add(place);
        table[index] = place << clusterBits;
        pieces.move(index, old, place << clusterBits);
        claimNew(place, MetadataMap.Kind.REFCOUNT_BLOCK);
        set(place, 1);
        now.taken.remove(place);
        if (old != 0) {
            // given back later: that changes other blocks, which move too
            now.leftBlocks.add(old >>> clusterBits);
        }
    }

    /** Puts the new refcounts into the file; the header does not name them yet. */
    void writeSwitch() throws IOException {
        Switch now = requireNonNull(replacement);
        while (!now.leftBlocks.isEmpty()) {
            add(now.leftBlocks.remove(), 1, -1);
        }
        write();
        ByteBuffer raw = DirectBuffers.allocate(table.length * Long.BYTES);
        raw.asLongBuffer().put(table);
        file.write(tableOffset, raw);
    }

    /** The header names the new refcounts, durably: what was released is free. */
    void finishSwitch() throws IOException {
        Switch done = requireNonNull(replacement);
        done.released.forEach(cluster -> {
            metadata.remove(cluster);
            firstFree = Math.min(firstFree, cluster);
        });
        replacement = null;
    }

    /** Goes back to the refcounts in the file. */
    void abandonSwitch() {
        Switch failed = replacement;
        if (failed == null) {
            return;
        }
        pieces.clear();
        table = failed.oldTable;
        tableOffset = failed.oldTableOffset;
        failed.claimed.forEach(metadata::remove);
        replacement = null;
        firstFree = 1;
    }

    long tableOffset() {
        return tableOffset;
    }

    int tableClusters() {
        return (int) (((long) table.length * Long.BYTES) >>> clusterBits);
    }

    private BlockIOException tableTooLarge() {
        return new BlockIOException(
                BlockIOException.Kind.NO_SPACE,
                file.name() + ": the refcount table would grow beyond " + Qcow2Header.MAX_REFCOUNT_TABLE_BYTES
                        + " bytes; larger clusters would allow a larger file",
                null);
    }
}
