package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The superblock of ext2, ext3 and ext4 as stored. Layout: Linux, Documentation/filesystems/ext4/super.rst, "struct
 * ext4_super_block". The counts that have high halves are joined where {@code 64bit} says so.
 *
 * @param blocks s_blocks_count
 * @param reservedBlocks s_r_blocks_count
 * @param freeBlocks s_free_blocks_count, in blocks also with {@code bigalloc}
 * @param overheadClusters s_overhead_clusters, 0 when mke2fs did not write it
 * @param journalBytes size of the journal inode, from its backup in the superblock; 0 when there is no backup
 */
record ExtSuperblock(
        long blocks,
        long reservedBlocks,
        long freeBlocks,
        long firstDataBlock,
        long logBlockSize,
        long logClusterSize,
        long blocksPerGroup,
        long inodesPerGroup,
        int state,
        int minorRevision,
        long revision,
        int inodeSize,
        long compat,
        long incompat,
        long roCompat,
        @Nullable String uuid,
        @Nullable String label,
        int reservedGdtBlocks,
        long journalInode,
        int descriptorSize,
        long firstMetaBlockGroup,
        long journalBytes,
        long flags,
        int checksumType,
        long overheadClusters,
        int backupGroups,
        int checksum,
        int computedChecksum) {

    static final int OFFSET = 1024;
    static final int SIZE = 1024;
    static final int MAGIC_OFFSET = 0x38;
    static final int MAGIC = 0xEF53;

    static final long COMPAT_HAS_JOURNAL = 0x4;
    static final long COMPAT_SPARSE_SUPER2 = 0x200;
    static final long INCOMPAT_RECOVER = 0x4;
    static final long INCOMPAT_JOURNAL_DEV = 0x8;
    static final long INCOMPAT_META_BG = 0x10;
    static final long INCOMPAT_EXTENTS = 0x40;
    static final long INCOMPAT_64BIT = 0x80;
    static final long RO_COMPAT_SPARSE_SUPER = 0x1;
    static final long RO_COMPAT_BIGALLOC = 0x200;
    static final long RO_COMPAT_METADATA_CSUM = 0x400;
    private static final long FLAGS_TEST_FILESYS = 0x4;

    private static final long EXT2_INCOMPAT = 0x2 | INCOMPAT_META_BG;
    private static final long EXT3_INCOMPAT = EXT2_INCOMPAT | INCOMPAT_RECOVER;
    private static final long EXT3_RO_COMPAT = 0x7;

    static ExtSuperblock parse(ByteBuffer sb) {
        long incompat = u32(sb, 0x60);
        boolean wide = (incompat & INCOMPAT_64BIT) != 0;
        return new ExtSuperblock(
                u32(sb, 0x4) | (wide ? u32(sb, 0x150) << 32 : 0),
                u32(sb, 0x8) | (wide ? u32(sb, 0x154) << 32 : 0),
                u32(sb, 0xC) | (wide ? u32(sb, 0x158) << 32 : 0),
                u32(sb, 0x14),
                u32(sb, 0x18),
                u32(sb, 0x1C),
                u32(sb, 0x20),
                u32(sb, 0x28),
                u16(sb, 0x3A),
                u16(sb, 0x3E),
                u32(sb, 0x4C),
                u16(sb, 0x58),
                u32(sb, 0x5C),
                incompat,
                u32(sb, 0x64),
                Fields.uuid(sb, 0x68),
                Fields.text(sb, 0x78, 16),
                u16(sb, 0xCE),
                u32(sb, 0xE0),
                wide ? u16(sb, 0xFE) : 32,
                u32(sb, 0x104),
                u8(sb, 0xFD) == 1 ? u32(sb, 0x14C) | u32(sb, 0x148) << 32 : 0,
                u32(sb, 0x160),
                u8(sb, 0x175),
                u32(sb, 0x248),
                (sb.getInt(0x24C) == 0 ? 0 : 1) + (sb.getInt(0x250) == 0 ? 0 : 1),
                sb.getInt(0x3FC),
                ~Checksums.crc32c(sb.slice(0, 0x3FC)));
    }

    /** libblkid, ext.c: what ext2 and ext3 do not understand makes it ext4. */
    String type() {
        if ((incompat & INCOMPAT_JOURNAL_DEV) != 0) {
            return "jbd";
        }
        boolean journal = (compat & COMPAT_HAS_JOURNAL) != 0;
        boolean old = (roCompat & ~EXT3_RO_COMPAT) == 0;
        if (old && !journal && (incompat & ~EXT2_INCOMPAT) == 0) {
            return "ext2";
        }
        if (old && journal && (incompat & ~EXT3_INCOMPAT) == 0) {
            return "ext3";
        }
        return (flags & FLAGS_TEST_FILESYS) == 0 ? "ext4" : "ext4dev";
    }

    /** What makes it unusable, or null. */
    @Nullable
    String flaw() {
        if (hasChecksum() && checksum != computedChecksum) {
            return String.format("checksum is 0x%08x, computed is 0x%08x", checksum, computedChecksum);
        }
        if (logBlockSize > 6) {
            return "block size exponent is " + logBlockSize + ", allowed are 0..6";
        }
        if (!type().equals("jbd") && (blocksPerGroup == 0 || inodesPerGroup == 0)) {
            return blocksPerGroup + " blocks and " + inodesPerGroup + " inodes per group, both must be positive";
        }
        return null;
    }

    boolean hasChecksum() {
        return (roCompat & RO_COMPAT_METADATA_CSUM) != 0 && checksumType == 1;
    }

    int blockSize() {
        return 1024 << (int) logBlockSize;
    }

    /** s_state: bit 0 is "cleanly unmounted", bit 1 "errors detected". */
    boolean isClean() {
        return (state & 3) == 1 && (incompat & INCOMPAT_RECOVER) == 0;
    }
}
