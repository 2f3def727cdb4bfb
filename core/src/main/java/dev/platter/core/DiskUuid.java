package dev.platter.core;

import java.nio.ByteBuffer;
import java.util.Locale;

/** The two ways in which disks store a UUID, as text. */
public final class DiskUuid {

    private DiskUuid() {}

    /** Reads 16 bytes at {@code index} in their order, as Linux file systems store them; lower case. */
    public static String text(ByteBuffer bytes, int index) {
        StringBuilder out = new StringBuilder(36);
        for (int i = 0; i < 16; i++) {
            append(out, bytes.get(index + i), i);
        }
        return out.toString();
    }

    /**
     * Reads 16 bytes at {@code index} with the first three fields little-endian, as GPT and Microsoft store a GUID;
     * upper case. UEFI specification, appendix A.
     */
    public static String guid(ByteBuffer bytes, int index) {
        StringBuilder out = new StringBuilder(36);
        for (int i = 0; i < 16; i++) {
            int from = i < 4 ? 3 - i : i < 6 ? 9 - i : i < 8 ? 13 - i : i;
            append(out, bytes.get(index + from), i);
        }
        return out.toString().toUpperCase(Locale.ROOT);
    }

    /** Returns whether all 16 bytes at {@code index} are zero, which means that there is no UUID. */
    public static boolean isNil(ByteBuffer bytes, int index) {
        for (int i = 0; i < 16; i++) {
            if (bytes.get(index + i) != 0) {
                return false;
            }
        }
        return true;
    }

    private static void append(StringBuilder out, byte value, int i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) {
            out.append('-');
        }
        out.append(Character.forDigit(value >> 4 & 15, 16)).append(Character.forDigit(value & 15, 16));
    }
}
