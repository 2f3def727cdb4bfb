package dev.platter.qcow2;

import java.io.IOException;

/**
 * Where compressed clusters get their place in the file: one behind the other, byte by byte, each of which counts once in
 * the refcount of every host cluster that it touches. Guarded by whoever changes tables.
 *
 * <p>What is appended to a host cluster must never land in one that was given to somebody else: a host cluster whose
 * compressed clusters have all been freed is free too. So the allocator {@linkplain Allocator#watch watches} the last one.
 */
final class CompressedSpace {
    /** Returned where no entry could say the place. */
    static final long NONE = -1;

    private final Allocator allocator;
    private final int clusterBits;
    private final long limit;

    /** Where the last compressed cluster ends. */
    private long end;

    CompressedSpace(Qcow2Header header, Allocator allocator) {
        this.allocator = allocator;
        this.clusterBits = header.clusterBits();
        this.limit = CompressedClusters.hostOffsetLimit(clusterBits);
    }

    /**
     * Takes the place of a compressed cluster.
     *
     * @param length bytes, fewer than a cluster has
     * @return its host offset, or {@link #NONE}
     */
    long take(int length) throws IOException {
        long last = (end - 1) >>> clusterBits;
        int used = (int) end & ((1 << clusterBits) - 1);
        boolean open = used > 0 && allocator.isWatched(last) && allocator.refcount(last) < allocator.max();
        long host = end;
        if (open && used + length <= 1 << clusterBits) {
            allocator.add(last, 1, 1);
        } else {
            long next = allocator.allocate(1);
            if (open && next == last + 1) {
                addOrGiveBack(last, next);
            } else {
                host = next << clusterBits;
            }
        }
        if (host >= limit) {
            giveBack(host, length);
            return NONE;
        }
        end = host + length;
        allocator.watch((end - 1) >>> clusterBits);
        return host;
    }

    private void addOrGiveBack(long last, long next) throws IOException {
        boolean added = false;
        try {
            allocator.add(last, 1, 1);
            added = true;
        } finally {
            if (!added) {
                allocator.add(next, 1, -1);
            }
        }
    }

    /** Takes back a place that nothing refers to, in memory or in the file. */
    void giveBack(long host, int length) throws IOException {
        end = 0;
        long first = host >>> clusterBits;
        allocator.add(first, ((host + length - 1) >>> clusterBits) - first + 1, -1);
    }
}
