package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Takes entries that say zero out of the disk's tables, because version 2 of the format has none: where nothing lies below
 * they become unallocated, elsewhere zeros are written. Nobody else uses the image.
 */
final class ZeroExpansion {
    private final Qcow2Header header;
    private final ClusterMapper mapper;
    private final TableWriter tables;
    private final ClusterWriter clusters;
    private final @Nullable BlockDevice backing;
    private final int clusterSize;

    ZeroExpansion(
            Qcow2Header header,
            ClusterMapper mapper,
            TableWriter tables,
            ClusterWriter clusters,
            @Nullable BlockDevice backing) {
        this.header = header;
        this.mapper = mapper;
        this.tables = tables;
        this.clusters = clusters;
        this.backing = backing;
        this.clusterSize = header.clusterSize();
    }

    /** @param walked told how many bytes of the disk were gone through */
    void expand(LongConsumer walked) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            // all of the table counts, also what the disk does not need
            mapper.moved(header.l1TableOffset(), header.l1Size());
            long end = (long) header.l1Size() << (header.clusterBits() + header.l2Bits());
            for (long at = 0; at < end; ) {
                long empty = mapper.runEnd(at, end, L2Entry.UNALLOCATED);
                at = empty > at ? empty : expandSlice(at, end);
                walked.accept(Math.min(at, header.size()));
            }
            tables.commit();
            tables.commit();
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    private long expandSlice(long at, long to) throws IOException {
        long stop = Math.min(to, mapper.sliceEnd(at));
        long visible = backing == null ? 0 : Math.min(backing.size(), header.size());
        for (long position = at; position < stop; position += clusterSize) {
            long entry = mapper.lookup(position);
            int kind = L2Entry.kind(entry);
            if (L2Entry.isCompressed(entry) || (kind != L2Entry.ZERO && kind != L2Entry.ZERO_ALLOCATED)) {
                continue;
            }
            if (position < visible) {
                clusters.write(position, ByteBuffer.allocate((int) Math.min(clusterSize, header.size() - position)));
            } else {
                tables.ensureTable(position);
                tables.change(position, L2Entry.UNALLOCATED, 0);
                tables.free(entry);
            }
        }
        tables.writeBackIfMany();
        return stop;
    }
}
