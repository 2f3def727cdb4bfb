package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * squashfs of version 4, and as {@code squashfs3} all before it. Linux, fs/squashfs/squashfs_fs.h, "struct
 * squashfs_super_block".
 */
final class SquashfsProbe implements Probe {
    private static final int SIZE = 96;
    private static final int LARGEST_BLOCK = 1 << 20;

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(0, SIZE);
        if (bytes == null) {
            return null;
        }
        boolean big = Fields.has(bytes, 0, "sqsh");
        if (!big && !Fields.has(bytes, 0, "hsqs")) {
            return null;
        }
        Superblock sb = Superblock.parse(bytes.order(big ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN));
        boolean old = sb.major() < 4;
        if (!old && big) {
            return null;
        }
        Findings findings =
                new Findings(volume, old ? "squashfs3" : "squashfs", 0).version(sb.major() + "." + sb.minor());
        if (old) {
            return findings.build();
        }
        if (!Fields.isPowerOfTwo(sb.blockSize()) || sb.blockSize() < 4096 || sb.blockSize() > LARGEST_BLOCK) {
            return volume.reject(
                    0,
                    "squashfs: superblock at 0: block size is " + sb.blockSize()
                            + ", allowed are powers of two, 4096..1048576");
        }
        findings.blockSize((int) sb.blockSize())
                .size(sb.bytesUsed(), 1)
                .free(0, 1)
                .used(sb.bytesUsed(), 1);
        if (sb.bytesUsed() > 0 && sb.bytesUsed() < Long.MAX_VALUE - LARGEST_BLOCK) {
            long blocks = (sb.bytesUsed() - 1) / sb.blockSize() + 1;
            findings.usage(DiskUsage.ofBlocks(sb.blockSize(), blocks, 0, 0, true));
        }
        return findings.build();
    }

    private record Superblock(long blockSize, int major, int minor, long bytesUsed) {

        static Superblock parse(ByteBuffer sb) {
            return new Superblock(u32(sb, 12), u16(sb, 28), u16(sb, 30), sb.getLong(40));
        }
    }
}
