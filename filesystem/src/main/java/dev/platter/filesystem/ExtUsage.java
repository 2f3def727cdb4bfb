package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * What {@code statvfs} says of an ext file system. Linux, fs/ext4/super.c: {@code ext4_statfs}, {@code
 * ext4_calculate_overhead}, {@code ext4_set_resv_clusters}.
 */
final class ExtUsage {
    private static final int CHUNK = 64 << 10;
    private static final long MAX_RESERVED_CLUSTERS = 4096;

    private final Volume volume;
    private final ExtSuperblock sb;
    private final int blockSize;
    /** Blocks in a cluster, a power of two. */
    private final long ratio;

    private final long groups;

    ExtUsage(Volume volume, ExtSuperblock sb) {
        this.volume = volume;
        this.sb = sb;
        this.blockSize = sb.blockSize();
        boolean bigalloc = (sb.roCompat() & ExtSuperblock.RO_COMPAT_BIGALLOC) != 0;
        this.ratio = bigalloc ? 1L << (int) Math.min(62, Math.max(0, sb.logClusterSize() - sb.logBlockSize())) : 1;
        long data = sb.blocks() - sb.firstDataBlock();
        this.groups = data <= 0 ? 0 : (data - 1) / sb.blocksPerGroup() + 1;
    }

    /** Why these numbers cannot be those of a file system that the kernel would mount, or null. */
    @Nullable
    String nonsense() {
        if (sb.blocks() < 0 || sb.blocks() > Long.MAX_VALUE / blockSize || groups == 0) {
            return "number of blocks is " + Long.toUnsignedString(sb.blocks()) + ", first data block is "
                    + sb.firstDataBlock();
        }
        if (ratio > 1 << 20 || sb.blocksPerGroup() > 8L * blockSize * ratio) {
            return "blocks per group are " + sb.blocksPerGroup() + ", the most are " + 8L * blockSize * ratio;
        }
        if (sb.inodesPerGroup() > 8L * blockSize || inodeTableBlocks() > sb.blocksPerGroup()) {
            return "inodes per group are " + sb.inodesPerGroup() + ", which do not fit into a group";
        }
        if (sb.descriptorSize() < 32 || sb.descriptorSize() > 1024 || !Fields.isPowerOfTwo(sb.descriptorSize())) {
            return "group descriptor size is " + sb.descriptorSize() + ", allowed are powers of two, 32..1024";
        }
        if (sb.reservedBlocks() < 0 || sb.reservedBlocks() > sb.blocks()) {
            return "reserved blocks are " + Long.toUnsignedString(sb.reservedBlocks()) + " of " + sb.blocks();
        }
        return null;
    }

    /** The numbers, or null where only the block bitmaps have them; call only without {@link #nonsense}. */
    @Nullable
    DiskUsage usage() throws IOException {
        long overhead = overhead();
        if (overhead < 0 || overhead > sb.blocks()) {
            return null;
        }
        boolean exact = true;
        long free = sb.freeBlocks();
        if (!sb.isClean()) {
            // The kernel adds up the groups; what a waiting journal changes in them is not known here.
            long groupsFree = freeOfGroups();
            free = groupsFree < 0 ? free : groupsFree;
            exact = groupsFree >= 0 && (sb.compat() & ExtSuperblock.COMPAT_HAS_JOURNAL) == 0;
        }
        if (free < 0 || free > sb.blocks()) {
            return null;
        }
        long available = free - sb.reservedBlocks() - reservedForExtents();
        return DiskUsage.ofBlocks(blockSize, sb.blocks() - overhead, free, available, exact);
    }

    private long reservedForExtents() {
        if ((sb.incompat() & ExtSuperblock.INCOMPAT_EXTENTS) == 0) {
            return 0;
        }
        return Math.min(MAX_RESERVED_CLUSTERS, sb.blocks() / ratio / 50) * ratio;
    }

    /** Blocks that hold metadata at fixed places, or -1 when it takes the bitmaps to know. */
    private long overhead() throws IOException {
        if (sb.overheadClusters() != 0 && sb.overheadClusters() <= sb.blocks()) {
            return sb.overheadClusters() * ratio;
        }
        long journal = journalBlocks();
        if (ratio > 1 || journal < 0) {
            return -1;
        }
        long tables = groups * (2 + inodeTableBlocks());
        long supers = superblocks(groups) * (1 + sb.reservedGdtBlocks());
        return sb.firstDataBlock() + tables + supers + descriptorBlocks() + journal;
    }

