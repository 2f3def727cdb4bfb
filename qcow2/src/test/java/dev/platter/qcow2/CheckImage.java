package dev.platter.qcow2;

import dev.platter.core.BlockDevices;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * A small image whose tables are written word by word: header in cluster 0, refcount table in 1, one refcount block in 2,
 * L1 table in 3. All refcounts begin as 0.
 */
final class CheckImage {
    private final int clusterBits;
    private final ByteBuffer bytes;

    CheckImage(int clusterBits, int refcountOrder, int clusters, int l1Entries) {
        this.clusterBits = clusterBits;
        this.bytes = ByteBuffer.allocate(clusters << clusterBits);
        bytes.putInt(0, Qcow2Header.MAGIC).putInt(4, 3).putInt(20, clusterBits);
        bytes.putLong(24, (long) l1Entries << (2 * clusterBits - 3));
        bytes.putInt(36, l1Entries).putLong(40, at(3)).putLong(48, at(1)).putInt(56, 1);
        bytes.putInt(96, refcountOrder).putInt(100, 104);
        bytes.putLong((int) at(1), at(2));
    }

    /** The offset of a cluster. */
    long at(int cluster) {
        return (long) cluster << clusterBits;
    }

    CheckImage l1(int index, long entry) {
        return put(3, index, entry);
    }

    /** Writes word {@code index} of a cluster. */
    CheckImage put(int cluster, int index, long value) {
        bytes.putLong((int) at(cluster) + index * Long.BYTES, value);
        return this;
    }

    /** Writes a refcount; for refcounts of 16 bits. */
    CheckImage refcount(int cluster, int refcount) {
        bytes.putShort((int) at(2) + cluster * Short.BYTES, (short) refcount);
        return this;
    }

    ByteBuffer bytes() {
        return bytes;
    }

    CheckReport check(CheckListener listener) throws IOException {
        return check(bytes, listener, Limits.defaults(), 15 << 20);
    }

    CheckReport check(CheckListener listener, int windowSize) throws IOException {
        return check(bytes, listener, Limits.defaults(), windowSize);
    }

    static CheckReport check(ByteBuffer image, CheckListener listener, Limits limits, int windowSize)
            throws IOException {
        try (Storage storage = Storages.of(BlockDevices.ofBytes("check.qcow2", image))) {
            return check(storage, listener, limits, windowSize);
        }
    }

    static CheckReport check(Storage storage, CheckListener listener, Limits limits, int windowSize)
            throws IOException {
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), OpenOptions.defaults());
        return new Qcow2Check(header, file, List.of(), List.of(), limits, listener, windowSize, null).run();
    }
}
