package dev.platter.partition;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Recognises the partition tables that are named but not read, by the magics, checksums and order of libblkid
 * (libblkid/src/partitions). Its tables without a magic worth the name (atari, ultrix, dasd) are left out.
 */
final class OtherTables {
    private static final int SGI_MAGIC = 0x0be5a941;
    private static final short SUN_MAGIC = (short) 0xdabe;
    private static final int AIX_MAGIC = 0xc9c2d4c1;
    private static final int BSD_MAGIC = 0x82564557;
    private static final int BSD_MOST_PARTITIONS = 22;
    private static final short MAC_DRIVER = 0x4552; // "ER"
    private static final short MAC_PARTITION = 0x504d; // "PM"

    private OtherTables() {}

    /** Returns the table that these first 512 bytes are, of those that count before an MBR, or null. */
    static @Nullable String beforeMbr(ByteBuffer sector) {
        ByteBuffer big = sector.duplicate().order(ByteOrder.BIG_ENDIAN);
        if (big.getInt(0) == AIX_MAGIC) {
            return "aix";
        }
        if (big.getInt(0) == SGI_MAGIC && sumOfInts(big) == 0) {
            return "sgi";
        }
        return big.getShort(508) == SUN_MAGIC && xorOfShorts(big) == 0 ? "sun" : null;
    }

    /** Returns the table of a disk without an MBR that begins with these bytes, 512 or more, or null. */
    static @Nullable String withoutMbr(ByteBuffer head) {
        if (isMac(head.duplicate().order(ByteOrder.BIG_ENDIAN))) {
            return "mac";
        }
        return isBsd(head, 512) || isBsd(head, 64) || isBsd(head, 128) ? "bsd" : null;
    }

    private static boolean isMac(ByteBuffer head) {
        int block = Short.toUnsignedInt(head.getShort(2));
        return head.getShort(0) == MAC_DRIVER
                && block >= 512
                && block <= head.limit() - 2
                && head.getShort(block) == MAC_PARTITION;
    }

    private static boolean isBsd(ByteBuffer head, int at) {
        return at <= head.limit() - 148
                && head.getInt(at) == BSD_MAGIC
                && head.getInt(at + 132) == BSD_MAGIC
                && Short.toUnsignedInt(head.getShort(at + 138)) <= BSD_MOST_PARTITIONS;
    }

    private static int sumOfInts(ByteBuffer sector) {
        int sum = 0;
        for (int at = 0; at < 512; at += 4) {
            sum += sector.getInt(at);
        }
        return sum;
    }

    private static int xorOfShorts(ByteBuffer sector) {
        int xor = 0;
        for (int at = 0; at < 512; at += 2) {
            xor ^= sector.getShort(at);
        }
        return xor & 0xffff;
    }
}
