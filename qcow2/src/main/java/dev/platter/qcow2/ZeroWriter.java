package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.NotFasterException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Zeroes and discards ranges of the guest's disk, by entries where an entry can say it. Safe for many threads. What becomes
 * of which entry is as in qemu: block/qcow2-cluster.c, zero_in_l2_slice and discard_in_l2_slice.
 */
final class ZeroWriter {
    private static final int SUBCLUSTERS = SubclusterWriter.SUBCLUSTERS;
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 << 10).asReadOnlyBuffer();

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final ClusterMapper mapper;
    private final TableWriter tables;
    private final ClusterWriter clusters;
    private final @Nullable BlockDevice backing;
    private final int clusterSize;

    ZeroWriter(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            ClusterMapper mapper,
            TableWriter tables,
            ClusterWriter clusters,
            @Nullable BlockDevice backing) {
        this.header = header;
        this.file = file;
        this.dataFile = dataFile;
        this.mapper = mapper;
        this.tables = tables;
        this.clusters = clusters;
        this.backing = backing;
        this.clusterSize = header.clusterSize();
    }

    void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        long end = offset + length;
        long border = header.isExtendedL2() ? clusterSize / SUBCLUSTERS : clusterSize;
        long from = offset + border - 1 & -border;
        long to = end == header.size() ? end + border - 1 & -border : end & -border;
        boolean byEntries = header.version() >= 3 || backing == null;
        if (!byEntries || from >= to) {
            writeZeroBytes(offset, end, border, mode);
            return;
        }
        if (mode.isFast()) {
            requireFast(offset, Math.min(from, end));
            requireFast(Math.min(to, end), end);
        }
        writeZeroBytes(offset, from, border, mode);
        for (long at = from; at < to; ) {
            at = changeEntries(at, to, mode.mayUnmap());
        }
        if (to < end) {
            writeZeroBytes(to, end, border, mode);
        }
    }

    /** Makes whole clusters, or subclusters of one, read as zeros, also behind the end of the disk; version 3 only. */
    void zeroClusters(long from, long to) throws IOException {
        for (long at = from; at < to; ) {
            at = changeEntries(at, to, false);
        }
    }

    private void requireFast(long from, long to) throws IOException {
        if (from < to && !clusters.isZero(from, to - from)) {
            throw new NotFasterException(file.name());
        }
    }

    /** Zeros less than a cluster: by its entry if the rest of it is zeros too, else by writing. */
    private void writeZeroBytes(long from, long end, long border, ZeroMode mode) throws IOException {
        for (long at = from; at < end; ) {
            long stop = Math.min(end, (at & -border) + border);
            if (!zeroAround(at, stop, border, mode)) {
                if (mode.isFast()) {
                    requireFast(at, stop);
                } else {
                    writeZeros(at, stop);
                }
            }
            at = stop;
        }
    }

    /** Zeros a whole cluster of which some is to be zeroed, if all of it is zeros then; nobody writes there meanwhile. */
    private boolean zeroAround(long at, long stop, long border, ZeroMode mode) throws IOException {
        boolean byEntries = header.version() >= 3 || backing == null;
        long first = at & -border;
        long last = Math.min(first + border, header.size());
        tables.changing.lock();
        try {
            if (!byEntries
                    || !hasNoData(first)
                    || !clusters.isZero(first, at - first)
                    || !clusters.isZero(stop, last - stop)) {
                return false;
            }
            changeEntries(first, first + border, mode.mayUnmap());
            return true;
        } finally {
            tables.changing.unlock();
        }
    }

    private boolean hasNoData(long at) throws IOException {
        long entry = mapper.lookup(at);
        if (L2Entry.isCompressed(entry)) {
            return false;
        }
        int kind = L2Entry.kind(entry);
        if (kind == L2Entry.SUBCLUSTERS || kind == L2Entry.BARE_SUBCLUSTERS) {
            int subcluster = ((int) at & (clusterSize - 1)) / (clusterSize / SUBCLUSTERS);
            return L2Entry.subclusterKind(mapper.subclusters(at), subcluster) != L2Entry.DATA;
        }
        return kind == L2Entry.UNALLOCATED || kind == L2Entry.ZERO || kind == L2Entry.ZERO_ALLOCATED;
    }

    /** Returns whether a discard changes anything. */
    boolean discards() {
        // else it would come to light what lies below, or the raw file would not be the disk any more
        return (header.version() >= 3 || backing == null) && !tables.isRawDataFile();
    }

    void discard(long offset, long length) throws IOException {
        if (!discards()) {
            tables.requireWhole();
            return;
        }
        long end = offset + length;
        long to = end == header.size() ? end + clusterSize - 1 & -clusterSize : end & -clusterSize;
        for (long at = offset + clusterSize - 1 & -clusterSize; at < to; ) {
            at = discardEntries(at, to);
        }
    }

    /** Makes entries say zero, up to the end of a slice; returns how far. */
    private long changeEntries(long at, long to, boolean unmap) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            if (header.version() < 3) {
                // it has no entries that say zero, but where nothing lies below, none is as good
                return discardHeld(at, to);
            }
            long stop = Math.min(to, mapper.sliceEnd(at));
            tables.ensureTable(at);
            tables.bitmaps.record(at, stop - at);
            long position = at;
            while (position < stop) {
                long clusterEnd = Math.min(stop, (position & -clusterSize) + clusterSize);
                if (!zeroEntry(position, clusterEnd, unmap)) {
                    writeZeros(position, Math.min(clusterEnd, header.size()));
                }
                position = clusterEnd;
            }
            tables.writeBackIfMany();
            return stop;
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    private void writeZeros(long at, long end) throws IOException {
        ByteBuffer zeros = ZEROS.duplicate();
        for (long done = at; done < end; done += zeros.limit()) {
            zeros.clear().limit((int) Math.min(zeros.capacity(), end - done));
            clusters.write(done, zeros);
        }
    }

    /** Makes one cluster, or some of its subclusters, read as zeros; returns false where an entry cannot say so. */
    private boolean zeroEntry(long at, long end, boolean unmap) throws IOException {
        long first = at & -clusterSize;
        long entry = mapper.lookup(first);
        tables.requireWritable(first, entry);
        if (tables.isRawDataFile()) {
            dataFile.storage().writeZeroes(at, Math.min(end, header.size()) - at, unmapMode(unmap));
        }
        boolean wholeCluster = at == first && end == first + clusterSize;
        if (wholeCluster) {
            boolean compressedNow = L2Entry.isCompressed(entry);
            boolean drop = compressedNow || unmap;
            if (!compressedNow && L2Entry.kind(entry) == L2Entry.ZERO) {
                return true;
            }
            boolean hasPlace = !compressedNow && tables.hasPlace(entry);
            long zero = drop || !hasPlace
                    ? L2Entry.ZERO
                    : (entry & (L2Entry.OFFSET_MASK | L2Entry.COPIED)) | L2Entry.ZERO_ALLOCATED;
            if (zero != entry) {
                tables.change(first, zero, header.isExtendedL2() ? SubclusterWriter.ALL_ZERO : 0);
                if (drop) {
                    tables.free(entry);
                }
            }
            return true;
        }
        if (L2Entry.isCompressed(entry)) {
            return false;
        }
        long bitmap = SubclusterWriter.bitmapOf(mapper, first, entry);
        long touched = SubclusterWriter.bits(first, at, end, clusterSize / SUBCLUSTERS);
        long changed = (bitmap & ~touched) | touched << 32;
        long stored = entry & (L2Entry.OFFSET_MASK | L2Entry.COPIED);
        tables.change(first, L2Entry.compactExtended(stored, changed, header, L2Entry.COPIED), changed);
        return true;
    }

    private static ZeroMode unmapMode(boolean unmap) {
        return unmap ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATION;
    }

    private long discardEntries(long at, long to) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            return discardHeld(at, to);
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    private long discardHeld(long at, long to) throws IOException {
        if (backing == null) {
            long empty = mapper.runEnd(at, to, L2Entry.UNALLOCATED);
            if (empty > at) {
                return Math.min(empty, to);
            }
        }
        long stop = Math.min(to, mapper.sliceEnd(at));
        tables.ensureTable(at);
        tables.bitmaps.record(at, stop - at);
        for (long position = at; position < stop; position += clusterSize) {
            long entry = mapper.lookup(position);
            tables.requireWritable(position, entry);
            boolean allocated = L2Entry.isCompressed(entry) || tables.hasPlace(entry);
            long zero = header.version() >= 3 ? L2Entry.ZERO : L2Entry.UNALLOCATED;
            if ((allocated || backing != null) && entry != zero) {
                tables.change(position, zero, header.isExtendedL2() ? SubclusterWriter.ALL_ZERO : 0);
                tables.free(entry);
            }
        }
        tables.writeBackIfMany();
        return stop;
    }
}
