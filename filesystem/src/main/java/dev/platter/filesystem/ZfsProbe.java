package dev.platter.filesystem;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Members of a ZFS pool, by the first of their four labels that can be read: two at the beginning, two at the end. ZFS
 * On-Disk Specification, section 1.2, "vdev labels".
 *
 * <p>libblkid counts uberblocks instead, and takes four of them for proof. The list of names in the label says more, and
 * is read anyway.
 */
final class ZfsProbe implements Probe {
    private static final int LABEL = 256 << 10;
    private static final int NAMES = 16 << 10;

    @Override
    public Family family() {
        return Family.RAID;
    }

    @Override
    public long minimumSize() {
        return 64 << 20;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        long end = volume.size() & -LABEL;
        long[] labels = {0, LABEL, end - 2 * LABEL, end - LABEL};
        for (long label : labels) {
            ByteBuffer bytes = volume.bytes(label + NAMES, ZfsNameList.SIZE);
            ZfsNameList names = bytes == null ? null : ZfsNameList.parse(bytes);
            if (names != null) {
                return new Findings(volume, "zfs_member", label + NAMES)
                        .label(names.poolName())
                        .uuid(Long.toUnsignedString(names.poolGuid()))
                        .version(Long.toUnsignedString(names.version()))
                        .build();
            }
        }
        return null;
    }
}
