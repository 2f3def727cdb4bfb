package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The superblock of btrfs as stored. Layout: btrfs documentation, "On-disk Format", "Superblock".
 *
 * @param totalBytes of all devices together
 * @param deviceBytes of this device ({@code dev_item.total_bytes})
 */
record BtrfsSuperblock(
        @Nullable String fsid,
        long position,
        long totalBytes,
        long bytesUsed,
        long deviceCount,
        long sectorSize,
        long nodeSize,
        int checksumType,
        long deviceBytes,
        @Nullable String label) {

    static final int OFFSET = 0x10000;
    static final int SIZE = 4096;
    static final int MAGIC_OFFSET = 0x40;
    static final String MAGIC = "_BHRfS_M";
    /** The checksum field; the rest of the superblock is what it covers. */
    static final int CHECKSUM_BYTES = 32;

    static BtrfsSuperblock parse(ByteBuffer sb) {
        return new BtrfsSuperblock(
                Fields.uuid(sb, 0x20),
                sb.getLong(0x30),
                sb.getLong(0x70),
                sb.getLong(0x78),
                sb.getLong(0x88),
                u32(sb, 0x90),
                u32(sb, 0x94),
                u16(sb, 0xC4),
                sb.getLong(0xD1),
                Fields.text(sb, 0x12B, 256));
    }

    /** What makes it unusable, or null; Linux, fs/btrfs/disk-io.c, {@code btrfs_validate_super}. */
    @Nullable
    String flaw() {
        if (position != OFFSET) {
            return "says that it lies at " + Long.toUnsignedString(position);
        }
        if (!Fields.isPowerOfTwo(sectorSize) || sectorSize < 512 || sectorSize > 65536) {
            return "sector size is " + sectorSize + ", allowed are powers of two, 512..65536";
        }
        if (!Fields.isPowerOfTwo(nodeSize) || nodeSize < sectorSize || nodeSize > 65536) {
            return "node size is " + nodeSize + ", allowed are powers of two, " + sectorSize + "..65536";
        }
        return null;
    }
}
