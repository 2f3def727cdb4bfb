package dev.platter.linux;

import java.io.IOException;
import java.nio.file.Path;

/** A device of device-mapper, on the device of the disk. */
final class MappedAttachment implements Attachment {
    private final DeviceMapper.Mapped mapped;

    private MappedAttachment(DeviceMapper.Mapped mapped) {
        this.mapped = mapped;
    }

    /**
     * Makes a device.
     *
     * @param name of {@link MappedNames}
     */
    static MappedAttachment of(String name, DeviceTable table, boolean readOnly, BindingJournal journal)
            throws IOException {
        journal.addMapped(name);
        return new MappedAttachment(DeviceMapper.create(name, table, readOnly));
    }

    @Override
    public Path device() {
        return mapped.path();
    }

    /** Returns the name by which it is shown: {@code /dev/mapper/platter-web-vg0-root}. */
    Path link() {
        return mapped.link();
    }

    @Override
    public boolean isThere() {
        return mapped.isThere();
    }

    @Override
    public boolean isServed() {
        return false;
    }

    /** Does nothing: none is made for devices that go away by themselves. */
    @Override
    public void leave() {}

    @Override
    public void close() throws IOException {
        mapped.close();
    }
}
