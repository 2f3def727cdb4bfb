package dev.platter.partition;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/**
 * Tells boot sectors of file systems from partition tables: both end in 55 AA. The checks are those that libblkid makes on
 * the first sector before it believes in a dos table.
 */
final class BootSector {

    private BootSector() {}

    /** Returns the name of the file system that begins with this sector of at least 512 bytes, or null. */
    static @Nullable String fileSystem(ByteBuffer sector) {
        if (hasText(sector, 3, "-FVE-FS-")) {
            return "BitLocker";
        }
        if (isExfat(sector)) {
            return "exFAT";
        }
        if (isNtfs(sector)) {
            return "NTFS";
        }
        return isFat(sector) ? "FAT" : null;
    }

    /** Returns whether one of the first four 512-byte sectors of these first bytes of a disk is an LVM2 label. */
    static boolean hasLvmLabel(ByteBuffer head) {
        for (int at = 0; at < 4 * 512 && at <= head.limit() - 512; at += 512) {
            if (hasText(head, at, "LABELONE") && hasText(head, at + 24, "LVM2 001")) {
                return true;
            }
        }
        return false;
    }

    /** exFAT specification, 3.1 "Main and Backup Boot Sector Sub-regions". */
    private static boolean isExfat(ByteBuffer sector) {
        if (!hasText(sector, 3, "EXFAT   ")) {
            return false;
        }
        for (int i = 11; i < 64; i++) {
            if (sector.get(i) != 0) {
                return false;
            }
        }
        int sectorShift = sector.get(108);
        int fats = sector.get(110);
        return sectorShift >= 9 && sectorShift <= 12 && (fats == 1 || fats == 2);
    }

    /** The fields of a FAT parameter block that NTFS keeps at zero are what tells a real one. */
    private static boolean isNtfs(ByteBuffer sector) {
        return hasText(sector, 3, "NTFS    ")
                && isPowerOfTwo(u16(sector, 11), 256, 4096)
                && u16(sector, 14) == 0
                && sector.get(16) == 0
                && u16(sector, 17) == 0
                && u16(sector, 19) == 0
                && u16(sector, 22) == 0
                && sector.getInt(32) == 0;
    }

    /** FAT specification ("fatgen103"), "Boot Sector and BPB"; OS/2 puts such blocks before JFS and HPFS. */
    private static boolean isFat(ByteBuffer sector) {
        int media = Byte.toUnsignedInt(sector.get(21));
        boolean hasSectors = u16(sector, 19) != 0 || sector.getInt(32) != 0;
        boolean hasFats = u16(sector, 22) != 0 || sector.getInt(36) != 0;
        return isPowerOfTwo(u16(sector, 11), 512, 4096)
                && isPowerOfTwo(Byte.toUnsignedInt(sector.get(13)), 1, 128)
                && u16(sector, 14) != 0
                && sector.get(16) != 0
                && hasSectors
                && (media == 0xf0 || media >= 0xf8)
                && hasFats
                && !hasText(sector, 54, "JFS     ")
                && !hasText(sector, 54, "HPFS    ");
    }

    private static boolean isPowerOfTwo(int value, int least, int most) {
        return value >= least && value <= most && Integer.bitCount(value) == 1;
    }

    private static int u16(ByteBuffer bytes, int at) {
        return Short.toUnsignedInt(bytes.getShort(at));
    }

    private static boolean hasText(ByteBuffer bytes, int at, String text) {
        return bytes.slice(at, text.length()).equals(StandardCharsets.US_ASCII.encode(text));
    }
}