    private long inodeTableBlocks() {
        long inodeSize = sb.revision() == 0 ? 128 : sb.inodeSize();
        return (sb.inodesPerGroup() * inodeSize + blockSize - 1) / blockSize;
    }

    /** Copies of the superblock in the first {@code among} groups. */
    private long superblocks(long among) {
        if ((sb.compat() & ExtSuperblock.COMPAT_SPARSE_SUPER2) != 0) {
            return Math.min(among, 1 + sb.backupGroups());
        }
        if ((sb.roCompat() & ExtSuperblock.RO_COMPAT_SPARSE_SUPER) == 0) {
            return among;
        }
        return Math.min(among, 2) + powersBelow(3, among) + powersBelow(5, among) + powersBelow(7, among);
    }

    private static long powersBelow(long base, long limit) {
        long count = 0;
        for (long power = base; power < limit; power *= base) {
            count++;
            if (power > Long.MAX_VALUE / base) {
                break;
            }
        }
        return count;
    }

    /** Blocks of all copies of the group descriptors; fs/ext4/balloc.c, {@code ext4_bg_num_gdb}. */
    private long descriptorBlocks() {
        long perBlock = blockSize / sb.descriptorSize();
        long metaGroups = (groups + perBlock - 1) / perBlock;
        if (!isMetaBlockGroups()) {
            return superblocks(groups) * metaGroups;
        }
        long first = Math.min(sb.firstMetaBlockGroup(), metaGroups);
        long before = Math.min(groups, first * perBlock);
        long rest = groups - before;
        long last = rest % perBlock;
        return superblocks(before) * first + rest / perBlock * Math.min(3, perBlock) + Math.min(last, 2);
    }

    private boolean isMetaBlockGroups() {
        return (sb.incompat() & ExtSuperblock.INCOMPAT_META_BG) != 0;
    }

    /** Blocks of an internal journal, or -1 when its inode cannot be read. */
    private long journalBlocks() throws IOException {
        if ((sb.compat() & ExtSuperblock.COMPAT_HAS_JOURNAL) == 0 || sb.journalInode() == 0) {
            return 0;
        }
        long bytes = sb.journalBytes() != 0 ? sb.journalBytes() : journalInodeBytes();
        return bytes < 0 || bytes / blockSize > sb.blocks() ? -1 : bytes / blockSize;
    }

    /** i_size of the journal inode; Documentation/filesystems/ext4/inodes.rst. It is always in the first group. */
    private long journalInodeBytes() throws IOException {
        ByteBuffer descriptor = volume.bytes(descriptorTable(), sb.descriptorSize());
        if (descriptor == null || sb.journalInode() > sb.inodesPerGroup()) {
            return -1;
        }
        long table = u32(descriptor, 8) | (sb.descriptorSize() >= 64 ? u32(descriptor, 0x28) << 32 : 0);
        if (table < 0 || table > sb.blocks()) {
            return -1;
        }
        long inodeSize = sb.revision() == 0 ? 128 : sb.inodeSize();
        ByteBuffer inode = volume.bytes(table * blockSize + (sb.journalInode() - 1) * inodeSize, 128);
        return inode == null ? -1 : u32(inode, 4) | u32(inode, 0x6C) << 32;
    }

    /** Also with bigalloc and blocks of 1 KiB, where the first data block is 0, the table follows the superblock. */
    private long descriptorTable() {
        return (1024 / blockSize + 1L) * blockSize;
    }

    /** Free blocks as the group descriptors count them, or -1 when they cannot be read or do not lie together. */
    private long freeOfGroups() throws IOException {
        int descriptorSize = sb.descriptorSize();
        if (isMetaBlockGroups() || groups > volume.budget() / descriptorSize) {
            return -1;
        }
        long bytes = groups * descriptorSize;
        long free = 0;
        for (long at = 0; at < bytes; at += CHUNK) {
            ByteBuffer chunk = volume.bytes(descriptorTable() + at, (int) Math.min(CHUNK, bytes - at));
            if (chunk == null) {
                return -1;
            }
            for (int i = 0; i < chunk.limit(); i += descriptorSize) {
                free += u16(chunk, i + 0xC) | (descriptorSize >= 64 ? (long) u16(chunk, i + 0x2C) << 16 : 0);
            }
        }
        return free > sb.blocks() / ratio ? -1 : free * ratio;
    }
}
