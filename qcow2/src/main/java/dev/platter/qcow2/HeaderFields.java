package dev.platter.qcow2;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Writes single fields of the header, each in one write inside one sector, so that after a crash the old or the new value
 * is there. Source: qcow2.rst, "Header". Not safe for several threads.
 */
final class HeaderFields {
    private static final int SIZE = 24;
    private static final int REFCOUNT_TABLE = 48;
    private static final int INCOMPATIBLE_FEATURES = 72;
    private static final int AUTOCLEAR_FEATURES = 88;

    private final HostFile file;

    HeaderFields(HostFile file) {
        this.file = file;
    }

    void size(long bytes) throws IOException {
        put(SIZE, ByteBuffer.allocate(8).putLong(bytes));
    }

    /** The size of the disk and the L1 table for it. */
    void sizeAndL1Table(long bytes, int entries, long offset) throws IOException {
        put(
                SIZE,
                ByteBuffer.allocate(24).putLong(bytes).putInt(0).putInt(entries).putLong(offset));
    }

    void refcountTable(long offset, int clusters) throws IOException {
        put(REFCOUNT_TABLE, ByteBuffer.allocate(12).putLong(offset).putInt(clusters));
    }

    void incompatibleFeatures(long bits) throws IOException {
        put(INCOMPATIBLE_FEATURES, ByteBuffer.allocate(8).putLong(bits));
    }

    void autoclearFeatures(long bits) throws IOException {
        put(AUTOCLEAR_FEATURES, ByteBuffer.allocate(8).putLong(bits));
    }

    /** Everything that names tables, and the size of the disk, in one write. */
    void tables(
            long size,
            int l1Size,
            long l1Offset,
            long refcountTable,
            int refcountTableClusters,
            int snapshots,
            long snapshotsOffset)
            throws IOException {
        ByteBuffer fields =
                ByteBuffer.allocate(48).putLong(size).putInt(0).putInt(l1Size).putLong(l1Offset);
        fields.putLong(refcountTable)
                .putInt(refcountTableClusters)
                .putInt(snapshots)
                .putLong(snapshotsOffset);
        put(SIZE, fields);
    }

    private void put(int at, ByteBuffer value) throws IOException {
        try {
            file.write(at, value.flip());
        } catch (IOException e) {
            // nobody knows which tables it names now
            file.breakOff(e);
            throw e;
        }
    }
}
