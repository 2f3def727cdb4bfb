package dev.platter.core;

import java.io.IOException;
import java.util.List;

/** Devices by name: what an inspection found, for those who serve or bind them. Safe for many threads. */
public interface DeviceCatalog {

    /**
     * A device that can be opened.
     *
     * @param name its name: {@code /dev/vg0/root}
     * @param size bytes
     */
    record Entry(String name, long size) {}

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
