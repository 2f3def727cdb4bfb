package dev.platter.fuzz;

import java.nio.ByteBuffer;
import java.util.Arrays;

/**
 * Makes the header of a qcow2 image one that opens, so that a fuzzer gets to what lies behind it. The changes are the
 * smallest that do: tables, extensions and all that opening does not need stay as the fuzzer made them. Offsets:
 * qcow2.rst, "Header".
 */
public final class Qcow2Bytes {
    private static final int V3_LENGTH = 112;
    private static final int COMPRESSION = 1 << 3;
    private static final int EXTENDED_L2 = 1 << 4;
    private static final int COMPRESSION_TYPE_AT = 104;

    private final ByteBuffer image;

    private Qcow2Bytes(ByteBuffer image) {
        this.image = image;
    }

    /** Returns a copy with a header that opens; 1 KiB long or longer. */
    public static byte[] openable(byte[] bytes) {
        byte[] copy = Arrays.copyOf(bytes, Math.max(1024, bytes.length));
        new Qcow2Bytes(ByteBuffer.wrap(copy)).repair();
        return copy;
    }

    private void repair() {
        image.putInt(0, 0x514649fb);
        if (image.getInt(4) != 2) {
            image.putInt(4, 3);
            repairFeatures();
        }
        boolean extended = image.getInt(4) == 3 && (image.getLong(72) & EXTENDED_L2) != 0;
        int clusterBits = clusterBits(extended ? 14 : 9);
        image.putInt(20, clusterBits);
        image.putInt(32, image.getInt(32) & 1);
        repairTable(2 * clusterBits - (extended ? 4 : 3), 1L << clusterBits);
        image.putLong(48, image.getLong(48) & Long.MAX_VALUE & -1L << clusterBits);
        image.putLong(64, image.getLong(64) & Long.MAX_VALUE & -1L << clusterBits);
        if (image.getLong(8) != 0) {
            image.putLong(8, Math.floorMod(image.getLong(8), 1L << clusterBits));
            image.putInt(16, image.getInt(16) & 0x3f);
        }
    }

    private void repairFeatures() {
        long features = image.getLong(72) & (1 << 5) - 1;
        image.putLong(72, features & ~COMPRESSION);
        image.putInt(96, image.getInt(96) & 7);
        image.putInt(100, V3_LENGTH);
        if ((features & COMPRESSION) != 0) {
            image.putLong(72, features);
            image.put(COMPRESSION_TYPE_AT, (byte) 1);
        } else {
            image.put(COMPRESSION_TYPE_AT, (byte) 0);
        }
    }

    private int clusterBits(int least) {
        int bits = image.getInt(20);
        return bits >= least && bits <= 21 ? bits : least;
    }

    /** A table of as many entries as the disk needs, and a disk of no more than the file can map. */
    private void repairTable(int tableShift, long clusterSize) {
        long at = image.getLong(40) & Long.MAX_VALUE & -clusterSize;
        if (at == 0 || at >= image.capacity()) {
            at = Math.min(clusterSize, (image.capacity() - 1) & -clusterSize);
        }
        long most = (image.capacity() - at) / Long.BYTES;
        long size = image.getLong(24) & Long.MAX_VALUE;
        long needed = (size >>> tableShift) + ((size & ((1L << tableShift) - 1)) == 0 ? 0 : 1);
        if (needed > most) {
            size = most > Long.MAX_VALUE >>> tableShift ? Long.MAX_VALUE : most << tableShift;
            needed = most;
        }
        image.putLong(24, size);
        image.putInt(36, (int) needed);
        image.putLong(40, at);
    }
}
