package dev.platter.qcow2;

import dev.platter.core.DirectBufferPool;
import dev.platter.core.Extent;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Writes the guest's bytes into clusters, new ones where there are none. Safe for many threads. */
final class ClusterWriter {
    private static final int MIN_BOUNCE = 64 << 10;

    private final Qcow2Header header;
    private final HostFile dataFile;
    private final ClusterMapper mapper;
    private final ClusterReader reader;
    private final TableWriter tables;
    private final SubclusterWriter subclusters;
    private final int clusterBits;
    private final int clusterSize;
    private final boolean ownDataFile;
    private final DirectBufferPool bounces;

    ClusterWriter(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            ClusterMapper mapper,
            ClusterReader reader,
            TableWriter tables) {
        this.header = header;
        this.dataFile = dataFile;
        this.mapper = mapper;
        this.reader = reader;
        this.tables = tables;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.ownDataFile = dataFile != file;
        this.bounces = new DirectBufferPool(Math.max(MIN_BOUNCE, clusterSize));
        this.subclusters = new SubclusterWriter(header, dataFile, ownDataFile, mapper, reader, tables, this, bounces);
    }

    void read(long offset, ByteBuffer into) throws IOException {
        long stamp = tables.placed.readLock();
        try {
            reader.read(offset, into);
        } finally {
            tables.placed.unlockRead(stamp);
        }
    }

    void write(long offset, ByteBuffer from) throws IOException {
        if (from.hasRemaining()) {
            tables.announce();
        }
        int limit = from.limit();
        long at = offset;
        while (from.position() < limit) {
            int written = writeInPlace(at, from);
            if (written == 0) {
                written = writeAllocating(at, from);
            }
            at += written;
        }
    }

    /** Writes to clusters that are there and belong to the disk alone; returns how many bytes, 0 if the first is none. */
    private int writeInPlace(long at, ByteBuffer from) throws IOException {
        tables.requireWhole();
        int limit = from.limit();
        long stamp = tables.placed.readLock();
        try {
            long entry = mapper.lookup(at);
            if (!TableWriter.isInPlace(entry)) {
                return 0;
            }
            int inCluster = (int) at & (clusterSize - 1);
            int run = runInPlace(at, inCluster, entry, from.remaining());
            long host = L2Entry.offset(entry) + inCluster;
            tables.requireData(host, run);
            tables.bitmaps.record(at, run);
            from.limit(from.position() + run);
            dataFile.write(host, from);
            return run;
        } finally {
            tables.placed.unlockRead(stamp);
            from.limit(limit);
        }
    }

    private int runInPlace(long at, int inCluster, long entry, int wanted) throws IOException {
        int first = Math.min(wanted, clusterSize - inCluster);
        return first == wanted ? wanted : reader.extendRun(at, first, wanted, entry);
    }

    /** Writes what needs clusters, up to where the slice of the L2 table or the run of such clusters ends. */
    private int writeAllocating(long at, ByteBuffer from) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            long entry = mapper.lookup(at);
            if (TableWriter.isInPlace(entry)) {
                // another thread was here
                return 0;
            }
            tables.requireWritable(at, entry);
            tables.ensureTable(at);
            tables.bitmaps.record(at, Math.min(from.remaining(), mapper.sliceEnd(at) - at));
            int done;
            if (header.isExtendedL2()) {
                done = subclusters.write(at, entry, from);
            } else if (entry < 0 && L2Entry.kind(entry) == L2Entry.ZERO_ALLOCATED) {
                done = reuse(at, entry, from);
            } else {
                done = writeNew(at, from);
            }
            tables.writeBackIfMany();
            return done;
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    /** Writes to a run of clusters that get a place, as far as free clusters lie together. */
    private int writeNew(long at, ByteBuffer from) throws IOException {
        long first = at & -clusterSize;
        long wanted = at + from.remaining();
        int clusters = 1;
        long end = Math.min(wanted, mapper.sliceEnd(at));
        while (first + ((long) clusters << clusterBits) < end
                && needsCluster(mapper.lookup(first + ((long) clusters << clusterBits)))) {
            clusters++;
        }
        long fresh = dataFile.fileSize();
        long host;
        if (ownDataFile) {
            host = first;
        } else {
            Allocator.Run run = tables.allocator.allocateUpTo(clusters);
            clusters = run.count();
            host = run.cluster() << clusterBits;
        }
        int length = (int) (Math.min(wanted, first + ((long) clusters << clusterBits)) - at);
        int mapped = 0;
        try {
            tables.needBarrier();
            writeAround(first, at, length, host, clusters, host >= fresh, from);
            while (mapped < clusters) {
                long guest = first + ((long) mapped << clusterBits);
                long old = mapper.lookup(guest);
                mapper.set(guest, host + ((long) mapped << clusterBits) | L2Entry.DATA | L2Entry.COPIED, 0);
                mapped++;
                tables.free(old);
            }
        } catch (IOException | RuntimeException e) {
            tables.giveBack(host + ((long) mapped << clusterBits), clusters - mapped);
            throw e;
        }
        return length;
    }

