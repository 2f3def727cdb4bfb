package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** F2FS, by its first superblock. Linux, include/linux/f2fs_fs.h, "struct f2fs_super_block". */
final class F2fsProbe implements Probe {
    private static final int OFFSET = 1024;
    private static final int SIZE = 0xC00;
    private static final int MAGIC = 0xF2F5_2010;

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(OFFSET, SIZE);
        if (bytes == null || bytes.getInt(0) != MAGIC) {
            return null;
        }
        Superblock sb = Superblock.parse(bytes);
        String flaw = sb.flaw();
        if (flaw == null && sb.checksumOffset() != 0) {
            flaw = checksumFlaw(bytes, (int) sb.checksumOffset());
        }
        if (flaw != null) {
            return volume.reject(OFFSET, "f2fs: superblock at 1024: " + flaw);
        }
        return new Findings(volume, "f2fs", OFFSET)
                .label(sb.label())
                .uuid(sb.uuid())
                .version(sb.major() + "." + sb.minor())
                .blockSize(1 << (int) sb.logBlockSize())
                .size(sb.blocks(), 1L << (int) sb.logBlockSize())
                .build();
    }

    /** CRC-32 that starts with the magic, over all that lies before it. */
    private static @Nullable String checksumFlaw(ByteBuffer bytes, int offset) {
        int stored = bytes.getInt(offset);
        int computed = Checksums.crc32(MAGIC, bytes.slice(0, offset));
        return stored == computed ? null : String.format("checksum is 0x%08x, computed is 0x%08x", stored, computed);
    }

    private record Superblock(
            int major,
            int minor,
            long logBlockSize,
            long checksumOffset,
            long blocks,
            @Nullable String uuid,
            @Nullable String label) {

        static Superblock parse(ByteBuffer sb) {
            return new Superblock(
                    u16(sb, 4),
                    u16(sb, 6),
                    u32(sb, 0x10),
                    u32(sb, 0x20),
                    sb.getLong(0x24),
                    Fields.uuid(sb, 0x6C),
                    Fields.utf16le(sb, 0x7C, 512));
        }

        @Nullable
        String flaw() {
            if (logBlockSize < 12 || logBlockSize > 16) {
                return "block size exponent is " + logBlockSize + ", allowed are 12..16";
            }
            if (checksumOffset > SIZE - 4) {
                return "checksum is at " + checksumOffset + ", the superblock has " + SIZE + " bytes";
            }
            return null;
        }
    }
}
