package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The boot sector of NTFS as stored. Linux, fs/ntfs3/ntfs.h, "struct NTFS_BOOT"; bounds of libblkid, ntfs.c.
 *
 * @param clusterCode sectors of a cluster, or from 0xf0 on 256 minus the exponent of their number
 * @param recordCode clusters of an MFT record, or when negative minus the exponent of its bytes
 * @param unusedZero whether the fields are zero that FAT has and NTFS has not
 */
record NtfsBootSector(
        int sectorSize,
        int clusterCode,
        long sectors,
        long mftCluster,
        long mirrorCluster,
        int recordCode,
        long serial,
        boolean unusedZero) {

    static final int SIZE = 512;
    static final int MAGIC_OFFSET = 3;
    static final String MAGIC = "NTFS    ";
    private static final int LARGEST_CLUSTER = 2 << 20;

    static NtfsBootSector parse(ByteBuffer sector) {
        boolean zero =
                u16(sector, 14) == 0 && Fields.isZero(sector, 16, 5) && u16(sector, 22) == 0 && sector.getInt(32) == 0;
        return new NtfsBootSector(
                u16(sector, 11),
                u8(sector, 13),
                sector.getLong(0x28),
                sector.getLong(0x30),
                sector.getLong(0x38),
                sector.get(0x40),
                sector.getLong(0x48),
                zero);
    }

    /** What makes it unusable, or null. */
    @Nullable
    String flaw() {
        if (!Fields.isPowerOfTwo(sectorSize) || sectorSize < 256 || sectorSize > 4096) {
            return "sector size is " + sectorSize + ", allowed are powers of two, 256..4096";
        }
        long cluster = clusterBytes();
        if (!Fields.isPowerOfTwo(cluster) || cluster > LARGEST_CLUSTER) {
            return String.format("sectors per cluster are 0x%02x, which is no cluster of up to 2 MiB", clusterCode);
        }
        if (!unusedZero) {
            return "fields of FAT are not zero";
        }
        if (recordBytes() < 256 || recordBytes() > 1 << 16 || !Fields.isPowerOfTwo(recordBytes())) {
            return "MFT record size is coded as " + recordCode + ", allowed sizes are powers of two, 256..65536";
        }
        if (sectors <= 0 || clusters() > Long.MAX_VALUE / cluster) {
            return Long.toUnsignedString(sectors) + " sectors";
        }
        if (mftCluster < 0 || mftCluster > clusters() || mirrorCluster < 0 || mirrorCluster > clusters()) {
            return "MFT at clusters " + Long.toUnsignedString(mftCluster) + " and "
                    + Long.toUnsignedString(mirrorCluster) + " of " + clusters();
        }
        return null;
    }

    /** Bytes of a cluster; 0 or no power of two where the code makes no sense. */
    int clusterBytes() {
        if (clusterCode < 240) {
            return sectorSize * clusterCode;
        }
        return 256 - clusterCode > 12 ? 0 : sectorSize << (256 - clusterCode);
    }

    /** Bytes of an MFT record; 0 where the code makes no sense. */
    int recordBytes() {
        if (recordCode > 0) {
            return (int) Math.min(Integer.MAX_VALUE, (long) recordCode * clusterBytes());
        }
        return recordCode < -30 ? 0 : 1 << -recordCode;
    }

    long clusters() {
        return sectors / Math.max(1, clusterBytes() / sectorSize);
    }

    /** Offset of a record in the first run of the MFT, which holds at least the system files; call without flaw. */
    long recordOffset(int number) {
        return mftCluster * clusterBytes() + (long) number * recordBytes();
    }
}
