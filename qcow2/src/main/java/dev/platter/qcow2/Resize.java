package dev.platter.qcow2;

import dev.platter.core.BlockIOException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;

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
            ZeroWriter zeros) {
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

    /** Gives every cluster of an empty disk its place, which is a hole of the file unless it is written with zeros. */
    void preallocate(boolean written) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            for (long at = 0; at < header.size(); ) {
                tables.ensureTable(at);
                long stop = Math.min(header.size(), mapper.sliceEnd(at));
                int wanted = (int) (stop - at + clusterSize - 1 >>> clusterBits);
                long first = at >>> clusterBits;
                Allocator.Run run = ownDataFile ? new Allocator.Run(first, wanted) : tables.allocator.allocateUpTo(wanted);
                tables.needBarrier();
                long host = run.cluster() << clusterBits;
                long end = host + ((long) run.count() << clusterBits);
                if (written) {
                    dataFile.writeZeros(host, end - host);
                } else if (end > dataFile.askSize() && !ownDataFile) {
                    dataFile.storage().setSize(end);
                    dataFile.askSize();
                }
                for (int i = 0; i < run.count(); i++) {
                    long place = host + ((long) i << clusterBits);
                    mapper.set(at, place | L2Entry.DATA | L2Entry.COPIED, SubclusterWriter.ALL_ALLOCATED);
                    at += clusterSize;
                }
                tables.writeBackIfMany();
            }
            tables.commit();
        } finally {
            tables.changing.unlock();
        }
    }

    /** Gives the disk another size; whoever does that closes the image next. Nobody else uses it. */
    void resize(long size) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            if (size > header.size()) {
                grow(size);
            } else if (size < header.size()) {
                shrink(size);
            }
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    private void grow(long size) throws IOException {
        clearTail();
        tables.commit();
        tables.commit();
        if (tables.isRawDataFile()) {
            dataFile.storage().setSize(size);
        }
        long entries = header.l1EntriesFor(size);
        if (entries <= header.l1Size()) {
            tables.fields.size(size);
            tables.sync();
            return;
        }
        if (entries > Qcow2Header.MAX_L1_BYTES / Long.BYTES) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": a disk of " + size + " bytes is too large for clusters of " + clusterSize + " bytes",
                    null);
        }
        int clusters = (int) (entries * Long.BYTES + clusterSize - 1 >>> clusterBits);
        long place = tables.allocator.allocate(clusters);
        tables.allocator.claim(place, clusters, MetadataMap.Kind.L1_TABLE);
        long oldBytes = (long) header.l1Size() * Long.BYTES;
        copy(header.l1TableOffset(), place << clusterBits, oldBytes);
        file.writeZeros((place << clusterBits) + oldBytes, ((long) clusters << clusterBits) - oldBytes);
        tables.allocator.write();
        tables.sync();
        tables.fields.sizeAndL1Table(size, (int) entries, place << clusterBits);
        tables.sync();
        if (oldBytes > 0) {
            tables.allocator.add(header.l1TableOffset() >>> clusterBits, (oldBytes + clusterSize - 1) >>> clusterBits, -1);
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
    private void clearTail() throws IOException {
        int used = (int) header.size() & (clusterSize - 1);
        if (used == 0) {
            return;
        }
        long last = header.size() - used;
        long entry = mapper.lookup(last);
        if (tables.isInPlace(entry)) {
            tables.requireData(L2Entry.offset(entry), clusterSize);
            dataFile.writeZeros(L2Entry.offset(entry) + used, clusterSize - used);
        } else if (L2Entry.isCompressed(entry) || tables.hasPlace(entry)) {
            // a new place gets zeros behind the end
            ByteBuffer sector = ByteBuffer.allocate(512);
            reader.read(header.size() - 512, sector);
            clusters.write(header.size() - 512, sector.flip());
        }
    }

    private void shrink(long size) throws IOException {
        long end = header.size();
        long whole = size + clusterSize - 1 & -clusterSize;
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
