package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBufferPool;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/**
 * The tables of an image that is written, and the order in which they get into the file. Safe for many threads, which hold
 * the locks that methods ask for.
 *
 * <p><b>Order.</b> What a crash may leave is a cluster that nobody uses, never one that somebody uses and nobody counted.
 * Guest bytes and refcounts go to the file first; then, behind a barrier, the L2 and L1 entries that refer to them; and
 * clusters that lost their last reference are free only behind another barrier. Until {@link #flush()}, entries are kept
 * in memory ({@link TableEdits}), so that a flush takes two barriers whatever was written, one if nothing was allocated.
 *
 * <p><b>Locks.</b> {@link #changing} is held by whoever changes tables, while it writes the guest's bytes too. {@link
 * #placed} is held, shared, by whoever knows where a cluster lies and reads or writes it there; that nobody knows it any
 * more is waited for before a cluster is given to somebody else. Writes to clusters that are there take only the second.
 */
final class TableWriter {
    /** Edits that wait in memory are written when they are so many: 8 MiB. */
    private static final int MAX_EDITED_SLICES = 512;

    private static final int PIECE_BYTES = 64 << 10;

    final ReentrantLock changing = new ReentrantLock();
    final StampedLock placed = new StampedLock();
    final Allocator allocator;
    final HeaderFields fields;
    final BitmapWriter bitmaps;

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final ClusterMapper mapper;
    private final CompressedClusters compressed;
    private final MetadataMap metadata;
    private final int clusterBits;
    private final int clusterSize;
    private final boolean ownDataFile;
    private final DirectBufferPool pieces = new DirectBufferPool(PIECE_BYTES);
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

    TableWriter(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            ClusterMapper mapper,
            CompressedClusters compressed,
            Allocator allocator,
            MetadataMap metadata,
            HeaderFields fields,
            BitmapWriter bitmaps) {
        this.header = header;
        this.file = file;
        this.dataFile = dataFile;
        this.mapper = mapper;
        this.compressed = compressed;
        this.allocator = allocator;
        this.metadata = metadata;
        this.fields = fields;
        this.bitmaps = bitmaps;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.ownDataFile = dataFile != file;
    }

    /** What was written has to be durable before the entries that are changed next. */
    void needBarrier() {
        barrierNeeded = true;
    }

    static boolean isInPlace(long entry) {
        return entry < 0 && !L2Entry.isCompressed(entry) && L2Entry.kind(entry) == L2Entry.DATA;
    }

    /** Before the first change: what we do not keep up to date is said to be out of date. */
    void begin() throws IOException {
        requireWhole();
        if (announced) {
            if (bitmaps.isFull()) {
                alone(bitmaps::store);
            }
            return;
        }
        long kept = header.autoclearFeatures()
                & (Qcow2Header.AUTOCLEAR_DATA_FILE_RAW | (bitmaps.isEmpty() ? 0 : Qcow2Header.AUTOCLEAR_BITMAPS));
        boolean changes = header.version() >= 3 && kept != header.autoclearFeatures();
        if (changes) {
            fields.autoclearFeatures(kept);
        }
        if (bitmaps.announce() || changes) {
            file.sync();
        }
        announced = true;
    }

    /** What is done while nobody reads or writes the disk. */
    interface Exclusive {
        /** Does it. */
        void run() throws IOException;
    }

    private void alone(Exclusive work) throws IOException {
        long stamp = placed.writeLock();
        try {
            work.run();
        } finally {
            placed.unlockWrite(stamp);
        }
    }

    /** A change of bitmaps. */
    interface BitmapChange {
        /** Makes the change. */
        void make(BitmapWriter bitmaps) throws IOException;
    }

