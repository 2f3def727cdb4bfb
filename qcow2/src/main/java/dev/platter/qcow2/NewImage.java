package dev.platter.qcow2;

import dev.platter.core.BlockIOException;
import dev.platter.core.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * The first bytes of a new image: header, refcount table and blocks, and an empty L1 table, one behind the other. Source:
 * qcow2.rst, "Header" and "Header extensions"; the order is qemu's.
 */
final class NewImage {
    private static final int V2_LENGTH = 72;
    private static final int V3_LENGTH = 112;
    private static final int FEATURE_ENTRY = 48;
    private static final String[] FEATURES = {
        "\0\0dirty bit",
        "\0\1corrupt bit",
        "\0\2external data file",
        "\0\3compression type",
        "\0\4extended L2 entries",
        "\1\0lazy refcounts",
        "\2\0bitmaps",
        "\2\1raw external data"
    };

    private final CreateOptions options;
    private final int clusterSize;
    private final long l1Entries;
    private final long l1Clusters;
    private final long tableClusters;
    private final long blocks;

    NewImage(CreateOptions options) {
        this.options = options;
        this.clusterSize = options.clusterSize();
        int l2Entries = clusterSize / (options.extendedL2() ? 16 : 8);
        this.l1Entries = ceil(ceil(options.size(), clusterSize), l2Entries);
        this.l1Clusters = ceil(l1Entries * Long.BYTES, clusterSize);
        long perBlock = clusterSize * 8L / options.refcountBits();
        long blocksNeeded = 1;
        long tableNeeded = 1;
        while (blocksNeeded * perBlock < 1 + tableNeeded + blocksNeeded + l1Clusters) {
            blocksNeeded++;
            tableNeeded = ceil(blocksNeeded * Long.BYTES, clusterSize);
        }
        this.blocks = blocksNeeded;
        this.tableClusters = tableNeeded;
    }

    private static long ceil(long value, long unit) {
        return value / unit + (value % unit == 0 ? 0 : 1);
    }

    void requirePossible(String name) throws BlockIOException {
        if (l1Entries * Long.BYTES > Qcow2Header.MAX_L1_BYTES) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    name + ": a disk of " + options.size() + " bytes is too large for clusters of " + clusterSize
                            + " bytes; larger clusters can map it",
                    null);
        }
        firstCluster();
    }

    void write(Storage storage) throws IOException {
        storage.setSize(0);
        long clusters = 1 + tableClusters + blocks + l1Clusters;
        storage.setSize(clusters * clusterSize);
        ByteBuffer table = ByteBuffer.allocate((int) blocks * Long.BYTES);
        for (long i = 0; i < blocks; i++) {
            table.putLong((1 + tableClusters + i) * clusterSize);
        }
        storage.write(clusterSize, table.flip());
        writeRefcounts(storage, clusters);
        storage.write(0, firstCluster());
        storage.flush();
    }

    private void writeRefcounts(Storage storage, long clusters) throws IOException {
        int order = Integer.numberOfTrailingZeros(options.refcountBits());
        ByteBuffer block = ByteBuffer.allocate(clusterSize);
        int perBlock = (int) ((clusterSize * 8L) >>> order);
        for (long i = 0; i < blocks; i++) {
            block.clear();
            for (int k = 0; k < perBlock; k++) {
                Refcounts.put(block, k, order, i * perBlock + k < clusters ? 1 : 0);
            }
            storage.write((1 + tableClusters + i) * clusterSize, block);
        }
    }

    private ByteBuffer firstCluster() throws BlockIOException {
        ByteBuffer bytes = ByteBuffer.allocate(clusterSize);
        boolean version3 = options.version() == 3;
        long incompatible = (options.dataFile() == null ? 0 : Qcow2Header.INCOMPAT_DATA_FILE)
                | (options.compressionType() == CreateOptions.CompressionType.ZLIB
                        ? 0
                        : Qcow2Header.INCOMPAT_COMPRESSION)
                | (options.extendedL2() ? Qcow2Header.INCOMPAT_EXTENDED_L2 : 0);
        bytes.putInt(Qcow2Header.MAGIC).putInt(options.version()).position(20);
        bytes.putInt(Integer.numberOfTrailingZeros(clusterSize))
                .putLong(options.size())
                .putInt(0);
        bytes.putInt((int) l1Entries).putLong(l1Entries == 0 ? 0 : (1 + tableClusters + blocks) * clusterSize);
        bytes.putLong(clusterSize).putInt((int) tableClusters).putInt(0).putLong(0);
        if (version3) {
            bytes.putLong(incompatible);
            bytes.putLong(options.lazyRefcounts() ? Qcow2Header.COMPAT_LAZY_REFCOUNTS : 0);
            bytes.putLong(options.dataFileRaw() ? Qcow2Header.AUTOCLEAR_DATA_FILE_RAW : 0);
            bytes.putInt(Integer.numberOfTrailingZeros(options.refcountBits())).putInt(V3_LENGTH);
            bytes.put((byte) ((incompatible & Qcow2Header.INCOMPAT_COMPRESSION) == 0 ? 0 : 1));
        }
        bytes.position(version3 ? V3_LENGTH : V2_LENGTH);
        String backing = options.backingFile();
        int nameLength = backing == null ? 0 : backing.getBytes(StandardCharsets.UTF_8).length;
        if (options.backingFormat() != null) {
            extension(bytes, HeaderExtensions.TYPE_BACKING_FORMAT, utf8(options.backingFormat()));
        }
        if (options.dataFile() != null) {
            extension(bytes, HeaderExtensions.TYPE_DATA_FILE, utf8(options.dataFile()));
        }
        int featureBytes = 8 + FEATURES.length * FEATURE_ENTRY;
        if (version3 && bytes.remaining() >= featureBytes + 8 + nameLength) {
            extension(bytes, HeaderExtensions.TYPE_FEATURE_NAMES, featureNames());
        }
        if (bytes.remaining() < 8 + nameLength) {
            throw tooLong();
        }
        bytes.putLong(0);
        if (backing != null) {
            bytes.putLong(8, bytes.position()).putInt(16, nameLength);
            bytes.put(utf8(backing));
        }
        return bytes.clear();
    }

    private void extension(ByteBuffer into, int type, byte[] data) throws BlockIOException {
        if (into.remaining() < 16 + data.length) {
            throw tooLong();
        }
        into.putInt(type).putInt(data.length).put(data);
        into.position(into.position() + 7 & -8);
    }

    private BlockIOException tooLong() {
        return new BlockIOException(
                BlockIOException.Kind.NOT_SUPPORTED,
                "the names of backing file and data file do not fit into the header, which is a cluster of "
                        + clusterSize + " bytes",
                null);
    }

    /** Returns the names of feature bits, as qemu writes them. */
    static byte[] featureNames() {
        ByteBuffer names = ByteBuffer.allocate(FEATURES.length * FEATURE_ENTRY);
        for (int i = 0; i < FEATURES.length; i++) {
            names.put(i * FEATURE_ENTRY, FEATURES[i].getBytes(StandardCharsets.US_ASCII));
        }
        return names.array();
    }

    private static byte[] utf8(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
