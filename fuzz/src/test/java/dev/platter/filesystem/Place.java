package dev.platter.filesystem;

import com.google.common.collect.ImmutableList;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.HexFormat;

/**
 * Where the superblocks of a type lie. The bytes of an input are poured into these ranges of an empty volume of 2 MiB and
 * 64 KiB, one range after the other, so that inputs are short and all of their bytes matter; then the checksum of the
 * first superblock is made right.
 */
enum Place {
    EXT(1024, 4096, 64 << 10, 4096) {
        @Override
        void seal(ByteBuffer bytes) {
            bytes.putInt(1024 + 0x3FC, ~Checksums.crc32c(bytes.slice(1024, 0x3FC)));
        }
    },
    XFS(0, 4096) {
        @Override
        void seal(ByteBuffer bytes) {
            int size = Short.toUnsignedInt(Short.reverseBytes(bytes.getShort(102)));
            if (size >= 512 && size <= 4096) {
                bytes.putInt(224, 0);
                bytes.putInt(224, Checksums.crc32c(bytes.slice(0, size)));
            }
        }
    },
    BTRFS(64 << 10, 4096) {
        @Override
        void seal(ByteBuffer bytes) {
            bytes.putInt(64 << 10, Checksums.crc32c(bytes.slice((64 << 10) + 32, 4096 - 32)));
        }
    },
    F2FS(1024, 3072),
    SWAP(0, 4096),
    SQUASHFS(0, 512),
    FAT(0, 8192),
    EXFAT(0, 8192, 16 << 10, 4096) {
        @Override
        void seal(ByteBuffer bytes) {
            int size = 1 << (bytes.get(108) & 0xff);
            if (size < 512 || size > 4096) {
                return;
            }
            int sum = 0;
            for (int i = 0; i < 11 * size; i++) {
                if (i != 106 && i != 107 && i != 112) {
                    sum = Integer.rotateRight(sum, 1) + (bytes.get(i) & 0xff);
                }
            }
            for (int i = 0; i < size; i += 4) {
                bytes.putInt(11 * size + i, sum);
            }
        }
    },
    NTFS(0, 512, 16 << 10, 8192),
    BITLOCKER(0, 512, 4096, 1024),
    ISO(32 << 10, 4 * 2048),
    UDF(32 << 10, 3 * 2048, 256 * 2048, 6 * 2048),
    LUKS(0, 4096, 16 << 10, 4096) {
        @Override
        void seal(ByteBuffer bytes) {
            String digest = Checksums.digest(
                    "sha256", bytes.slice(0, 448), ByteBuffer.allocate(64), bytes.slice(512, 4096 - 512));
            bytes.put(448, digest == null ? new byte[0] : HexFormat.of().parseHex(digest));
        }
    },
    MD(4096, 1024, 2 << 20, 4096) {
        @Override
        void seal(ByteBuffer bytes) {
            int slots = Math.min(bytes.getInt(4096 + 220) & 0xffff, MdSuperblock.MAX_DEVICE_SLOTS);
            ByteBuffer block = bytes.slice(4096, 256 + 2 * slots).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putInt(4096 + 216, (int) MdSuperblock.sum(block, 216));
            ByteBuffer old = bytes.slice(2 << 20, 4096).order(ByteOrder.LITTLE_ENDIAN);
            bytes.putInt((2 << 20) + 152, (int) MdSuperblock.sum(old, 152));
        }
    },
    LVM2(512, 512) {
        @Override
        void seal(ByteBuffer bytes) {
            bytes.putInt(512 + 16, Checksums.crc32(0xf597_a6cf, bytes.slice(512 + 20, 512 - 20)));
        }
    },
    ZFS(16 << 10, 2048),
    VMFS(1 << 20, 1024, 2 << 20, 512);

    static final int VOLUME_BYTES = (2 << 20) + (64 << 10);

    private final ImmutableList<Integer> ranges;

    Place(Integer... ranges) {
        this.ranges = ImmutableList.copyOf(ranges);
    }

    /** Makes checksums right; does nothing where there are none. */
    void seal(ByteBuffer bytes) {}

    /** Pours the bytes of {@code from}, from its position on. */
    void pour(ByteBuffer from, ByteBuffer volume) {
        for (int i = 0; i < ranges.size(); i += 2) {
            int length = Math.min(from.remaining(), ranges.get(i + 1));
            volume.put(ranges.get(i), from, from.position(), length);
            from.position(from.position() + length);
        }
    }

    /** Makes the ranges, and what {@link #seal} may have written to, zeros again. */
    void wipe(ByteBuffer volume) {
        for (int i = 0; i < ranges.size(); i += 2) {
            int length = Math.max(ranges.get(i + 1), this == EXFAT ? 12 * 4096 : 0);
            volume.put(ranges.get(i), new byte[length]);
        }
    }
}
