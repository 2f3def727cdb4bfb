package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.Extent;
import dev.platter.core.NotFasterException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/**
 * Writes the guest's disk. Safe for many threads.
 *
 * <p><b>Order.</b> What a crash may leave is a cluster that nobody uses, never one that somebody uses and nobody counted.
 * Guest bytes and refcounts go to the file first; then, behind a barrier, the L2 and L1 entries that refer to them; and
 * clusters that lost their last reference are free only behind another barrier. Until {@link #flush()}, entries are kept
 * in memory ({@link TableEdits}), so that a flush takes two barriers whatever was written, one if nothing was allocated.
 *
 * <p><b>Locks.</b> {@code changing} is held by whoever changes tables, while it writes the guest's bytes too. {@code
 * placed} is held, shared, by whoever knows where a cluster lies and reads or writes it there; that nobody knows it any
 * more is waited for before a cluster is given to somebody else. Writes to clusters that are there take only the second.
 */
final class ClusterWriter {
    private static final int SUBCLUSTERS = 32;
    private static final long ALL_ALLOCATED = 0xffff_ffffL;
    private static final long ALL_ZERO = ALL_ALLOCATED << 32;
    private static final int MIN_BOUNCE = 64 << 10;

    /** Edits that wait in memory are written when they are so many: 8 MiB. */
    private static final int MAX_EDITED_SLICES = 512;

    private static final ByteBuffer ZEROS =
            ByteBuffer.allocateDirect(64 << 10).asReadOnlyBuffer();

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final ClusterMapper mapper;
    private final ClusterReader reader;
    private final CompressedClusters compressed;
    private final Allocator allocator;
    private final MetadataMap metadata;
    private final HeaderFields fields;
    private final @Nullable BlockDevice backing;
    private final int clusterBits;
    private final int clusterSize;
    private final boolean ownDataFile;

    private final ReentrantLock changing = new ReentrantLock();
    private final StampedLock placed = new StampedLock();
    private final BufferPool bounces;
    private final Freed freed = new Freed();

    /** Something was written that entries in memory refer to. */
    private boolean barrierNeeded;

    private volatile boolean announced;
    private volatile @Nullable CorruptImageException broken;

    /** Clusters that lost a reference, which is still in the file. */
    private static final class Freed {
        private long[] runs = new long[64];
        private int used;
        private boolean hadCompressed;

        void add(long cluster, long count) {
            if (used > 0 && runs[used - 2] + runs[used - 1] == cluster) {
                runs[used - 1] += count;
                return;
            }
            if (used == runs.length) {
                runs = Arrays.copyOf(runs, 2 * used);
            }
            runs[used++] = cluster;
            runs[used++] = count;
        }

        boolean isEmpty() {
            return used == 0;
        }
    }

    ClusterWriter(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            ClusterMapper mapper,
            ClusterReader reader,
            CompressedClusters compressed,
            Allocator allocator,
            MetadataMap metadata,
            HeaderFields fields,
            @Nullable BlockDevice backing) {
        this.header = header;
        this.file = file;
        this.dataFile = dataFile;
        this.mapper = mapper;
        this.reader = reader;
        this.compressed = compressed;
        this.allocator = allocator;
        this.metadata = metadata;
        this.fields = fields;
        this.backing = backing;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.ownDataFile = dataFile != file;
        this.bounces = new BufferPool(Math.max(MIN_BOUNCE, clusterSize));
    }

    void read(long offset, ByteBuffer into) throws IOException {
        long stamp = placed.readLock();
        try {
            reader.read(offset, into);
        } finally {
            placed.unlockRead(stamp);
        }
    }

