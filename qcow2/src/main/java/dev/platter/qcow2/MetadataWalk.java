package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Finds where an image that will be written keeps its tables, but for refcounts, and claims their clusters. */
final class MetadataWalk {
    private static final int PIECE_BYTES = 64 << 10;

    private final Qcow2Header header;
    private final HostFile file;
    private final MetadataMap metadata;

    MetadataWalk(Qcow2Header header, HostFile file, MetadataMap metadata) {
        this.header = header;
        this.file = file;
        this.metadata = metadata;
    }

    /**
     * Claims the clusters of all tables.
     *
     * @throws CorruptImageException if two lie in one place, or one in none
     */
    void claim(List<Snapshot> snapshots, List<Bitmap> bitmaps) throws IOException {
        claimRange(header.l1TableOffset(), (long) header.l1Size() * Long.BYTES, MetadataMap.Kind.L1_TABLE);
        claimL2Tables();
        if (!snapshots.isEmpty()) {
            Snapshot last = snapshots.get(snapshots.size() - 1);
            long end = last.tableOffset() + last.entryBytes();
            claimRange(header.snapshotsOffset(), end - header.snapshotsOffset(), MetadataMap.Kind.SNAPSHOT_TABLE);
        }
        for (Snapshot snapshot : snapshots) {
            claimRange(snapshot.l1TableOffset(), snapshot.l1Size() * Long.BYTES, MetadataMap.Kind.SNAPSHOT_L1_TABLE);
        }
        HeaderExtensions.BitmapDirectoryLocation directory = header.extensions().bitmaps();
        if (!bitmaps.isEmpty() && directory != null) {
            claimRange(directory.offset(), directory.size(), MetadataMap.Kind.BITMAPS);
        }
    }

    private void claimRange(long offset, long length, MetadataMap.Kind kind) throws IOException {
        if (length > 0) {
            long first = offset >>> header.clusterBits();
            long last = (offset + length - 1) >>> header.clusterBits();
            metadata.claim(first, last - first + 1, kind);
        }
    }

    private void claimL2Tables() throws IOException {
        ByteBuffer raw = DirectBuffers.allocate(PIECE_BYTES);
        long bytes = (long) header.l1Size() * Long.BYTES;
        for (long at = 0; at < bytes; at += raw.capacity()) {
            raw.clear().limit((int) Math.min(raw.capacity(), bytes - at));
            file.readPadded(header.l1TableOffset() + at, raw);
            raw.flip();
            for (int i = 0; i < raw.limit(); i += Long.BYTES) {
                claimL2Table(at / Long.BYTES + i / Long.BYTES, raw.getLong(i));
            }
        }
    }

    private void claimL2Table(long index, long entry) throws IOException {
        long table = L2Entry.offset(entry);
        if (table == 0) {
            return;
        }
        if ((table & (header.clusterSize() - 1)) != 0) {
            throw new CorruptImageException(file.name() + ": L1 entry " + index + ": the L2 table is said to be at "
                    + table + ", which is not aligned to the cluster size " + header.clusterSize()
                    + "; the image can be read, but not written");
        }
        if (!file.holds(table, header.clusterSize())) {
            throw file.truncated("L2 table", table);
        }
        metadata.claim(table >>> header.clusterBits(), 1, MetadataMap.Kind.L2_TABLE);
    }
}
