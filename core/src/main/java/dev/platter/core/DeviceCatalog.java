package dev.platter.core;

import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Devices by name: what an inspection found, for those who serve or bind them. Safe for many threads. */
public interface DeviceCatalog {

    /**
     * A device that can be opened.
     *
     * @param name its name: {@code /dev/vg0/root}
     * @param size bytes
     * @param kind what it is
     * @param place where it lies, if it is a partition
     * @param content what was recognised in it, in the words of blkid: {@code ext4}, {@code LVM2_member}; null where nothing
     *     was, or nobody looked
     * @param uuid the identifier of the content, as blkid prints it, or null
     * @param label the label of the content, or null
     */
    record Entry(
            String name,
            long size,
            Kind kind,
            @Nullable Place place,
            @Nullable String content,
            @Nullable String uuid,
            @Nullable String label) {

        /** Makes an entry of which no more is known. */
        public Entry(String name, long size) {
            this(name, size, Kind.DISK, null, null);
        }

        /** Makes an entry whose content has no name of its own. */
        public Entry(String name, long size, Kind kind, @Nullable Place place, @Nullable String content) {
            this(name, size, kind, place, content, null, null);
        }
    }

    /** What a device is. */
    enum Kind {
        /** A whole disk. */
        DISK,
        /** A partition. */
        PARTITION,
        /** A partition that only holds others: the extended one of an MBR. */
        CONTAINER,
        /** A logical volume. */
        VOLUME
    }

    /**
     * Where a partition lies.
     *
     * @param disk name of the device that it is a part of
     * @param number the number that Linux gives it, from 1
     * @param start its first byte on that device
     */
    record Place(String disk, int number, long start) {}

    /** Returns the devices that can be opened, in the order of discovery. */
    List<Entry> devices();

    /**
     * Opens a device by its name. Closing it leaves what it stands on open.
     *
     * @throws java.nio.file.NoSuchFileException if there is none of that name
     * @throws DiskImageException if there is, and it cannot be read; the message says why
     */
    BlockDevice device(String name) throws IOException;
}
