package dev.platter.qcow2;

import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.zip.Deflater;

/**
 * An image in memory with as many L2 tables as its mapper cannot keep: clusters of 512 bytes, 64 to a table. The byte of a
 * cluster is its number; those of every second table are compressed.
 */
final class StressImage {
    static final int CLUSTER = 512;
    static final int TABLES = 8;
    static final int PER_TABLE = CLUSTER / Long.BYTES;
    static final long SIZE = (long) TABLES * PER_TABLE * CLUSTER;

    private static final int L1_AT = CLUSTER;
    private static final int L2_AT = 2 * CLUSTER;
    private static final int DATA_AT = L2_AT + TABLES * CLUSTER;
    private static final byte[] BYTES = make();

    private StressImage() {}

    static Storage storage() {
        return Storages.of(BlockDevices.ofBytes("stress.qcow2", ByteBuffer.wrap(BYTES)));
    }

    static DiskImage open() {
        try {
            return DiskImages.open(storage(), OpenOptions.defaults());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A mapper whose cache has one slot, for which all tables compete. */
    static ClusterMapper mapper() {
        try {
            Storage storage = storage();
            Qcow2Header header = Qcow2Header.read(storage);
            HostFile file = new HostFile(storage, CLUSTER, OpenOptions.defaults());
            return new ClusterMapper(
                    header, file, file, L1_AT, header.l1EntriesFor(SIZE), 1, Long.MAX_VALUE, warning -> {});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static boolean isCompressed(int table) {
        return table % 2 == 1;
    }

    /** The byte that fills a cluster. */
    static byte fill(int cluster) {
        return (byte) (cluster * 31 + 1);
    }

    /** Where a cluster that is not compressed lies. */
    static long host(int cluster) {
        return DATA_AT + (long) cluster * CLUSTER;
    }

    private static byte[] make() {
        int clusters = TABLES * PER_TABLE;
        ByteBuffer bytes = ByteBuffer.allocate((int) host(clusters));
        bytes.putInt(0, Qcow2Header.MAGIC).putInt(4, 3).putInt(20, 9).putLong(24, SIZE);
        bytes.putInt(36, TABLES).putLong(40, L1_AT).putInt(56, 1).putInt(96, 4).putInt(100, 104);
        for (int table = 0; table < TABLES; table++) {
            bytes.putLong(L1_AT + table * Long.BYTES, L2_AT + (long) table * CLUSTER);
        }
        for (int cluster = 0; cluster < clusters; cluster++) {
            byte[] plain = new byte[CLUSTER];
            Arrays.fill(plain, fill(cluster));
            boolean compressed = isCompressed(cluster / PER_TABLE);
            bytes.put((int) host(cluster), compressed ? deflate(plain) : plain);
            bytes.putLong(
                    L2_AT + cluster * Long.BYTES, compressed ? L2Entry.COMPRESSED | host(cluster) : host(cluster));
        }
        return bytes.array();
    }

    private static byte[] deflate(byte[] plain) {
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        try {
            deflater.setInput(plain);
            deflater.finish();
            byte[] chunk = new byte[CLUSTER];
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            out.write(chunk, 0, deflater.deflate(chunk));
            return out.toByteArray();
        } finally {
            deflater.end();
        }
    }
}
