package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.DiskImageException;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.LimitExceededException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/** Reads the guest's disk as one L1 table maps it: the active one or a snapshot's. Ranges are checked by the caller. */
final class ClusterReader {
    private static final int SUBCLUSTERS = 32;
    private static final int COPY_BYTES = 256 << 10;

    private final Qcow2Header header;
    private final ClusterMapper mapper;
    private final HostFile dataFile;
    private final CompressedClusters compressed;
    private final BackingLayer backing;
    private final long walkBytes;
    private final int clusterSize;
    private final int clusterBits;

    /** What lies below, and why not if it cannot be read. */
    record BackingLayer(
            @Nullable BlockDevice device, @Nullable DiskImageException problem) {}

    /**
     * Makes a reader.
     *
     * @param walkBytes bytes of tables that one walk over extents may load
     */
    ClusterReader(
            Qcow2Header header,
            ClusterMapper mapper,
            HostFile dataFile,
            CompressedClusters compressed,
            BackingLayer backing,
            long walkBytes) {
        this.header = header;
        this.mapper = mapper;
        this.dataFile = dataFile;
        this.compressed = compressed;
        this.backing = backing;
        this.walkBytes = walkBytes;
        this.clusterSize = header.clusterSize();
        this.clusterBits = header.clusterBits();
    }

    void read(long offset, ByteBuffer into) throws IOException {
        int limit = into.limit();
        long at = offset;
        while (into.position() < limit) {
            long entry = mapper.lookup(at);
            int inCluster = (int) at & (clusterSize - 1);
            int run = Math.min(limit - into.position(), clusterSize - inCluster);
            if (!L2Entry.isCompressed(entry) && L2Entry.kind(entry) <= L2Entry.DATA) {
                run = extendRun(at, run, limit - into.position(), entry);
            }
            into.limit(into.position() + run);
            try {
                readRun(at, inCluster, entry, into);
            } finally {
                into.limit(limit);
            }
            at += run;
        }
    }

