package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Gives the disk another size, or every cluster of an empty disk its place. Nobody else uses the image, and whoever resizes
 * closes it next.
 */
final class Resize {
    private static final int PIECE_BYTES = 64 << 10;

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final ClusterMapper mapper;
    private final ClusterReader reader;
    private final TableWriter tables;
    private final ClusterWriter clusters;
    private final ZeroWriter zeros;
    private final @Nullable BlockDevice backing;
    private final int clusterBits;
    private final int clusterSize;
    private final boolean ownDataFile;

    Resize(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            ClusterMapper mapper,
            ClusterReader reader,
            TableWriter tables,
            ClusterWriter clusters,
            ZeroWriter zeros,
            @Nullable BlockDevice backing) {
        this.backing = backing;
        this.header = header;
        this.file = file;
        this.dataFile = dataFile;
        this.mapper = mapper;
        this.reader = reader;
        this.tables = tables;
        this.clusters = clusters;
        this.zeros = zeros;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.ownDataFile = dataFile != file;
    }

    /** Gives every cluster from an offset on its place, where none has one; as far as it is new, it may be a hole. */
    void preallocate(long from, boolean written) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            for (long at = wholeClusters(from); at < header.size(); ) {
                tables.ensureTable(at);
                long stop = Math.min(header.size(), mapper.sliceEnd(at));
                int wanted = (int) ((stop - at + clusterSize - 1) >>> clusterBits);
                long first = at >>> clusterBits;
                Allocator.Run run =
                        ownDataFile ? new Allocator.Run(first, wanted) : tables.allocator.allocateUpTo(wanted);
                prepare(at, run, written);
                at += (long) run.count() << clusterBits;
                tables.writeBackIfMany();
            }
            tables.commit();
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    /** Gives clusters of the guest their places, in one run. */
    private void prepare(long at, Allocator.Run run, boolean written) throws IOException {
        tables.needBarrier();
        long host = run.cluster() << clusterBits;
        long end = host + ((long) run.count() << clusterBits);
        int mapped = 0;
        try {
            long zeroed = written ? end : ownDataFile ? host : Math.min(end, dataFile.askSize());
            if (zeroed > host) {
                // a cluster that was free holds what somebody left there
                dataFile.writeZeros(host, zeroed - host);
            }
            if (end > dataFile.askSize() && !ownDataFile) {
                dataFile.storage().setSize(end);
                dataFile.askSize();
            }
            for (; mapped < run.count(); mapped++) {
                long distance = (long) mapped << clusterBits;
                mapper.set(
                        at + distance, host + distance | L2Entry.DATA | L2Entry.COPIED, SubclusterWriter.ALL_ALLOCATED);
            }
        } catch (IOException | RuntimeException e) {
            tables.giveBack(host + ((long) mapped << clusterBits), run.count() - mapped);
            throw e;
        }
    }

