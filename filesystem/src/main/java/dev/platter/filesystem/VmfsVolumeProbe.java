package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** Members of a VMFS volume. libblkid, vmfs.c, "struct vmfs_volume_info". */
final class VmfsVolumeProbe implements Probe {
    private static final int OFFSET = 1 << 20;
    private static final int MAGIC = 0xC001_D00D;
    private static final int UUID_TEXT = 532;

    @Override
    public Family family() {
        return Family.RAID;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytesUpTo(OFFSET, 1024);
        if (bytes == null || bytes.limit() < 1024 || bytes.getInt(0) != MAGIC) {
            return null;
        }
        return new Findings(volume, "VMFS_volume_member", OFFSET)
                .uuid(Fields.text(bytes, UUID_TEXT, 35))
                .version(Long.toString(u32(bytes, 4)))
                .build();
    }
}
