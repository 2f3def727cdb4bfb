package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * A superblock of Linux software RAID with metadata version 1, as stored, little-endian. Linux,
 * include/uapi/linux/raid/md_p.h, "struct mdp_superblock_1".
 *
 * @param position sector of the device in which it says that it lies
 * @param deviceSlots max_dev, how many roles follow the fixed part
 */
record MdSuperblock(
        long majorVersion,
        @Nullable String uuid,
        @Nullable String name,
        long position,
        long checksum,
        long deviceSlots) {

    static final int SIZE = 256;
    static final int MAGIC = 0xA92B_4EFC;
    static final int CHECKSUM_OFFSET = 216;
    static final int MAX_DEVICE_SLOTS = 1920;

    static MdSuperblock parse(ByteBuffer sb) {
        return new MdSuperblock(
                u32(sb, 4),
                Fields.uuid(sb, 16),
                Fields.text(sb, 32, 32),
                sb.getLong(144),
                u32(sb, CHECKSUM_OFFSET),
                u32(sb, 220));
    }

    /** Sums words, and a half word at the end, as drivers/md/md.c, {@code calc_sb_1_csum}; {@code skip} counts as 0. */
    static long sum(ByteBuffer bytes, int skip) {
        long sum = 0;
        int at = 0;
        for (; at + 4 <= bytes.limit(); at += 4) {
            sum += at == skip ? 0 : u32(bytes, at);
        }
        if (at + 2 <= bytes.limit()) {
            sum += Fields.u16(bytes, at);
        }
        return (sum & 0xffff_ffffL) + (sum >>> 32) & 0xffff_ffffL;
    }
}
