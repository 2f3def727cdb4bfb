package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u8;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** VMFS. libblkid, vmfs.c, "struct vmfs_fs_info". */
final class VmfsProbe implements Probe {
    private static final int OFFSET = 2 << 20;
    private static final int SIZE = 512;
    private static final int MAGIC = 0x2FAB_F15E;

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(OFFSET, SIZE);
        if (bytes == null || bytes.getInt(0) != MAGIC) {
            return null;
        }
        return new Findings(volume, "VMFS", OFFSET)
                .label(Fields.text(bytes, 29, 128))
                .uuid(uuid(bytes))
                .version(Integer.toString(u8(bytes, 8)))
                .build();
    }

    /** Not in the usual groups: 8-8-4-12, the first three little-endian. */
    private static @Nullable String uuid(ByteBuffer bytes) {
        StringBuilder out = new StringBuilder(35);
        int[] order = {3, 2, 1, 0, -1, 7, 6, 5, 4, -1, 9, 8, -1, 10, 11, 12, 13, 14, 15};
        for (int index : order) {
            if (index < 0) {
                out.append('-');
            } else {
                int value = u8(bytes, 9 + index);
                out.append(Character.forDigit(value >> 4, 16)).append(Character.forDigit(value & 15, 16));
            }
        }
        return Fields.isZero(bytes, 9, 16) ? null : out.toString();
    }
}
