package dev.platter.benchmarks;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;

/**
 * A qcow2 image with 64 KiB clusters whose every cluster is mapped, and the same disk as a raw file. Only tables are
 * written; data clusters are holes of a sparse file unless {@code withData} fills them, so that an image can be larger
 * than the disk that it is made on.
 */
public final class MappedImage implements Closeable {
    private static final int CLUSTER = 64 << 10;
    private static final int TABLE_ENTRIES = CLUSTER / Long.BYTES;

    private final Path folder;
    private final int tables;

    private MappedImage(Path folder, int tables) {
        this.folder = folder;
        this.tables = tables;
    }

    /**
     * Makes an image.
     *
     * @param tables L2 tables; each maps 512 MiB
     * @param fragmented whether the clusters lie in the file in random order
     * @param dataClusters clusters from the beginning of the disk that get bytes, in the image and in the raw file
     */
    public static MappedImage create(int tables, boolean fragmented, int dataClusters) throws IOException {
        MappedImage image = new MappedImage(Files.createTempDirectory("platter-benchmark"), tables);
        image.write(fragmented, dataClusters);
        return image;
    }

    /** Returns the image. */
    public Path qcow2() {
        return folder.resolve("image.qcow2");
    }

    /** Returns the same disk as a raw file, as long as its data clusters. */
    public Path raw() {
        return folder.resolve("image.raw");
    }

    /** Returns the size of the disk in bytes. */
    public long diskSize() {
        return (long) tables * TABLE_ENTRIES * CLUSTER;
    }

    private void write(boolean fragmented, int dataClusters) throws IOException {
        // header, L1 table, L2 tables, data
        long l1Offset = CLUSTER;
        long l1Clusters = (tables * (long) Long.BYTES + CLUSTER - 1) / CLUSTER;
        long l2Offset = l1Offset + l1Clusters * CLUSTER;
        long dataOffset = l2Offset + (long) tables * CLUSTER;
        try (FileChannel file = open(qcow2());
                FileChannel raw = open(raw())) {
            file.write(header(l1Offset), 0);
            ByteBuffer l1 = ByteBuffer.allocate(tables * Long.BYTES);
            for (int i = 0; i < tables; i++) {
                l1.putLong(l2Offset + (long) i * CLUSTER | 1L << 63);
            }
            file.write(l1.flip(), l1Offset);
            int[] order = order(TABLE_ENTRIES, fragmented);
            ByteBuffer l2 = ByteBuffer.allocate(CLUSTER);
            for (int i = 0; i < tables; i++) {
                l2.clear();
                long tableData = dataOffset + (long) i * TABLE_ENTRIES * CLUSTER;
                for (int j = 0; j < TABLE_ENTRIES; j++) {
                    l2.putLong(tableData + (long) order[j] * CLUSTER | 1L << 63);
                }
                file.write(l2.flip(), l2Offset + (long) i * CLUSTER);
            }
            ByteBuffer data = ByteBuffer.allocateDirect(CLUSTER);
            for (int i = 0; i < dataClusters; i++) {
                fill(data.clear(), i);
                long host =
                        dataOffset + (long) (i / TABLE_ENTRIES * TABLE_ENTRIES + order[i % TABLE_ENTRIES]) * CLUSTER;
                file.write(data.duplicate(), host);
                raw.write(data, (long) i * CLUSTER);
            }
            file.write(ByteBuffer.allocate(1), dataOffset + diskSize() - 1);
        }
    }

    private static FileChannel open(Path path) throws IOException {
        return FileChannel.open(path, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE);
    }

    private ByteBuffer header(long l1Offset) {
        ByteBuffer header = ByteBuffer.allocate(112);
        header.putInt(0, 0x514649fb).putInt(4, 3).putInt(20, 16).putLong(24, diskSize());
        header.putInt(36, tables).putLong(40, l1Offset);
        // no refcounts: reading needs none
        header.putLong(48, 0).putInt(56, 1).putInt(96, 4).putInt(100, 112);
        return header;
    }

    private static int[] order(int count, boolean fragmented) {
        int[] order = new int[count];
        for (int i = 0; i < count; i++) {
            order[i] = i;
        }
        Random random = new Random(1);
        for (int i = count - 1; fragmented && i > 0; i--) {
            int j = random.nextInt(i + 1);
            int swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
        return order;
    }

    private static void fill(ByteBuffer data, int seed) {
        Random random = new Random(seed);
        while (data.hasRemaining()) {
            data.putLong(random.nextLong());
        }
        data.flip();
    }

    @Override
    public void close() throws IOException {
        Files.deleteIfExists(qcow2());
        Files.deleteIfExists(raw());
        Files.deleteIfExists(folder);
    }
}
