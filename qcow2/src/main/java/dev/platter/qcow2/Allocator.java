package dev.platter.qcow2;

import static java.util.Objects.requireNonNull;

import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import java.io.IOException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Gives out clusters of the file and takes them back. Refcounts change in memory first: {@link #write()} puts them into the
 * file, which has to be durable before anything there refers to the clusters. A count that goes down is not written before
 * the reference is gone from the file, so it is lowered here only then. Source: qcow2.rst, "Host cluster management".
 * Guarded by whoever changes the image.
 */
final class Allocator {
    /** As qemu: 2^56 bytes is what an L2 entry can say. */
    private static final long MAX_OFFSET = 1L << 56;

    private final HostFile file;
    private final MetadataMap metadata;
    private final RefcountTable refcounts;
    private final int clusterBits;
    private final int order;

    /** No cluster below is free. */
    private long firstFree = 1;

    /** A cluster that has not been free since somebody asked to watch it; -1 for none. */
    private long watched = -1;

    /** Set while refcounts are prepared that replace those in the file at once. */
    private @Nullable Switch replacement;

    /** What may not be touched before the refcounts in the file are replaced, and what is done only then. */
    private static final class Switch {
        final Set<Integer> moved = new HashSet<>();
        final ClusterSet taken = new ClusterSet();
        final ClusterSet released = new ClusterSet();
        final ArrayDeque<Long> leftBlocks = new ArrayDeque<>();
        final List<Long> claimed = new ArrayList<>();
    }

    /** Clusters that lie together. */
    record Run(long cluster, int count) {}

    private Allocator(Qcow2Header header, HostFile file, MetadataMap metadata, RefcountTable refcounts) {
        this.file = file;
        this.metadata = metadata;
        this.refcounts = refcounts;
        this.clusterBits = header.clusterBits();
        this.order = header.refcountOrder();
    }

    /** Reads the refcount table, and notes where it and its blocks lie. */
    static Allocator open(Qcow2Header header, HostFile file, HeaderFields fields, MetadataMap metadata)
            throws IOException {
        return new Allocator(header, file, metadata, RefcountTable.open(header, file, fields, metadata));
    }

    /** Notes that clusters are metadata; two tables in one place are refused. */
    void claim(long cluster, long count, MetadataMap.Kind kind) throws IOException {
        metadata.claim(cluster, count, kind);
    }

    /** Returns what a cluster holds if it is known to hold metadata, or null. */
    MetadataMap.@Nullable Kind metadataAt(long cluster) {
        return metadata.get(cluster);
    }

    /** Returns the largest refcount that the image can hold. */
    long max() {
        return order == 6 ? Long.MAX_VALUE : (1L << (1 << order)) - 1;
    }

    /** Returns the refcount of a cluster. */
    long refcount(long cluster) throws IOException {
        return refcounts.get(cluster);
    }

    /** Returns whether a cluster, or one behind it, has a refcount other than 0. */
    boolean isUsedFrom(long cluster) throws IOException {
        return refcounts.isUsedFrom(cluster);
    }

    /**
     * Allocates clusters that lie together, with a refcount of 1.
     *
     * @throws BlockIOException of kind {@code NO_SPACE} if the file cannot be that large
     */
    long allocate(int count) throws IOException {
        if (replacement == null && count > refcounts.firstOf(1) / 2) {
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
            long blockEnd = refcounts.firstOf(refcounts.blockOf(start) + 1);
            int run = 1;
            while (run < count && start + run < blockEnd && isFree(start + run)) {
                run++;
            }
            return new Run(take(start, run), run);
        }
    }

    /** Returns whether there are refcounts for all of these clusters; if not, they are made, and took some clusters. */
    private boolean hasBlocks(long start, int count) throws IOException {
        for (long block = refcounts.blockOf(start); block <= refcounts.blockOf(start + count - 1); block++) {
            if (!refcounts.hasBlock(block)) {
                makeBlock(block);
                return false;
            }
        }
        return true;
    }

    private void makeBlock(long block) throws IOException {
        if (block >= refcounts.length()) {
            growTable(block);
        } else {
            refcounts.addBlocks((int) block, 1);
        }
    }

    private void growTable(long neededBlock) throws IOException {
        long old = refcounts.offset() >>> clusterBits;
        long oldClusters = refcounts.clusters();
        refcounts.grow(neededBlock);
        add(old, oldClusters, -1);
    }

    /**
     * Allocates more clusters than there are between one block and the next: the blocks that describe them go in front of
     * them all.
     */
    private long allocateBehindBlocks(int count) throws IOException {
        int blocks = 1;
        while (refcounts.firstOf(blocks) < (long) blocks + count) {
            blocks++;
        }
        while (refcounts.usedLength() + blocks > refcounts.length()) {
            growTable((long) refcounts.usedLength() + blocks - 1);
        }
        int first = refcounts.usedLength();
        refcounts.addBlocks(first, blocks);
        return take(refcounts.firstOf(first) + blocks, count);
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
        if (cluster <= 0 || refcounts.blockOf(cluster + count - 1) > Integer.MAX_VALUE) {
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
        while (!refcounts.hasBlock(refcounts.blockOf(cluster))) {
            makeBlock(refcounts.blockOf(cluster));
        }
    }

    private void set(long cluster, long value) throws IOException {
        if (replacement != null) {
            move(refcounts.blockOf(cluster), replacement);
        }
        refcounts.put(cluster, value);
    }

    /** Returns whether refcounts are not in the file yet. */
    boolean isDirty() {
        return refcounts.isDirty();
    }

    /** Writes what is not in the file yet; making it durable is left to the caller. */
    void write() throws IOException {
        refcounts.write();
    }

    /** Returns whether so many refcounts wait that they should be written. */
    boolean isFull() {
        return refcounts.isFull();
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
        long old = refcounts.offset() >>> clusterBits;
        long oldClusters = refcounts.clusters();
        refcounts.beginReplacement(clusters);
        replacement = new Switch();
        int newClusters = refcounts.clusters();
        long place = allocate(newClusters);
        for (long i = place; i < place + newClusters; i++) {
            claimNew(i, MetadataMap.Kind.REFCOUNT_TABLE);
        }
        refcounts.placeReplacement(place << clusterBits);
        add(old, oldClusters, -1);
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
        if (block >= refcounts.length()) {
            throw new OverlapException(
                    file.name() + ": a refcount beyond the refcount table is needed for the cluster at "
                            + (refcounts.firstOf(block) << clusterBits) + "; nothing more is written");
        }
        int index = (int) block;
        if (!now.moved.add(index)) {
            return;
        }
        long place = firstFree();
        now.taken.add(place);
        long old = refcounts.moveBlock(index, place << clusterBits);
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
        refcounts.writeReplacement();
    }

    /** The header names the new refcounts, durably: what was released is free. */
    void finishSwitch() throws IOException {
        Switch done = requireNonNull(replacement);
        done.released.forEach(cluster -> {
            metadata.remove(cluster);
            firstFree = Math.min(firstFree, cluster);
        });
        replacement = null;
        refcounts.finishReplacement();
    }

    /** Goes back to the refcounts in the file. */
    void abandonSwitch() {
        Switch failed = replacement;
        if (failed == null) {
            return;
        }
        refcounts.abandonReplacement();
        failed.claimed.forEach(metadata::remove);
        replacement = null;
        firstFree = 1;
    }

    long tableOffset() {
        return refcounts.offset();
    }

    int tableClusters() {
        return refcounts.clusters();
    }
}
