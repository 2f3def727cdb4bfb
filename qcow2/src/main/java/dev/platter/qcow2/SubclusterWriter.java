package dev.platter.qcow2;

import dev.platter.core.DirectBufferPool;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes the guest's bytes in images with subclusters, of which each is there or not. Guarded by whoever changes tables.
 * Source: qcow2.rst, "Extended L2 Entries".
 */
final class SubclusterWriter {
    static final int SUBCLUSTERS = 32;
    static final long ALL_ALLOCATED = 0xffff_ffffL;
    static final long ALL_ZERO = ALL_ALLOCATED << 32;

    private final Qcow2Header header;
    private final HostFile dataFile;
    private final boolean ownDataFile;
    private final ClusterMapper mapper;
    private final ClusterReader reader;
    private final TableWriter tables;
    private final ClusterWriter clusters;
    private final DirectBufferPool bounces;
    private final int clusterBits;
    private final int clusterSize;

    SubclusterWriter(
            Qcow2Header header,
            HostFile dataFile,
            boolean ownDataFile,
            ClusterMapper mapper,
            ClusterReader reader,
            TableWriter tables,
            ClusterWriter clusters,
            DirectBufferPool bounces) {
        this.header = header;
        this.dataFile = dataFile;
        this.ownDataFile = ownDataFile;
        this.mapper = mapper;
        this.reader = reader;
        this.tables = tables;
        this.clusters = clusters;
        this.bounces = bounces;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
    }

    /** Writes to one cluster of an image with subclusters. */
    int write(long at, long entry, ByteBuffer from) throws IOException {
        long first = at & -clusterSize;
        int length = (int) Math.min(from.remaining(), first + clusterSize - at);
        long bitmap = mapper.subclusters(at);
        int kind = L2Entry.isCompressed(entry) ? L2Entry.DATA : L2Entry.kind(entry);
        boolean hasPlace = (!L2Entry.isCompressed(entry) && L2Entry.offset(entry) != 0)
                || (ownDataFile && kind == L2Entry.SUBCLUSTERS);
        boolean own = hasPlace && entry < 0;
        if (kind == L2Entry.ZERO_ALLOCATED || kind == L2Entry.ZERO) {
            bitmap = ALL_ZERO;
        } else if (kind == L2Entry.DATA) {
            bitmap = ALL_ALLOCATED;
        }
        int subclusterSize = clusterSize / SUBCLUSTERS;
        // what somebody else still refers to is copied whole; else up to the borders of subclusters
        boolean whole = !own && (bitmap & ALL_ALLOCATED) != 0;
        long from0 = whole ? first : at & -subclusterSize;
        long to0 = whole ? first + clusterSize : at + length + subclusterSize - 1 & -subclusterSize;
        long fresh = dataFile.fileSize();
        long host = own ? L2Entry.offset(entry) : ownDataFile ? first : tables.allocator.allocate(1) << clusterBits;
        tables.needBarrier();
        long touched = whole ? ALL_ALLOCATED : bits(first, at & -subclusterSize, at + length, subclusterSize);
        long changed = (bitmap | touched) & ~(touched << 32);
        long compact = L2Entry.compactExtended(host | L2Entry.COPIED, changed, header, L2Entry.COPIED);
        try {
            if (own) {
                tables.requireData(host, clusterSize);
            }
            from0 = own ? withoutAllocated(first, from0, at, bitmap, true) : from0;
            to0 = own ? withoutAllocated(first, at + length, to0, bitmap, false) : to0;
            writeBetween(first, from0, to0, at, length, host, !own && host >= fresh, from);
            tables.change(first, compact, changed);
        } catch (IOException | RuntimeException e) {
            if (!own) {
                tables.giveBack(host, 1);
            }
            throw e;
        }
        if (!own) {
            tables.free(entry);
        }
        return length;
    }

    /** Leaves out of the bytes around a write those in a subcluster that has data: they stay as they are. */
    private long withoutAllocated(long first, long from, long to, long bitmap, boolean head) {
        if (from >= to) {
            return head ? from : to;
        }
        int subcluster = (int) ((from - first) / (clusterSize / SUBCLUSTERS));
        boolean allocated = L2Entry.subclusterKind(bitmap, subcluster) == L2Entry.DATA;
        return head ? (allocated ? to : from) : (allocated ? from : to);
    }

    static long bits(long first, long from, long to, int subclusterSize) {
        int start = (int) ((from - first) / subclusterSize);
        int end = (int) ((to - first + subclusterSize - 1) / subclusterSize);
        return (1L << end) - (1L << start);
    }

    /** As around new clusters, up to borders inside one cluster. */
    private void writeBetween(
            long first, long start, long end, long at, int length, long host, boolean fresh, ByteBuffer from)
            throws IOException {
        long guestEnd = Math.min(end, header.size());
        int head = (int) (at - start);
        int tail = (int) Math.max(0, guestEnd - (at + length));
        int padding = (int) (end - Math.max(guestEnd, at + length));
        boolean headNeeded = head > 0 && !(fresh && clusters.isZero(start, head));
        boolean tailNeeded = (tail > 0 && !(fresh && clusters.isZero(at + length, tail))) || (padding > 0 && !fresh);
        long place = host + (start - first);
        if (!headNeeded && !tailNeeded) {
            clusters.writeData(place + head, length, from);
            return;
        }
        ByteBuffer bounce = bounces.take();
        try {
            reader.read(start, bounce.limit(head));
            int limit = from.limit();
            bounce.limit(head + length).put(from.limit(from.position() + length));
            from.limit(limit);
            reader.read(at + length, bounce.limit(head + length + tail));
            HostFile.fillZeros(bounce.limit(head + length + tail + padding), padding);
            dataFile.write(place, bounce.flip());
        } finally {
            bounces.give(bounce);
        }
    }

    static long bitmapOf(ClusterMapper mapper, long at, long entry) throws IOException {
        return switch (L2Entry.kind(entry)) {
            case L2Entry.ZERO, L2Entry.ZERO_ALLOCATED -> ALL_ZERO;
            case L2Entry.DATA -> ALL_ALLOCATED;
            default -> mapper.subclusters(at);
        };
    }
}
