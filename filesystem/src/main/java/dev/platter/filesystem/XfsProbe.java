package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** XFS. */
final class XfsProbe implements Probe {
    /** Blocks that each allocation group keeps for itself: {@code xfs_alloc_set_aside} in Linux. */
    private static final long SET_ASIDE_BLOCKS = 8;
    /** Groups whose free space headers are read to see whether the superblock is up to date. */
    private static final int MAX_HEADERS = 64;

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(0, XfsSuperblock.SIZE);
        if (bytes == null || !Fields.has(bytes, 0, XfsSuperblock.MAGIC)) {
            return null;
        }
        XfsSuperblock sb = XfsSuperblock.parse(bytes);
        String flaw = sb.flaw();
        if (flaw == null && sb.hasChecksum()) {
            flaw = checksumFlaw(volume, sb);
        }
        if (flaw != null) {
            return volume.reject(0, "xfs: superblock at 0: " + flaw);
        }
        Findings findings = new Findings(volume, "xfs", 0)
                .label(sb.label())
                .uuid(sb.uuid())
                .version(Integer.toString(sb.version()))
                .blockSize((int) sb.blockSize())
                .size(sb.dataBlocks(), sb.blockSize())
                .free(sb.freeDataBlocks(), sb.blockSize());
        addUsage(volume, sb, findings);
        return findings.build();
    }

    /** CRC-32C of the sector with the checksum taken as zero; stored little-endian, unlike all else. */
    private static @Nullable String checksumFlaw(Volume volume, XfsSuperblock sb) throws IOException {
        ByteBuffer sector = volume.bytes(0, sb.sectorSize());
        if (sector == null) {
            return "is cut off, its sector has " + sb.sectorSize() + " bytes";
        }
        int at = XfsSuperblock.CHECKSUM_OFFSET;
        int stored = sector.getInt(at);
        int computed = Checksums.crc32c(
                sector.slice(0, at), ByteBuffer.allocate(4), sector.slice(at + 4, sb.sectorSize() - at - 4));
        return stored == computed ? null : String.format("checksum is 0x%08x, computed is 0x%08x", stored, computed);
    }

    /** Linux, fs/xfs/xfs_super.c, {@code xfs_fs_statfs}, mounted read-only. */
    private static void addUsage(Volume volume, XfsSuperblock sb, Findings findings) throws IOException {
        long blocks = sb.dataBlocks() - (sb.logStart() == 0 ? 0 : sb.logBlocks());
        long free = sb.freeDataBlocks();
        if (sb.dataBlocks() > Long.MAX_VALUE / sb.blockSize() || blocks < 0 || free < 0 || free > sb.dataBlocks()) {
            return;
        }
        long inGroups = sb.agCount() <= MAX_HEADERS ? freeOfGroups(volume, sb) : -1;
        if (inGroups >= 0) {
            findings.state(inGroups == free);
        }
        if (inGroups >= 0 && inGroups != free) {
            findings.warn(
                    144,
                    "superblock counts " + free + " free blocks, the allocation groups " + inGroups
                            + ": it was not unmounted");
            free = inGroups;
        }
        long usable = Math.max(0, free - SET_ASIDE_BLOCKS * sb.agCount());
        findings.usage(DiskUsage.ofBlocks(sb.blockSize(), blocks, usable, usable, inGroups == sb.freeDataBlocks()));
    }

    /**
     * Free blocks as the headers of the allocation groups count them (AGF, the second sector of a group: agf_flcount at
     * 48, agf_freeblks at 52, agf_btreeblks at 60), or -1 when one cannot be read.
     */
    private static long freeOfGroups(Volume volume, XfsSuperblock sb) throws IOException {
        long free = 0;
        for (long group = 0; group < sb.agCount(); group++) {
            long at = group * sb.agBlocks() * sb.blockSize() + sb.sectorSize();
            ByteBuffer header = volume.bytes(at, 64);
            if (header == null || !Fields.has(header, 0, "XAGF")) {
                return -1;
            }
            header.order(ByteOrder.BIG_ENDIAN);
            free += u32(header, 48) + u32(header, 52) + u32(header, 60);
        }
        return free;
    }
}