    private boolean needsCluster(long entry) {
        if (L2Entry.isCompressed(entry)) {
            return true;
        }
        return switch (L2Entry.kind(entry)) {
            case L2Entry.UNALLOCATED, L2Entry.ZERO -> true;
            case L2Entry.DATA, L2Entry.ZERO_ALLOCATED -> entry >= 0;
            default -> false;
        };
    }

    /**
     * Writes the guest's bytes into clusters that nothing refers to yet, with what the guest had before in front of them
     * and behind, in one write where that is small.
     *
     * @param fresh the place was never written, and is zeros
     */
    private void writeAround(long first, long at, int length, long host, int clusters, boolean fresh, ByteBuffer from)
            throws IOException {
        long last = first + ((long) clusters << clusterBits);
        long guestEnd = Math.min(last, header.size());
        int head = (int) (at - first);
        int tail = (int) Math.max(0, guestEnd - (at + length));
        int padding = (int) (last - Math.max(guestEnd, at + length));
        boolean headNeeded = head > 0 && !(fresh && isZero(first, head));
        boolean tailNeeded = tail > 0 && !(fresh && isZero(at + length, tail));
        boolean paddingNeeded = padding > 0 && !fresh;
        if (!headNeeded && !tailNeeded && !paddingNeeded) {
            writeData(host + head, length, from);
            return;
        }
        int total = (headNeeded ? head : 0) + length + (tailNeeded || paddingNeeded ? tail + padding : 0);
        ByteBuffer bounce = bounces.take();
        try {
            if (total <= bounce.capacity()) {
                long start = host + (headNeeded ? 0 : head);
                if (headNeeded) {
                    reader.read(first, bounce.limit(head));
                }
                bounce.limit(bounce.position() + length);
                int limit = from.limit();
                bounce.put(from.limit(from.position() + length));
                from.limit(limit);
                if (tailNeeded || paddingNeeded) {
                    reader.read(at + length, bounce.limit(bounce.position() + tail));
                    HostFile.fillZeros(bounce.limit(bounce.position() + padding), padding);
                }
                dataFile.write(start, bounce.flip());
                return;
            }
            if (headNeeded) {
                reader.read(first, bounce.limit(head));
                dataFile.write(host, bounce.flip());
            }
            if (tailNeeded || paddingNeeded) {
                bounce.clear().limit(tail);
                reader.read(at + length, bounce);
                HostFile.fillZeros(bounce.limit(tail + padding), padding);
                dataFile.write(host + head + length, bounce.flip());
            }
            writeData(host + head, length, from);
        } finally {
            bounces.give(bounce);
        }
    }

    void writeData(long host, int length, ByteBuffer from) throws IOException {
        int limit = from.limit();
        from.limit(from.position() + length);
        try {
            dataFile.write(host, from);
        } finally {
            from.limit(limit);
        }
    }

    /** Returns whether nothing but zeros can be read there, without reading it. */
    boolean isZero(long offset, long length) throws IOException {
        boolean[] zero = {true};
        reader.extents(offset, length, (at, run, facts, depth, below, belowOffset) -> {
            zero[0] = (facts & Extent.READS_AS_ZERO) != 0;
            return zero[0];
        });
        return zero[0];
    }

    /** Writes to a cluster that reads as zeros and has a place of its own: the rest of the place becomes zeros. */
    private int reuse(long at, long entry, ByteBuffer from) throws IOException {
        long first = at & -clusterSize;
        int length = (int) Math.min(from.remaining(), first + clusterSize - at);
        long host = L2Entry.offset(entry);
        tables.requireData(host, clusterSize);
        tables.needBarrier();
        writeAround(first, at, length, host, 1, false, from);
        mapper.set(first, host | L2Entry.DATA | L2Entry.COPIED, 0);
        return length;
    }
}
