package dev.platter.lvm;

import java.nio.ByteBuffer;

/**
 * The checksum of labels, area headers and texts: the reflected polynomial of CRC-32, begun with another value and not
 * inverted at the end. lvm2, lib/misc/crc.c ("initial value" in lib/format_text/layout.h).
 */
final class LvmCrc {
    private static final int INITIAL = 0xf597a6cf;
    private static final int[] TABLE = table();

    private LvmCrc() {}

    /** Returns the checksum of the bytes from {@code from} to before {@code to}. */
    static int of(ByteBuffer bytes, int from, int to) {
        int crc = INITIAL;
        for (int i = from; i < to; i++) {
            crc = TABLE[(crc ^ bytes.get(i)) & 0xff] ^ crc >>> 8;
        }
        return crc;
    }

    private static int[] table() {
        int[] table = new int[256];
        for (int i = 0; i < table.length; i++) {
            int value = i;
            for (int bit = 0; bit < 8; bit++) {
                value = (value & 1) != 0 ? value >>> 1 ^ 0xedb88320 : value >>> 1;
            }
            table[i] = value;
        }
        return table;
    }
}
