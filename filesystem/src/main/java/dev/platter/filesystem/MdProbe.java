package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/** Members of Linux software RAID, metadata 0.90, 1.0 (both at the end), 1.1 and 1.2. libblkid, linux_raid.c. */
final class MdProbe implements Probe {
    private static final String TYPE = "linux_raid_member";
    private static final int OLD_RESERVED = 64 << 10;
    private static final int OLD_SIZE = 4096;
    /** sb_csum of "struct mdp_superblock_s", word 38. */
    private static final int OLD_CHECKSUM_OFFSET = 152;

    @Override
    public Family family() {
        return Family.RAID;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        FileSystem found = null;
        if (volume.size() > OLD_RESERVED) {
            found = probeOld(volume, (volume.size() & -OLD_RESERVED) - OLD_RESERVED);
            if (found == null) {
                found = probe(volume, (volume.size() & -4096) - 8192, "1.0");
            }
        }
        if (found == null) {
            found = probe(volume, 0, "1.1");
        }
        return found == null ? probe(volume, 4096, "1.2") : found;
    }

    /** Metadata 0.90, in the byte order of the machine that made it. md_p.h, "struct mdp_superblock_s". */
    private static @Nullable FileSystem probeOld(Volume volume, long offset) throws IOException {
        ByteBuffer sb = volume.bytes(offset, OLD_SIZE);
        if (sb == null) {
            return null;
        }
        if (sb.getInt(0) != MdSuperblock.MAGIC && sb.order(ByteOrder.BIG_ENDIAN).getInt(0) != MdSuperblock.MAGIC) {
            return null;
        }
        long data = u32(sb, 32) << 10;
        if (data > volume.size() - OLD_RESERVED || data > offset) {
            return null; // that of a larger device, of which this is a part
        }
        long stored = u32(sb, OLD_CHECKSUM_OFFSET);
        long computed = MdSuperblock.sum(sb, OLD_CHECKSUM_OFFSET);
        if (stored != computed) {
            return reject(volume, offset, stored, computed);
        }
        return new Findings(volume, TYPE, offset)
                .version(u32(sb, 4) + "." + u32(sb, 8) + "." + u32(sb, 12))
                .uuid(oldUuid(sb))
                .build();
    }

    private static @Nullable String oldUuid(ByteBuffer sb) {
        ByteBuffer uuid = ByteBuffer.allocate(16).putInt(sb.getInt(20));
        if (u32(sb, 8) >= 90) {
            uuid.putInt(sb.getInt(52)).putInt(sb.getInt(56)).putInt(sb.getInt(60));
        }
        return Fields.uuid(uuid, 0);
    }

    private static @Nullable FileSystem probe(Volume volume, long offset, String version) throws IOException {
        ByteBuffer bytes = volume.bytes(offset, MdSuperblock.SIZE);
        if (bytes == null || bytes.getInt(0) != MdSuperblock.MAGIC) {
            return null;
        }
        MdSuperblock sb = MdSuperblock.parse(bytes);
        if (sb.majorVersion() != 1 || sb.position() != offset / 512) {
            return null;
        }
        if (sb.deviceSlots() > MdSuperblock.MAX_DEVICE_SLOTS) {
            return volume.reject(
                    offset,
                    TYPE + ": superblock at " + offset + ": " + sb.deviceSlots() + " device slots, the most are "
                            + MdSuperblock.MAX_DEVICE_SLOTS);
        }
        ByteBuffer all = volume.bytes(offset, MdSuperblock.SIZE + 2 * (int) sb.deviceSlots());
        if (all == null) {
            return volume.reject(offset, TYPE + ": superblock at " + offset + " is cut off");
        }
        long computed = MdSuperblock.sum(all, MdSuperblock.CHECKSUM_OFFSET);
        if (sb.checksum() != computed) {
            return reject(volume, offset, sb.checksum(), computed);
        }
        return new Findings(volume, TYPE, offset)
                .label(sb.name())
                .uuid(sb.uuid())
                .version(version)
                .build();
    }

    private static @Nullable FileSystem reject(Volume volume, long offset, long stored, long computed) {
        return volume.reject(
                offset,
                String.format(
                        "%s: superblock at %d: checksum is 0x%08x, computed is 0x%08x",
                        TYPE, offset, stored, computed));
    }
}
