package dev.platter.filesystem;

import dev.platter.core.DiskUuid;
import dev.platter.core.Printable;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** Fields of on-disk structures: unsigned numbers in the order of the buffer, and text. Absolute positions only. */
final class Fields {

    private Fields() {}

    static int u8(ByteBuffer bytes, int index) {
        return bytes.get(index) & 0xff;
    }

    static int u16(ByteBuffer bytes, int index) {
        return bytes.getShort(index) & 0xffff;
    }

    static long u32(ByteBuffer bytes, int index) {
        return bytes.getInt(index) & 0xffff_ffffL;
    }

    /** Returns whether the bytes at {@code index} are the characters of {@code magic}, all below 0x100. */
    static boolean has(ByteBuffer bytes, int index, String magic) {
        if (magic.length() > bytes.limit() - index) {
            return false;
        }
        for (int i = 0; i < magic.length(); i++) {
            if (u8(bytes, index + i) != magic.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    static boolean isZero(ByteBuffer bytes, int index, int length) {
        for (int i = index; i < index + length; i++) {
            if (bytes.get(i) != 0) {
                return false;
            }
        }
        return true;
    }

    /** UTF-8 up to a NUL or the end of the field, without trailing blanks; null when nothing is left. */
    static @Nullable String text(ByteBuffer bytes, int index, int length) {
        int end = index;
        while (end < index + length && bytes.get(end) != 0) {
            end++;
        }
        return orNull(Printable.utf8(bytes.slice(index, end - index)));
    }

    /** UTF-16 of {@code units} code units up to a NUL, without trailing blanks; null when nothing is left. */
    static @Nullable String utf16(ByteBuffer bytes, int index, int units, Charset charset) {
        String all = charset.decode(bytes.slice(index, 2 * units)).toString();
        int nul = all.indexOf('\0');
        return orNull(nul < 0 ? all : all.substring(0, nul));
    }

    static @Nullable String utf16le(ByteBuffer bytes, int index, int units) {
        return utf16(bytes, index, units, StandardCharsets.UTF_16LE);
    }

    /** A UUID in byte order, lower case; null when it is all zero. */
    static @Nullable String uuid(ByteBuffer bytes, int index) {
        return DiskUuid.isNil(bytes, index) ? null : DiskUuid.text(bytes, index);
    }

    /** A UUID with little-endian leading fields, lower case; null when it is all zero. */
    static @Nullable String guid(ByteBuffer bytes, int index) {
        return DiskUuid.isNil(bytes, index) ? null : DiskUuid.guid(bytes, index).toLowerCase(Locale.ROOT);
    }

    /** The serial number of a FAT or exFAT volume, as DOS prints it. */
    static String serial(long number) {
        return String.format("%04X-%04X", number >> 16, number & 0xffff);
    }

    static boolean isPowerOfTwo(long value) {
        return value > 0 && (value & value - 1) == 0;
    }

    /** Counts the set bits among the first {@code bits}, least significant bit of a byte first. */
    static int countSetBits(ByteBuffer bytes, int bits) {
        int set = 0;
        int at = 0;
        for (; at + 64 <= bits; at += 64) {
            set += Long.bitCount(bytes.getLong(at / 8));
        }
        for (; at < bits; at++) {
            set += bytes.get(at / 8) >> at % 8 & 1;
        }
        return set;
    }

    private static @Nullable String orNull(String text) {
        String trimmed = text.stripTrailing();
        return trimmed.isEmpty() ? null : trimmed;
    }
}
