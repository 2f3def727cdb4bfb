package dev.platter.linux;

import com.sun.jna.Memory;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The node by which device-mapper is asked for things, and one method for each request that is made here. Source:
 * linux/dm-ioctl.h, drivers/md/dm-ioctl.c.
 */
final class DmControl implements Closeable {
    static final Path NODE = Path.of("/dev/mapper/control");

    private static final long COMMAND = 0xC138FD00L;
    private static final int LIST_DEVICES = 2;
    private static final int DEV_CREATE = 3;
    private static final int DEV_REMOVE = 4;
    private static final int DEV_SUSPEND = 6;
    private static final int DEV_STATUS = 7;
    private static final int TABLE_LOAD = 9;
    private static final int TABLE_STATUS = 12;
    private static final int LIST_VERSIONS = 13;

    /**
     * For udev: make the link, and leave it at that. What would assemble itself of this device (LVM, md, bcache, btrfs) or be
     * found by its label belongs to the guest. Flags of libdevmapper.h, in the upper half of a cookie nobody waits for.
     */
    private static final int ONLY_THE_LINK = (0x02 | 0x04 | 0x08 | 0x40) << 16;

    private static final int LISTS_BYTES = 64 << 10;

    private final Descriptor node;

    private DmControl(Descriptor node) {
        this.node = node;
    }

    static DmControl open() throws IOException {
        return new DmControl(Descriptor.open(NODE, LibC.O_RDWR));
    }

    /** Returns null where the kernel has no device-mapper; the node may be there nevertheless. */
    static @Nullable DmControl tryOpen() throws IOException {
        try {
            return open();
        } catch (SystemCallException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENODEV || e.errno() == Errno.ENXIO) {
                return null;
            }
            throw e;
        }
    }

    /**
     * Makes a device without a table.
     *
     * @return the minor number of its node
     * @throws SystemCallException with EBUSY if there is one of that name
     */
    int create(String name, String uuid, int flags) throws IOException {
        DmRequest request = DmRequest.of(name, 0).uuid(uuid).flags(flags);
        return call(DEV_CREATE, name + ": DM_DEV_CREATE", request).minor();
    }

    void load(String name, DeviceTable table, int flags) throws IOException {
        call(TABLE_LOAD, name + ": DM_TABLE_LOAD", DmRequest.of(name, table).flags(flags));
    }

    /** Makes the table that was loaded the device's. */
    void resume(String name) throws IOException {
        DmRequest request = DmRequest.of(name, 0).eventNumber(ONLY_THE_LINK);
        call(DEV_SUSPEND, name + ": DM_DEV_SUSPEND (resume)", request);
    }

    /**
     * Takes a device away.
     *
     * @throws SystemCallException with EBUSY if somebody uses it, with ENXIO if there is none
     */
    void remove(String name) throws IOException {
        call(DEV_REMOVE, name + ": DM_DEV_REMOVE", DmRequest.of(name, 0).eventNumber(ONLY_THE_LINK));
    }

    /** Returns the state of a device, null if there is none. */
    @Nullable
    DmRequest status(String name) throws IOException {
        try {
            return call(DEV_STATUS, name + ": DM_DEV_STATUS", DmRequest.of(name, 0));
        } catch (SystemCallException e) {
            if (e.errno() == Errno.ENXIO) {
                return null;
            }
            throw e;
        }
    }

    DeviceTable table(String name) throws IOException {
        DmRequest request = DmRequest.of(name, LISTS_BYTES).flags(DmRequest.STATUS_TABLE);
        return new DeviceTable(
                call(TABLE_STATUS, name + ": DM_TABLE_STATUS", request).targets());
    }

    /** Returns the names of all devices, of whomever. */
    List<String> devices() throws IOException {
        // struct dm_name_list: dev, next, name
        return call(LIST_DEVICES, "DM_LIST_DEVICES", DmRequest.of("", LISTS_BYTES))
                .list(8, 12);
    }

    /** Returns the types of targets that the kernel has loaded. */
    List<String> types() throws IOException {
        // struct dm_target_versions: next, version[3], name
        return call(LIST_VERSIONS, "DM_LIST_VERSIONS", DmRequest.of("", LISTS_BYTES))
                .list(0, 16);
    }

    private DmRequest call(int command, String what, DmRequest request) throws IOException {
        try (Memory memory = request.toMemory()) {
            node.ioctl(what, COMMAND + command, memory);
            request.answered(memory);
        }
        if (request.isFull()) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED, what + ": the answer is longer than " + LISTS_BYTES + " bytes", null);
        }
        return request;
    }

    @Override
    public void close() {
        node.close();
    }
}