    /** Changes bitmaps while nobody reads or writes the disk. */
    void changeBitmaps(BitmapChange change) throws IOException {
        changing.lock();
        try {
            begin();
            alone(() -> change.make(bitmaps));
            allocator.write();
            sync();
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    /** Makes the image ready for its first change, by whoever does not hold {@link #changing}. */
    void announce() throws IOException {
        if (announced && !bitmaps.isFull()) {
            return;
        }
        changing.lock();
        try {
            begin();
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    void requireWhole() throws IOException {
        file.requireUnbroken();
        CorruptImageException problem = broken;
        if (problem != null) {
            throw new CorruptImageException(String.valueOf(problem.getMessage()), problem);
        }
    }

    /** Data never go where the image keeps its tables, whatever an L2 entry says. */
    void requireData(long host, long length) throws IOException {
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

    void requireWritable(long at, long entry) throws IOException {
        if (L2Entry.isCompressed(entry)) {
            return;
        }
        int kind = L2Entry.kind(entry);
        if (kind == L2Entry.INVALID) {
            throw invalid(at);
        }
        boolean prepared = kind == L2Entry.SUBCLUSTERS || kind == L2Entry.ZERO_ALLOCATED;
        if (kind == L2Entry.BEYOND_END || (prepared && !ownDataFile && !file.holds(L2Entry.offset(entry), 1))) {
            throw dataFile.truncated("data cluster", L2Entry.offset(entry));
        }
    }

    /** Makes sure that there is an L2 table for a guest offset that no snapshot shares. */
    void ensureTable(long at) throws IOException {
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
        ByteBuffer raw = pieces.take();
        try {
            for (int done = 0; done < clusterSize; done += raw.limit()) {
                raw.clear().limit(Math.min(raw.capacity(), clusterSize - done));
                file.readTable("L2 table", from, clusterSize, from + done, raw);
                file.write(to + done, raw.flip());
            }
        } finally {
            pieces.give(raw);
        }
    }

    void change(long guest, long compact, long bitmap) throws IOException {
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

    /**
     * Notes that a cluster lost a reference.
     *
     * @throws OverlapException if the entry was not of guest data, but of a table
     */
    void free(long entry) throws OverlapException {
        long clusters = requireFreeable(entry);
        if (clusters > 0) {
            freed.add(firstCluster(entry), clusters);
            freed.hadCompressed |= L2Entry.isCompressed(entry);
        }
    }

    /**
     * Returns how many clusters an entry refers to, after a look at each.
     *
     * @throws OverlapException if one of them holds a table
     */
    long requireFreeable(long entry) throws OverlapException {
        long first = firstCluster(entry);
        long clusters = 0;
        if (L2Entry.isCompressed(entry)) {
            long from = CompressedClusters.hostOffset(entry, clusterBits);
            long last = from + CompressedClusters.hostLength(entry, clusterBits) - 1;
            clusters = (last >>> clusterBits) - first + 1;
        } else if (hasPlace(entry) && !ownDataFile) {
            clusters = 1;
        }
        for (long i = first; i < first + clusters; i++) {
            MetadataMap.Kind kind = metadata.get(i);
            if (kind != null) {
                throw new OverlapException(file.name() + ": an L2 entry has guest data at " + (i << clusterBits)
                        + ", where " + kind + " is: the image is damaged and marked so, nothing more is written");
            }
        }
        return clusters;
    }

    private long firstCluster(long entry) {
        long offset =
                L2Entry.isCompressed(entry) ? CompressedClusters.hostOffset(entry, clusterBits) : L2Entry.offset(entry);
        return offset >>> clusterBits;
    }

    boolean hasPlace(long entry) {
        return switch (L2Entry.kind(entry)) {
            case L2Entry.DATA, L2Entry.ZERO_ALLOCATED, L2Entry.SUBCLUSTERS -> true;
            default -> false;
        };
    }

    /** Nothing refers to these clusters, in memory or in the file. */
    void giveBack(long host, int clusters) throws IOException {
        if (!ownDataFile) {
            allocator.add(host >>> clusterBits, clusters, -1);
        }
    }

    boolean isRawDataFile() {
        return ownDataFile && (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0;
    }

    void writeBackIfMany() throws IOException {
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

    /** Looks at the tables in the file. */
    interface TableReading<T> {
        /** Returns what was seen. */
        T read() throws IOException;
    }

    /** Looks at the tables in the file while all that was changed is there, and nobody changes anything. */
    <T> T unchanged(TableReading<T> reading) throws IOException {
        changing.lock();
        try {
            requireWhole();
            commit();
            // what the first one set free
            commit();
            return reading.read();
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    void commit() throws IOException {
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

    void sync() throws IOException {
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
            SnapshotEdit edit = new SnapshotEdit(Qcow2Header.read(file.storage()), file, allocator, fields);
            long stamp = placed.writeLock();
            boolean done = false;
            try {
                change.make(edit);
                mapper.moved(edit.l1TableOffset(), edit.l1Entries());
                compressed.forget();
                done = true;
            } finally {
                placed.unlockWrite(stamp);
                if (!done && edit.isSwitched()) {
                    file.breakOff(new IOException("the header names other tables, which could not be read"));
                }
            }
        } catch (OverlapException e) {
            throw breakOff(e);
        } finally {
            changing.unlock();
        }
    }

    /** Flushes, and writes what flushes leave to the next one. */
    void close() throws IOException {
        changing.lock();
        try {
            if (broken == null && announced) {
                commit();
                alone(bitmaps::close);
                if (allocator.isDirty()) {
                    allocator.write();
                    sync();
                }
            }
        } finally {
            changing.unlock();
        }
    }

    /** Stops all writing, and marks the image as corrupt. */
    CorruptImageException breakOff(CorruptImageException problem) throws IOException {
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

    private CorruptImageException invalid(long at) {
        return new CorruptImageException(file.name() + ": the L2 entry of guest offset " + (at & -clusterSize)
                + " contradicts the format: its cluster is not aligned, or its flags exclude each other");
    }
}