    /** Hands a range to a channel: plain clusters straight from the file, all else by way of a buffer. */
    void transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        ByteBuffer buffer = null;
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long entry = mapper.lookup(at);
            int inCluster = (int) at & (clusterSize - 1);
            int wanted = (int) Math.min(end - at, 1 << 30);
            int run = Math.min(wanted, clusterSize - inCluster);
            if (!L2Entry.isCompressed(entry) && L2Entry.kind(entry) <= L2Entry.DATA) {
                run = extendRun(at, run, wanted, entry);
            }
            long sent = transferRun(at, L2Entry.offset(entry) + inCluster, entry, run, to);
            if (sent == 0) {
                if (buffer == null) {
                    buffer = DirectBuffers.allocate((int) Math.min(COPY_BYTES, length));
                }
                sent = Math.min(run, buffer.capacity());
                buffer.clear().limit((int) sent);
                read(at, buffer);
                buffer.flip();
                while (buffer.hasRemaining()) {
                    to.write(buffer);
                }
            }
            at += sent;
        }
    }

    /** Returns how much of a run went without being copied. */
    private long transferRun(long at, long hostOffset, long entry, int run, WritableByteChannel to) throws IOException {
        if (L2Entry.isCompressed(entry) || header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
            return 0;
        }
        if (L2Entry.kind(entry) == L2Entry.DATA) {
            return dataFile.transferClusters(hostOffset, run, to);
        }
        BlockDevice below = backing.device();
        if (L2Entry.kind(entry) != L2Entry.UNALLOCATED || below == null || at >= below.size()) {
            return 0;
        }
        return below.transferTo(at, Math.min(run, below.size() - at), to);
    }

    /** Adds the clusters that go on where this one ends, so that they are read in one piece. */
    int extendRun(long at, int first, int wanted, long entry) throws IOException {
        long step = L2Entry.step(entry, header);
        long expected = entry + step;
        long end = at + wanted;
        long stop = at + first;
        while (stop < end) {
            long next = mapper.runEnd(stop, end, expected);
            if (next == stop) {
                break;
            }
            expected += ((next - stop) >>> clusterBits) * step;
            stop = next;
        }
        return (int) (Math.min(stop, end) - at);
    }

    private void readRun(long at, int inCluster, long entry, ByteBuffer into) throws IOException {
        if (L2Entry.isCompressed(entry)) {
            if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
                // no writer makes both, so nobody knows what it would mean
                throw Encryption.unreadable(dataFile.name(), header, at);
            }
            compressed.read(entry, at - inCluster, inCluster, into);
            return;
        }
        switch (L2Entry.kind(entry)) {
            case L2Entry.DATA -> readData(at, L2Entry.offset(entry) + inCluster, into);
            case L2Entry.UNALLOCATED -> readBacking(at, into);
            case L2Entry.ZERO, L2Entry.ZERO_ALLOCATED -> HostFile.fillZeros(into, into.remaining());
            case L2Entry.SUBCLUSTERS, L2Entry.BARE_SUBCLUSTERS -> readSubclusters(at, inCluster, entry, into);
            case L2Entry.BEYOND_END -> readBeyondEnd(L2Entry.offset(entry), into);
            default -> throw invalid(at);
        }
    }

    private void readData(long at, long hostOffset, ByteBuffer into) throws IOException {
        if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
            throw Encryption.unreadable(dataFile.name(), header, at);
        }
        dataFile.readClusters(hostOffset, into);
    }

    private void readBacking(long at, ByteBuffer into) throws IOException {
        BlockDevice below = backing.device();
        if (below == null) {
            DiskImageException problem = backing.problem();
            if (problem != null) {
                throw Problems.copy(problem);
            }
            HostFile.fillZeros(into, into.remaining());
            return;
        }
        int limit = into.limit();
        int inside = (int) Math.max(0, Math.min(into.remaining(), below.size() - at));
        if (inside > 0) {
            into.limit(into.position() + inside);
            try {
                below.read(at, into);
            } finally {
                into.limit(limit);
            }
        }
        HostFile.fillZeros(into, into.remaining());
    }

    private void readSubclusters(long at, int inCluster, long entry, ByteBuffer into) throws IOException {
        long bitmap = mapper.subclusters(at);
        int limit = into.limit();
        int position = inCluster;
        while (into.position() < limit) {
            int kind = L2Entry.subclusterKind(bitmap, subcluster(position));
            int end = subclusterRunEnd(bitmap, kind, position);
            int run = Math.min(limit - into.position(), end - position);
            into.limit(into.position() + run);
            try {
                long guest = at + (position - inCluster);
                if (kind == L2Entry.DATA) {
                    readSubclusterData(guest, entry, position, into);
                } else if (kind == L2Entry.ZERO) {
                    HostFile.fillZeros(into, run);
                } else {
                    readBacking(guest, into);
                }
            } finally {
                into.limit(limit);
            }
            position += run;
        }
    }

    private void readSubclusterData(long at, long entry, int inCluster, ByteBuffer into) throws IOException {
        long cluster = L2Entry.offset(entry);
        if (dataFile.holds(cluster, 1)) {
            readData(at, cluster + inCluster, into);
        } else {
            readBeyondEnd(cluster, into);
        }
    }

    private int subcluster(int inCluster) {
        return inCluster / (clusterSize / SUBCLUSTERS);
    }

    /** Returns where the run of subclusters of one kind ends, in bytes from the beginning of the cluster. */
    private int subclusterRunEnd(long bitmap, int kind, int inCluster) {
        int next = subcluster(inCluster) + 1;
        while (next < SUBCLUSTERS && L2Entry.subclusterKind(bitmap, next) == kind) {
            next++;
        }
        return next * (clusterSize / SUBCLUSTERS);
    }

    private void readBeyondEnd(long hostOffset, ByteBuffer into) throws IOException {
        if (!dataFile.zerosFor("data cluster", hostOffset)) {
            throw dataFile.truncated("data cluster", hostOffset);
        }
        HostFile.fillZeros(into, into.remaining());
    }

    CorruptImageException invalid(long at) {
        return new CorruptImageException(dataFile.name() + ": the L2 entry of guest offset " + (at & -clusterSize)
                + " contradicts the format: its cluster is not aligned, or its flags exclude each other");
    }

    /** Reports the extents of a range; see {@link BlockDevice#extents}. */
    void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        ClusterMapper tables = mapper.forRange(length, walkBytes);
        new ExtentWalk(tables, visitor).walk(offset, offset + length);
    }

    private final class ExtentWalk {
        private final ClusterMapper tables;
        private final ExtentVisitor visitor;
        private final long[] entryAndBitmap = new long[2];

        ExtentWalk(ClusterMapper tables, ExtentVisitor visitor) {
            this.tables = tables;
            this.visitor = visitor;
        }

        void walk(long offset, long end) throws IOException {
            long at = offset;
            boolean goOn = true;
            while (at < end && goOn) {
                long entry;
                try {
                    entry = lookup(at);
                } catch (LimitExceededException e) {
                    throw e;
                } catch (DiskImageException e) {
                    long stop = Math.min(end, tables.tableEnd(at));
                    goOn = visitor.extent(at, stop - at, Extent.ALLOCATED | Extent.UNREADABLE, 0, null, -1);
                    at = stop;
                    continue;
                }
                long stop = Math.min(end, (at & -clusterSize) + clusterSize);
                if (L2Entry.isCompressed(entry)) {
                    int encrypted = header.cryptMethod() == Qcow2Header.CRYPT_NONE ? 0 : Extent.UNREADABLE;
                    int facts = Extent.ALLOCATED | Extent.COMPRESSED | encrypted;
                    goOn = visitor.extent(at, stop - at, facts, 0, null, -1);
                } else {
                    stop = L2Entry.kind(entry) <= L2Entry.ZERO_ALLOCATED ? runEnd(stop, end, entry) : stop;
                    goOn = report(at, stop, entry);
                }
                at = stop;
            }
        }

        /** Returns an entry; if its subclusters differ, their bitmap is that of the same moment. */
        private long lookup(long at) throws IOException {
            long entry = tables.lookup(at);
            if (L2Entry.isCompressed(entry) || L2Entry.kind(entry) < L2Entry.SUBCLUSTERS) {
                return entry;
            }
            tables.lookup(at, entryAndBitmap);
            return entryAndBitmap[0];
        }

        /** Returns where the run ends whose first cluster has an entry and ends at {@code first}. */
        private long runEnd(long first, long end, long entry) throws IOException {
            long step = L2Entry.step(entry, header);
            long expected = entry + step;
            long stop = first;
            try {
                while (stop < end) {
                    long next = tables.runEnd(stop, end, expected);
                    if (next == stop) {
                        return stop;
                    }
                    expected += ((next - stop) >>> clusterBits) * step;
                    stop = next;
                }
            } catch (LimitExceededException e) {
                throw e;
            } catch (DiskImageException e) {
                // reported where the next extent begins
                return stop;
            }
            return Math.min(stop, end);
        }

        private boolean report(long at, long stop, long entry) throws IOException {
            int inCluster = (int) at & (clusterSize - 1);
            long host = L2Entry.offset(entry) + inCluster;
            return switch (L2Entry.kind(entry)) {
                case L2Entry.DATA -> reportData(at, stop - at, host);
                case L2Entry.UNALLOCATED -> reportBacking(at, stop - at, -1);
                case L2Entry.ZERO ->
                    visitor.extent(at, stop - at, Extent.ALLOCATED | Extent.READS_AS_ZERO, 0, null, -1);
                case L2Entry.ZERO_ALLOCATED -> reportZeroWithSpace(at, stop - at, host);
                case L2Entry.SUBCLUSTERS, L2Entry.BARE_SUBCLUSTERS -> reportSubclusters(at, stop, entry);
                case L2Entry.BEYOND_END -> reportBeyondEnd(at, stop - at, L2Entry.offset(entry));
                default -> visitor.extent(at, stop - at, Extent.ALLOCATED | Extent.UNREADABLE, 0, null, -1);
            };
        }

        private boolean reportData(long at, long length, long host) throws IOException {
            if (dataFile.problem() != null) {
                return visitor.extent(at, length, Extent.ALLOCATED | Extent.UNREADABLE, 0, null, -1);
            }
            return header.cryptMethod() == Qcow2Header.CRYPT_NONE
                    ? visitor.extent(at, length, Extent.ALLOCATED, 0, dataFile, host)
                    : visitor.extent(at, length, Extent.ALLOCATED | Extent.ENCRYPTED | Extent.UNREADABLE, 0, null, -1);
        }

        private boolean reportBeyondEnd(long at, long length, long cluster) throws IOException {
            int facts = dataFile.zerosFor("data cluster", cluster) ? Extent.READS_AS_ZERO : Extent.UNREADABLE;
            return visitor.extent(at, length, Extent.ALLOCATED | facts, 0, null, -1);
        }

        private boolean reportZeroWithSpace(long at, long length, long host) throws IOException {
            int facts = Extent.ALLOCATED | Extent.READS_AS_ZERO;
            return header.cryptMethod() == Qcow2Header.CRYPT_NONE
                    ? visitor.extent(at, length, facts, 0, dataFile, host)
                    : visitor.extent(at, length, facts, 0, null, -1);
        }

        private boolean reportSubclusters(long at, long stop, long entry) throws IOException {
            long bitmap = entryAndBitmap[1];
            long cluster = L2Entry.kind(entry) == L2Entry.SUBCLUSTERS ? L2Entry.offset(entry) : -1;
            boolean inFile = cluster >= 0 && dataFile.holds(cluster, 1);
            boolean goOn = true;
            for (long position = at; position < stop && goOn; ) {
                int inCluster = (int) position & (clusterSize - 1);
                int kind = L2Entry.subclusterKind(bitmap, subcluster(inCluster));
                long length = Math.min(stop - position, subclusterRunEnd(bitmap, kind, inCluster) - inCluster);
                long host = cluster < 0 ? -1 : cluster + inCluster;
                if (kind == L2Entry.DATA) {
                    goOn = inFile ? reportData(position, length, host) : reportBeyondEnd(position, length, cluster);
                } else if (kind == L2Entry.UNALLOCATED) {
                    goOn = reportBacking(position, length, host);
                } else if (host >= 0) {
                    goOn = reportZeroWithSpace(position, length, host);
                } else {
                    goOn = visitor.extent(position, length, Extent.ALLOCATED | Extent.READS_AS_ZERO, 0, null, -1);
                }
                position += length;
            }
            return goOn;
        }

        /** Reports what lies below; where nothing does, space that is prepared at {@code host} is told (-1: none). */
        private boolean reportBacking(long at, long length, long host) throws IOException {
            BlockDevice below = backing.device();
            if (below == null && backing.problem() != null) {
                return visitor.extent(at, length, Extent.UNREADABLE, 1, null, -1);
            }
            long inside = below == null ? 0 : Math.max(0, Math.min(length, below.size() - at));
            boolean[] goOn = {true};
            if (below != null && inside > 0) {
                below.extents(at, inside, (position, run, facts, depth, holder, holderOffset) -> {
                    goOn[0] = visitor.extent(position, run, facts, depth + 1, holder, holderOffset);
                    return goOn[0];
                });
            }
            if (!goOn[0] || inside == length) {
                return goOn[0];
            }
            boolean space = host >= 0 && header.cryptMethod() == Qcow2Header.CRYPT_NONE;
            return visitor.extent(
                    at + inside,
                    length - inside,
                    Extent.READS_AS_ZERO,
                    0,
                    space ? dataFile : null,
                    space ? host + inside : -1);
        }
    }
}