    /** Gives the disk another size; whoever does that closes the image next. Nobody else uses it. */
    void resize(long size) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            if (size == header.size()) {
                return;
            }
            tables.bitmaps.resizing();
            if (size > header.size()) {
                grow(size);
            } else {
                shrink(size);
            }
            tables.bitmaps.resized(size);
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    private void grow(long size) throws IOException {
        long entries = header.l1EntriesFor(size);
        if (entries > Qcow2Header.MAX_L1_BYTES / Long.BYTES) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": a disk of " + size + " bytes is too large for clusters of " + clusterSize
                            + " bytes",
                    null);
        }
        requireResizableDataFile();
        boolean hides = backing != null && backing.size() > header.size();
        if (hides && header.version() < 3) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": its backing file is larger than its disk and would show where the disk grows;"
                            + " in version 2 of the format nothing can hide it",
                    null);
        }
        // all of the table counts from here on, also what the disk has not needed
        mapper.moved(header.l1TableOffset(), header.l1Size());
        clearTail(hides);
        // tables may map more than the disk has
        long capacity = Math.min(wholeClusters(size), (long) header.l1Size() << (clusterBits + header.l2Bits()));
        for (long at = wholeClusters(header.size()); at < capacity; ) {
            at = dropEntries(at, capacity);
        }
        tables.commit();
        tables.commit();
        if (tables.isRawDataFile()) {
            dataFile.storage().setSize(size);
        }
        if (entries > header.l1Size()) {
            growL1Table((int) entries);
        }
        if (hides && backing != null) {
            zeros.zeroClusters(wholeClusters(header.size()), wholeClusters(Math.min(size, backing.size())));
            tables.commit();
        }
        tables.fields.size(size);
        tables.sync();
    }

    private long wholeClusters(long bytes) {
        return (bytes + clusterSize - 1) & -clusterSize;
    }

    private void growL1Table(int entries) throws IOException {
        int clusterCount = (entries * Long.BYTES + clusterSize - 1) >>> clusterBits;
        long place = tables.allocator.allocate(clusterCount);
        long oldBytes = (long) header.l1Size() * Long.BYTES;
        try {
            tables.allocator.claim(place, clusterCount, MetadataMap.Kind.L1_TABLE);
            copy(header.l1TableOffset(), place << clusterBits, oldBytes);
            file.writeZeros((place << clusterBits) + oldBytes, ((long) clusterCount << clusterBits) - oldBytes);
            tables.allocator.write();
            tables.sync();
        } catch (IOException | RuntimeException e) {
            tables.allocator.add(place, clusterCount, -1);
            throw e;
        }
        tables.fields.sizeAndL1Table(header.size(), entries, place << clusterBits);
        tables.sync();
        mapper.moved(place << clusterBits, entries);
        if (oldBytes > 0) {
            tables.allocator.add(
                    header.l1TableOffset() >>> clusterBits, (oldBytes + clusterSize - 1) >>> clusterBits, -1);
        }
    }

    private void copy(long from, long to, long bytes) throws IOException {
        ByteBuffer raw = DirectBuffers.allocate(PIECE_BYTES);
        for (long done = 0; done < bytes; done += raw.limit()) {
            raw.clear().limit((int) Math.min(raw.capacity(), bytes - done));
            file.readPadded(from + done, raw);
            file.write(to + done, raw.flip());
        }
    }

    /** What the last cluster has behind the end of the disk would come to light: qemu leaves the guest's old bytes there. */
    private void clearTail(boolean hides) throws IOException {
        int used = (int) header.size() & (clusterSize - 1);
        if (used == 0) {
            return;
        }
        long last = header.size() - used;
        long entry = mapper.lookup(last);
        if (TableWriter.isInPlace(entry)) {
            tables.requireData(L2Entry.offset(entry), clusterSize);
            dataFile.writeZeros(L2Entry.offset(entry) + used, clusterSize - used);
            return;
        }
        int kind = L2Entry.kind(entry);
        if (header.isExtendedL2() && entry < 0 && kind == L2Entry.SUBCLUSTERS) {
            // behind the end in a subcluster that is the disk's own
            int subclusterSize = clusterSize / SubclusterWriter.SUBCLUSTERS;
            int subclusterEnd = (used + subclusterSize - 1) & -subclusterSize;
            tables.requireData(L2Entry.offset(entry), clusterSize);
            if (subclusterEnd > used) {
                dataFile.writeZeros(L2Entry.offset(entry) + used, subclusterEnd - used);
            }
        }
        if (L2Entry.isCompressed(entry) || hides || kind == L2Entry.DATA || kind == L2Entry.SUBCLUSTERS) {
            // written again, the last sector gets zeros behind it as far as its cluster or subcluster goes
            ByteBuffer sector = ByteBuffer.allocate(512);
            reader.read(header.size() - 512, sector);
            clusters.write(header.size() - 512, sector.flip());
        }
        if (header.isExtendedL2()) {
            int subclusterSize = clusterSize / SubclusterWriter.SUBCLUSTERS;
            long from = (header.size() + subclusterSize - 1) & -subclusterSize;
            if (from < last + clusterSize && L2Entry.kind(mapper.lookup(last)) != L2Entry.DATA) {
                zeros.zeroClusters(from, last + clusterSize);
            }
        }
    }

    /** Takes all clusters out of the disk. */
    void makeEmpty() throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            long end = wholeClusters(header.size());
            for (long at = 0; at < end; ) {
                at = dropEntries(at, end);
            }
            tables.commit();
            tables.commit();
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    private void shrink(long size) throws IOException {
        long end = header.size();
        long whole = size + clusterSize - 1 & -clusterSize;
        requireResizableDataFile();
        requireDroppable(size & -clusterSize, wholeClusters(end));
        zeros.writeZeroes(size, Math.min(end, whole) - size, ZeroMode.KEEP_ALLOCATION);
        for (long at = whole; at < end; ) {
            at = dropEntries(at, end + clusterSize - 1 & -clusterSize);
        }
        tables.commit();
        tables.commit();
        tables.fields.size(size);
        if (tables.isRawDataFile()) {
            dataFile.storage().setSize(size);
        }
        tables.sync();
    }

    /** A raw data file has the size of the disk; what cannot have another one says so before anything is changed. */
    private void requireResizableDataFile() throws IOException {
        if (tables.isRawDataFile()) {
            dataFile.storage().setSize(dataFile.askSize());
        }
    }

    /** Looks at all clusters that are taken out of the disk, so that what is damaged is refused before any is lost. */
    private void requireDroppable(long from, long to) throws IOException {
        for (long at = from; at < to; ) {
            long empty = mapper.runEnd(at, to, L2Entry.UNALLOCATED);
            if (empty > at) {
                at = empty;
                continue;
            }
            long entry = mapper.lookup(at);
            tables.requireWritable(at, entry);
            tables.requireFreeable(entry);
            at += clusterSize;
        }
    }

    /** Takes clusters out of the disk, up to the end of a slice; returns how far. */
    private long dropEntries(long at, long to) throws IOException {
        long empty = mapper.runEnd(at, to, L2Entry.UNALLOCATED);
        if (empty > at) {
            return Math.min(empty, to);
        }
        long stop = Math.min(to, mapper.sliceEnd(at));
        tables.ensureTable(at);
        for (long position = at; position < stop; position += clusterSize) {
            long entry = mapper.lookup(position);
            if (entry != L2Entry.UNALLOCATED) {
                tables.requireWritable(position, entry);
                tables.change(position, L2Entry.UNALLOCATED, 0);
                tables.free(entry);
            }
        }
        tables.writeBackIfMany();
        return stop;
    }
}
