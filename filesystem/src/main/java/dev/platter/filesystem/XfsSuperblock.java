package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The superblock of XFS as stored, big-endian but for its checksum. XFS Algorithms &amp; Data Structures, "Superblocks";
 * the bounds are those of libblkid, xfs.c.
 *
 * @param dataBlocks sb_dblocks
 * @param logStart sb_logstart, 0 when the log is on another device
 * @param agBlocks blocks of an allocation group (sb_agblocks)
 * @param freeDataBlocks sb_fdblocks, kept up to date on unmount only
 */
record XfsSuperblock(
        long blockSize,
        long dataBlocks,
        @Nullable String uuid,
        long logStart,
        long realtimeExtentBlocks,
        long agBlocks,
        long agCount,
        long logBlocks,
        int versionNumber,
        int sectorSize,
        int inodeSize,
        @Nullable String label,
        int blockLog,
        int sectorLog,
        int inodeLog,
        int inodesPerBlockLog,
        int inodePercent,
        long freeDataBlocks) {

    static final int SIZE = 512;
    static final String MAGIC = "XFSB";
    static final int CHECKSUM_OFFSET = 224;

    static XfsSuperblock parse(ByteBuffer bytes) {
        ByteBuffer sb = bytes.duplicate().order(ByteOrder.BIG_ENDIAN);
        return new XfsSuperblock(
                u32(sb, 4),
                sb.getLong(8),
                Fields.uuid(sb, 32),
                sb.getLong(48),
                u32(sb, 80),
                u32(sb, 84),
                u32(sb, 88),
                u32(sb, 96),
                u16(sb, 100),
                u16(sb, 102),
                u16(sb, 104),
                Fields.text(sb, 108, 12),
                u8(sb, 120),
                u8(sb, 121),
                u8(sb, 122),
                u8(sb, 123),
                u8(sb, 127),
                sb.getLong(144));
    }

    int version() {
        return versionNumber & 15;
    }

    /** Whether the superblock has a checksum: version 5 and later. */
    boolean hasChecksum() {
        return version() == 5;
    }

    /** What makes it unusable, or null. */
    @Nullable
    String flaw() {
        if (!isLog(blockSize, blockLog, 9, 16)) {
            return "block size is " + blockSize + " (exponent " + blockLog + "), allowed are powers of two, 512..65536";
        }
        if (!isLog(sectorSize, sectorLog, 9, 15)) {
            return "sector size is " + sectorSize + " (exponent " + sectorLog
                    + "), allowed are powers of two, 512..32768";
        }
        if (!isLog(inodeSize, inodeLog, 8, 11) || blockLog - inodeLog != inodesPerBlockLog) {
            return "inode size is " + inodeSize + " (exponent " + inodeLog + ", " + inodesPerBlockLog
                    + " for the inodes of a block), allowed are powers of two, 256..2048";
        }
        long extentBytes = realtimeExtentBlocks * blockSize;
        if (extentBytes < 4096 || extentBytes > 1 << 30) {
            return "realtime extent size is " + extentBytes + ", allowed are 4096.." + (1 << 30);
        }
        if (inodePercent > 100) {
            return "inodes may take " + inodePercent + " % of the space";
        }
        // Both factors are below 2^32, so the product is right as an unsigned number.
        if (agCount == 0
                || dataBlocks == 0
                || Long.compareUnsigned(dataBlocks, agCount * agBlocks) > 0
                || Long.compareUnsigned(dataBlocks, (agCount - 1) * agBlocks) <= 0) {
            return Long.toUnsignedString(dataBlocks) + " blocks do not fit " + agCount + " allocation groups of "
                    + agBlocks;
        }
        return null;
    }

    private static boolean isLog(long value, int log, int least, int most) {
        return log >= least && log <= most && value == 1L << log;
    }
}
