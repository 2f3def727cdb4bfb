package dev.platter.inspect;

import dev.platter.filesystem.FileSystem;
import dev.platter.filesystem.Recognition;
import dev.platter.lvm.LogicalVolume;
import dev.platter.partition.Partition;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * Something that can hold a file system: a disk without a partition table, a partition, a logical volume.
 *
 * @param name its name: {@code /dev/sda1}, {@code /dev/vg0/root}
 * @param size bytes
 * @param kind what it is
 * @param partition the partition, if it is one
 * @param logicalVolume the logical volume, if it is one
 * @param content what was recognised in it; empty where it could not be read
 */
public record Volume(
        String name,
        long size,
        Kind kind,
        @Nullable Partition partition,
        @Nullable LogicalVolume logicalVolume,
        Recognition content) {

    /** What a volume is. */
    public enum Kind {
        /** A whole disk. */
        DISK,
        /** A partition. */
        PARTITION,
        /** A logical volume. */
        LOGICAL_VOLUME
    }

    /** Returns the file system in it, or what else is recognised: a physical volume, an encrypted container. */
    public Optional<FileSystem> fileSystem() {
        return content.fileSystem();
    }
}