    void write(long offset, ByteBuffer from) throws IOException {
        if (!announced && from.hasRemaining()) {
            announce();
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
        requireWhole();
        int limit = from.limit();
        long stamp = placed.readLock();
        try {
            long entry = mapper.lookup(at);
            if (!isInPlace(entry)) {
                return 0;
            }
            int inCluster = (int) at & (clusterSize - 1);
            int run = runInPlace(at, inCluster, entry, from.remaining());
            long host = L2Entry.offset(entry) + inCluster;
            requireData(host, run);
            from.limit(from.position() + run);
            dataFile.write(host, from);
            return run;
        } finally {
            placed.unlockRead(stamp);
            from.limit(limit);
        }
    }

    private int runInPlace(long at, int inCluster, long entry, int wanted) throws IOException {
        int first = Math.min(wanted, clusterSize - inCluster);
        return first == wanted ? wanted : reader.extendRun(at, first, wanted, entry);
    }

    private static boolean isInPlace(long entry) {
        return entry < 0 && !L2Entry.isCompressed(entry) && L2Entry.kind(entry) == L2Entry.DATA;
    }

    /** Data never go where the image keeps its tables, whatever an L2 entry says. */
    private void requireData(long host, long length) throws IOException {
        if (ownDataFile) {
            return;
        }
        for (long cluster = host >>> clusterBits; cluster <= (host + length - 1) >>> clusterBits; cluster++) {
            MetadataMap.Kind kind = metadata.get(cluster);
            if (kind != null) {
                throw breakOff(new OverlapException(file.name() + ": an L2 entry has guest data at "
                        + (cluster << clusterBits) + ", where " + kind
                        + " is: the image is damaged and marked so, nothing more is written"));
            }
        }
    }

    /** Writes what needs clusters, up to where the slice of the L2 table or the run of such clusters ends. */
    private int writeAllocating(long at, ByteBuffer from) throws IOException {
        changing.lock();
        try {
            begin();
            long entry = mapper.lookup(at);
            if (isInPlace(entry)) {
                // another thread was here
                return 0;
            }
            requireWritable(at, entry);
            ensureTable(at);
            int done;
            if (header.isExtendedL2()) {
                done = writeSubclusters(at, entry, from);
            } else if (entry < 0 && L2Entry.kind(entry) == L2Entry.ZERO_ALLOCATED) {
                done = reuse(at, entry, from);
            } else {
                done = writeNew(at, from);
            }
            writeBackIfMany();
            return done;
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    private void requireWritable(long at, long entry) throws IOException {
        if (L2Entry.isCompressed(entry)) {
            return;
        }
        int kind = L2Entry.kind(entry);
        if (kind == L2Entry.INVALID) {
            throw reader.invalid(at);
        }
        if (kind == L2Entry.BEYOND_END) {
            throw dataFile.truncated("data cluster", L2Entry.offset(entry));
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
            Allocator.Run run = allocator.allocateUpTo(clusters);
            clusters = run.count();
            host = run.cluster() << clusterBits;
        }
        int length = (int) (Math.min(wanted, first + ((long) clusters << clusterBits)) - at);
        try {
            barrierNeeded = true;
            writeAround(first, at, length, host, clusters, host >= fresh, from);
        } catch (IOException | RuntimeException e) {
            giveBack(host, clusters);
            throw e;
        }
        for (int i = 0; i < clusters; i++) {
            long guest = first + ((long) i << clusterBits);
            long old = mapper.lookup(guest);
            mapper.set(guest, host + ((long) i << clusterBits) | L2Entry.DATA | L2Entry.COPIED, 0);
            free(old);
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

    /** Nothing refers to these clusters, in memory or in the file. */
    private void giveBack(long host, int clusters) throws IOException {
        if (!ownDataFile) {
            allocator.add(host >>> clusterBits, clusters, -1);
        }
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

    private void writeData(long host, int length, ByteBuffer from) throws IOException {
        int limit = from.limit();
        from.limit(from.position() + length);
        try {
            dataFile.write(host, from);
        } finally {
            from.limit(limit);
        }
    }

    /** Returns whether nothing but zeros can be read there, without reading it. */
    private boolean isZero(long offset, long length) throws IOException {
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
        requireData(host, clusterSize);
        barrierNeeded = true;
        writeAround(first, at, length, host, 1, false, from);
        mapper.set(first, host | L2Entry.DATA | L2Entry.COPIED, 0);
        return length;
    }

    // ---- subclusters ----

    /** Writes to one cluster of an image with subclusters. */
    private int writeSubclusters(long at, long entry, ByteBuffer from) throws IOException {
        long first = at & -clusterSize;
        int length = (int) Math.min(from.remaining(), first + clusterSize - at);
        long bitmap = mapper.subclusters(at);
        int kind = L2Entry.isCompressed(entry) ? L2Entry.DATA : L2Entry.kind(entry);
        boolean hasPlace = !L2Entry.isCompressed(entry) && L2Entry.offset(entry) != 0
                || ownDataFile && kind == L2Entry.SUBCLUSTERS;
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
        long host = own ? L2Entry.offset(entry) : ownDataFile ? first : allocator.allocate(1) << clusterBits;
        barrierNeeded = true;
        try {
            if (own) {
                requireData(host, clusterSize);
            }
            from0 = own ? withoutAllocated(first, from0, at, bitmap, true) : from0;
            to0 = own ? withoutAllocated(first, at + length, to0, bitmap, false) : to0;
            writeBetween(first, from0, to0, at, length, host, !own && host >= fresh, from);
        } catch (IOException | RuntimeException e) {
            if (!own) {
                giveBack(host, 1);
            }
            throw e;
        }
        long touched = whole ? ALL_ALLOCATED : bits(first, at & -subclusterSize, at + length, subclusterSize);
        long changed = (bitmap | touched) & ~(touched << 32);
        long compact = L2Entry.compactExtended(host | L2Entry.COPIED, changed, header, L2Entry.COPIED);
        // readers take the entry and its bitmap apart
        long stamp = placed.writeLock();
        try {
            mapper.set(first, compact, changed);
        } finally {
            placed.unlockWrite(stamp);
        }
        if (!own) {
            free(entry);
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

    private static long bits(long first, long from, long to, int subclusterSize) {
        int start = (int) ((from - first) / subclusterSize);
        int end = (int) ((to - first + subclusterSize - 1) / subclusterSize);
        return (1L << end) - (1L << start);
    }

    /** As {@link #writeAround}, up to borders inside one cluster. */
    private void writeBetween(
            long first, long start, long end, long at, int length, long host, boolean fresh, ByteBuffer from)
            throws IOException {
        long guestEnd = Math.min(end, header.size());
        int head = (int) (at - start);
        int tail = (int) Math.max(0, guestEnd - (at + length));
        int padding = (int) (end - Math.max(guestEnd, at + length));
        boolean headNeeded = head > 0 && !(fresh && isZero(start, head));
        boolean tailNeeded = tail > 0 && !(fresh && isZero(at + length, tail)) || padding > 0 && !fresh;
        long place = host + (start - first);
        if (!headNeeded && !tailNeeded) {
            writeData(place + head, length, from);
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

    // ---- zeros and discards ----

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

    private void requireFast(long from, long to) throws IOException {
        if (from < to && !isZero(from, to - from)) {
            throw new NotFasterException(file.name());
        }
    }

    /** Zeros less than a cluster: by its entry if the rest of it is zeros too, else by writing. */
    private void writeZeroBytes(long from, long end, long border, ZeroMode mode) throws IOException {
        for (long at = from; at < end; ) {
            long stop = Math.min(end, (at & -border) + border);
            long first = at & -border;
            long last = Math.min(first + border, header.size());
            boolean byEntries = header.version() >= 3 || backing == null;
            if (byEntries && isZero(first, at - first) && isZero(stop, last - stop) && hasNoData(first)) {
                changeEntries(first, first + border, mode.mayUnmap());
            } else if (mode.isFast()) {
                requireFast(at, stop);
            } else {
                writeZeros(at, stop);
            }
            at = stop;
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

    void discard(long offset, long length) throws IOException {
        if (header.version() < 3 && backing != null || isRawDataFile()) {
            // it would come to light what lies below, or the raw file would not be the disk any more
            requireWhole();
            return;
        }
        long end = offset + length;
        long to = end == header.size() ? end + clusterSize - 1 & -clusterSize : end & -clusterSize;
        for (long at = offset + clusterSize - 1 & -clusterSize; at < to; ) {
            at = discardEntries(at, to);
        }
    }

    private boolean isRawDataFile() {
        return ownDataFile && (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0;
    }

    /** Makes entries say zero, up to the end of a slice; returns how far. */
    private long changeEntries(long at, long to, boolean unmap) throws IOException {
        changing.lock();
        try {
            begin();
            if (header.version() < 3) {
                // it has no entries that say zero, but where nothing lies below, none is as good
                return discardHeld(at, to);
            }
            long stop = Math.min(to, mapper.sliceEnd(at));
            ensureTable(at);
            long position = at;
            while (position < stop) {
                long clusterEnd = Math.min(stop, (position & -clusterSize) + clusterSize);
                if (!zeroEntry(position, clusterEnd, unmap)) {
                    writeZeros(position, Math.min(clusterEnd, header.size()));
                }
                position = clusterEnd;
            }
            writeBackIfMany();
            return stop;
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    private void writeZeros(long at, long end) throws IOException {
        ByteBuffer zeros = ZEROS.duplicate();
        for (long done = at; done < end; done += zeros.limit()) {
            zeros.clear().limit((int) Math.min(zeros.capacity(), end - done));
            write(done, zeros);
        }
    }

    /** Makes one cluster, or some of its subclusters, read as zeros; returns false where an entry cannot say so. */
    private boolean zeroEntry(long at, long end, boolean unmap) throws IOException {
        long first = at & -clusterSize;
        long entry = mapper.lookup(first);
        requireWritable(first, entry);
        if (isRawDataFile()) {
            dataFile.storage().writeZeroes(at, Math.min(end, header.size()) - at, unmapMode(unmap));
        }
        boolean wholeCluster = at == first && end == first + clusterSize;
        if (wholeCluster) {
            boolean compressedNow = L2Entry.isCompressed(entry);
            boolean drop = compressedNow || unmap;
            if (!compressedNow && L2Entry.kind(entry) == L2Entry.ZERO) {
                return true;
            }
            boolean hasPlace = !compressedNow && hasPlace(entry);
            long zero = drop || !hasPlace
                    ? L2Entry.ZERO
                    : entry & (L2Entry.OFFSET_MASK | L2Entry.COPIED) | L2Entry.ZERO_ALLOCATED;
            if (zero != entry) {
                change(first, zero, header.isExtendedL2() ? ALL_ZERO : 0);
                if (drop) {
                    free(entry);
                }
            }
            return true;
        }
        if (L2Entry.isCompressed(entry)) {
            return false;
        }
        long bitmap = bitmapOf(first, entry);
        long touched = bits(first, at, end, clusterSize / SUBCLUSTERS);
        long changed = bitmap & ~touched | touched << 32;
        long stored = entry & (L2Entry.OFFSET_MASK | L2Entry.COPIED);
        change(first, L2Entry.compactExtended(stored, changed, header, L2Entry.COPIED), changed);
        return true;
    }

    private static ZeroMode unmapMode(boolean unmap) {
        return unmap ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATION;
    }

    private long bitmapOf(long at, long entry) throws IOException {
        return switch (L2Entry.kind(entry)) {
            case L2Entry.ZERO, L2Entry.ZERO_ALLOCATED -> ALL_ZERO;
            case L2Entry.DATA -> ALL_ALLOCATED;
            default -> mapper.subclusters(at);
        };
    }

    private void change(long guest, long compact, long bitmap) throws IOException {
        if (!header.isExtendedL2()) {
            mapper.set(guest, compact, bitmap);
            return;
        }
        // readers take the entry and its bitmap apart
        long stamp = placed.writeLock();
        try {
            mapper.set(guest, compact, bitmap);
        } finally {
            placed.unlockWrite(stamp);
        }
    }

    private long discardEntries(long at, long to) throws IOException {
        changing.lock();
        try {
            begin();
            return discardHeld(at, to);
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
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
        ensureTable(at);
        for (long position = at; position < stop; position += clusterSize) {
            long entry = mapper.lookup(position);
            requireWritable(position, entry);
            boolean allocated = L2Entry.isCompressed(entry) || hasPlace(entry);
            long zero = header.version() >= 3 ? L2Entry.ZERO : L2Entry.UNALLOCATED;
            if ((allocated || backing != null) && entry != zero) {
                change(position, zero, header.isExtendedL2() ? ALL_ZERO : 0);
                free(entry);
            }
        }
        writeBackIfMany();
        return stop;
    }

    // ---- tables and clusters ----

    private boolean hasPlace(long entry) {
        return switch (L2Entry.kind(entry)) {
            case L2Entry.DATA, L2Entry.ZERO_ALLOCATED, L2Entry.SUBCLUSTERS -> true;
            default -> false;
        };
    }

    /** Notes that a cluster lost a reference. */
    private void free(long entry) {
        if (L2Entry.isCompressed(entry)) {
            long from = CompressedClusters.hostOffset(entry, clusterBits);
            long last = from + CompressedClusters.hostLength(entry, clusterBits) - 1;
            freed.add(from >>> clusterBits, (last >>> clusterBits) - (from >>> clusterBits) + 1);
            freed.hadCompressed = true;
        } else if (hasPlace(entry) && !ownDataFile) {
            freed.add(L2Entry.offset(entry) >>> clusterBits, 1);
        }
    }

    /** Makes sure that there is an L2 table for a guest offset that no snapshot shares. */
    private void ensureTable(long at) throws IOException {
        long entry = mapper.l1EntryOf(at);
        long old = L2Entry.offset(entry);
        if (old != 0 && entry < 0) {
            return;
        }
        long cluster = allocator.allocate(1);
        barrierNeeded = true;
        try {
            if (old == 0) {
                file.writeZeros(cluster << clusterBits, clusterSize);
            } else {
                copyTable(old, cluster << clusterBits);
            }
            metadata.put(cluster, MetadataMap.Kind.L2_TABLE);
        } catch (IOException | RuntimeException e) {
            allocator.add(cluster, 1, -1);
            throw e;
        }
        mapper.setL1EntryOf(at, cluster << clusterBits | L2Entry.COPIED);
        if (old != 0) {
            freed.add(old >>> clusterBits, 1);
        }
    }

    private void copyTable(long from, long to) throws IOException {
        ByteBuffer bounce = bounces.take();
        try {
            for (int done = 0; done < clusterSize; done += bounce.limit()) {
                bounce.clear().limit(Math.min(bounce.capacity(), clusterSize - done));
                file.readTable("L2 table", from, clusterSize, from + done, bounce);
                file.write(to + done, bounce.flip());
            }
        } finally {
            bounces.give(bounce);
        }
    }

    private void writeBackIfMany() throws IOException {
        if (mapper.editedSlices() >= MAX_EDITED_SLICES || allocator.isFull()) {
            commit();
        }
    }

    /** Makes all writes that returned before durable. */
    void flush() throws IOException {
        changing.lock();
        try {
            requireWhole();
            commit();
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    private void commit() throws IOException {
        allocator.write();
        if (mapper.editedSlices() > 0 || mapper.hasL1Edits()) {
            if (barrierNeeded) {
                sync();
                barrierNeeded = false;
            }
            mapper.writeEdits();
            sync();
            mapper.forgetEdits();
        } else {
            sync();
            barrierNeeded = false;
        }
        release();
    }

    private void sync() throws IOException {
        if (ownDataFile) {
            dataFile.sync();
        }
        file.sync();
    }

    /** Gives back the clusters to which nothing in the file refers any more, once nobody reads or writes there. */
    private void release() throws IOException {
        if (freed.isEmpty()) {
            return;
        }
        placed.unlockWrite(placed.writeLock());
        if (freed.hadCompressed) {
            compressed.forget();
            freed.hadCompressed = false;
        }
        while (!freed.isEmpty()) {
            long cluster = freed.runs[freed.used - 2];
            long count = freed.runs[freed.used - 1];
            // one by one, so that what fails is tried again
            allocator.add(cluster + count - 1, 1, -1);
            freed.runs[freed.used - 1] = count - 1;
            freed.used -= count == 1 ? 2 : 0;
        }
    }

    /** A change of tables as a whole. */
    interface TableChange {
        /** Makes the change. */
        void make(SnapshotEdit edit) throws IOException;
    }

    /** Changes tables as a whole, while nobody reads or writes the disk and nothing waits to be written. */
    void changeTables(TableChange change) throws IOException {
        changing.lock();
        try {
            begin();
            commit();
            commit();
            long stamp = placed.writeLock();
            SnapshotEdit edit = new SnapshotEdit(Qcow2Header.read(file.storage()), file, allocator, fields);
            try {
                change.make(edit);
                mapper.moved(Qcow2Header.read(file.storage()).l1TableOffset());
                compressed.forget();
            } finally {
                placed.unlockWrite(stamp);
                if (edit.isHeaderUnknown()) {
                    broken = new CorruptImageException(file.name()
                            + ": writing the header failed; nothing more is written before the image is opened again");
                }
            }
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    /** Gives the disk another size; whoever does that closes the image next. Nobody else uses it. */
    void resize(long size) throws IOException {
        changing.lock();
        try {
            begin();
            if (size > header.size()) {
                grow(size);
            } else if (size < header.size()) {
                shrink(size);
            }
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    private void grow(long size) throws IOException {
        clearTail();
        commit();
        commit();
        if (isRawDataFile()) {
            dataFile.storage().setSize(size);
        }
        long entries = header.l1EntriesFor(size);
        if (entries <= header.l1Size()) {
            fields.size(size);
            sync();
            return;
        }
        if (entries > Qcow2Header.MAX_L1_BYTES / Long.BYTES) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": a disk of " + size + " bytes is too large for clusters of " + clusterSize + " bytes",
                    null);
        }
        int clusters = (int) (entries * Long.BYTES + clusterSize - 1 >>> clusterBits);
        long place = allocator.allocate(clusters);
        allocator.claim(place, clusters, MetadataMap.Kind.L1_TABLE);
        long oldBytes = (long) header.l1Size() * Long.BYTES;
        copy(header.l1TableOffset(), place << clusterBits, oldBytes);
        file.writeZeros((place << clusterBits) + oldBytes, ((long) clusters << clusterBits) - oldBytes);
        allocator.write();
        sync();
        fields.sizeAndL1Table(size, (int) entries, place << clusterBits);
        sync();
        if (oldBytes > 0) {
            allocator.add(header.l1TableOffset() >>> clusterBits, (oldBytes + clusterSize - 1) >>> clusterBits, -1);
        }
    }

    private void copy(long from, long to, long bytes) throws IOException {
        ByteBuffer bounce = bounces.take();
        try {
            for (long done = 0; done < bytes; done += bounce.limit()) {
                bounce.clear().limit((int) Math.min(bounce.capacity(), bytes - done));
                file.readPadded(from + done, bounce);
                file.write(to + done, bounce.flip());
            }
        } finally {
            bounces.give(bounce);
        }
    }

    /** What the last cluster has behind the end of the disk would come to light: qemu leaves the guest's old bytes there. */
    private void clearTail() throws IOException {
        int used = (int) header.size() & (clusterSize - 1);
        if (used == 0) {
            return;
        }
        long last = header.size() - used;
        long entry = mapper.lookup(last);
        if (isInPlace(entry)) {
            requireData(L2Entry.offset(entry), clusterSize);
            dataFile.writeZeros(L2Entry.offset(entry) + used, clusterSize - used);
        } else if (L2Entry.isCompressed(entry) || hasPlace(entry)) {
            // a new place gets zeros behind the end
            ByteBuffer sector = ByteBuffer.allocate(512);
            reader.read(header.size() - 512, sector);
            write(header.size() - 512, sector.flip());
        }
    }

    private void shrink(long size) throws IOException {
        long end = header.size();
        long whole = size + clusterSize - 1 & -clusterSize;
        writeZeroes(size, Math.min(end, whole) - size, ZeroMode.KEEP_ALLOCATION);
        for (long at = whole; at < end; ) {
            at = dropEntries(at, end + clusterSize - 1 & -clusterSize);
        }
        commit();
        commit();
        fields.size(size);
        if (isRawDataFile()) {
            dataFile.storage().setSize(size);
        }
        sync();
    }

    /** Takes clusters out of the disk, up to the end of a slice; returns how far. */
    private long dropEntries(long at, long to) throws IOException {
        long empty = mapper.runEnd(at, to, L2Entry.UNALLOCATED);
        if (empty > at) {
            return Math.min(empty, to);
        }
        long stop = Math.min(to, mapper.sliceEnd(at));
        ensureTable(at);
        for (long position = at; position < stop; position += clusterSize) {
            long entry = mapper.lookup(position);
            if (entry != L2Entry.UNALLOCATED) {
                requireWritable(position, entry);
                change(position, L2Entry.UNALLOCATED, 0);
                free(entry);
            }
        }
        writeBackIfMany();
        return stop;
    }

    /** Flushes, and writes what flushes leave to the next one. */
    void close() throws IOException {
        changing.lock();
        try {
            if (broken == null && announced) {
                commit();
                if (allocator.isDirty()) {
                    allocator.write();
                    sync();
                }
            }
        } finally {
            changing.unlock();
        }
    }

    // ---- the state of the image ----

    private void announce() throws IOException {
        changing.lock();
        try {
            begin();
        } finally {
            changing.unlock();
        }
    }

    /** Before the first change: what we do not keep up to date is said to be out of date. */
    private void begin() throws IOException {
        requireWhole();
        if (announced) {
            return;
        }
        long kept = header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW;
        if (header.version() >= 3 && kept != header.autoclearFeatures()) {
            fields.autoclearFeatures(kept);
            file.sync();
        }
        announced = true;
    }

    private void requireWhole() throws CorruptImageException {
        CorruptImageException problem = broken;
        if (problem != null) {
            throw new CorruptImageException(problem.getMessage(), problem);
        }
    }

    /** Stops all writing, and marks the image as corrupt. */
    private CorruptImageException breakOff(CorruptImageException problem) throws IOException {
        broken = problem;
        if (header.version() >= 3) {
            try {
                fields.incompatibleFeatures(header.incompatibleFeatures() | Qcow2Header.INCOMPAT_CORRUPT);
                file.sync();
            } catch (IOException e) {
                problem.addSuppressed(e);
            }
        }
        return problem;
    }
}
