package dev.platter.linux;

import com.sun.jna.Memory;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Devices of the kernel's device-mapper, made of pieces of other devices, without dmsetup and LVM: {@code
 * /dev/mapper/platter-web-vg0-root}. They need root (CAP_SYS_ADMIN) and the module {@code dm_mod}, which is loaded if it is
 * not there. Safe for many threads. Source: linux/dm-ioctl.h, drivers/md/dm-ioctl.c.
 */
public final class DeviceMapper {
    private static final Path CONTROL = Path.of("/dev/mapper/control");
    private static final Path LINKS = Path.of("/dev/mapper");
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
    private static final long NODE_MILLIS = 5_000;
    private static final long REMOVE_MILLIS = 2_000;

    private DeviceMapper() {}

    /** A device that was made. Closing it takes it away. */
    public static final class Mapped implements Closeable {
        private final String name;
        private final Path path;

        private Mapped(String name, Path path) {
            this.name = name;
            this.path = path;
        }

        /** Returns the name below {@code /dev/mapper}. */
        public String name() {
            return name;
        }

        /** Returns the node that the kernel makes: {@code /dev/dm-0}. */
        public Path path() {
            return path;
        }

        /** Returns the link to it by its name: {@code /dev/mapper/platter-web-vg0-root}. */
        public Path link() {
            return DeviceMapper.link(name);
        }

        /** Returns whether the kernel still has it: another process may have taken it away. */
        boolean isThere() {
            Path folder = SysBlock.of(path).resolve("dm");
            return name.equals(SysBlock.text(folder.resolve("name")))
                    && MappedNames.uuid(name).equals(SysBlock.text(folder.resolve("uuid")));
        }

        /**
         * Takes the device away. Does nothing if it is gone already.
         *
         * @throws BlockIOException of kind BUSY, if it is mounted or in use otherwise: it says by whom, and nothing changed. Of
         *     kind IO if it is gone, but not all that was written could be stored
         */
        @Override
        public void close() throws IOException {
            requireStored(name, tryRemove(name));
        }
    }

    /**
     * Makes a device for a volume of a group: {@code platter-TAG-VG-LV}.
     *
     * @param tag names the image among others: two guests whose groups have one name get two
     * @throws BlockIOException if there is a device of that name, the kernel has no device-mapper, or refuses the table;
     *     nothing is left
     */
    public static Mapped ofVolume(String tag, String group, String volume, DeviceTable table, boolean readOnly)
            throws IOException {
        return create(MappedNames.ofVolume(tag, group, volume), table, readOnly);
    }

    /** Makes a device for a partition, {@code platter-TAG-p1}; see above. */
    public static Mapped ofPartition(String tag, int number, DeviceTable table, boolean readOnly) throws IOException {
        return create(MappedNames.ofPartition(tag, number), table, readOnly);
    }

    /**
     * Makes a device.
     *
     * @param name of {@link MappedNames}
     */
    static Mapped create(String name, DeviceTable table, boolean readOnly) throws IOException {
        requireDriver();
        requireTargets(name, table);
        int flags = readOnly ? DmRequest.READONLY : 0;
        try (Descriptor control = control()) {
            DmRequest created = createEmpty(control, name, flags);
            Path node = Path.of("/dev/dm-" + created.minor());
            Mapped mapped = new Mapped(name, node);
            try {
                call(
                        control,
                        TABLE_LOAD,
                        name + ": DM_TABLE_LOAD",
                        DmRequest.of(name, table).flags(flags));
                DmRequest resume = DmRequest.of(name, 0).eventNumber(ONLY_THE_LINK);
                call(control, DEV_SUSPEND, name + ": DM_DEV_SUSPEND (resume)", resume);
                SysBlock.requireNode(node, SysBlock.of(node), NODE_MILLIS);
                link(mapped);
                return mapped;
            } catch (SystemCallException e) {
                BlockIOException refused = new BlockIOException(
                        e.kind(),
                        e.getMessage() + "; the kernel's log says why it takes no table of "
                                + table.targets().size() + " pieces that begins with \""
                                + table.targets().get(0) + "\"",
                        e);
                undo(mapped, refused);
                throw refused;
            } catch (IOException | RuntimeException e) {
                undo(mapped, e);
                throw e;
            }
        }
    }

    private static DmRequest createEmpty(Descriptor control, String name, int flags) throws IOException {
        try {
            DmRequest request =
                    DmRequest.of(name, 0).uuid(MappedNames.uuid(name)).flags(flags);
            return call(control, DEV_CREATE, name + ": DM_DEV_CREATE", request);
        } catch (SystemCallException e) {
            if (e.errno() == Errno.EBUSY) {
                throw new BlockIOException(
                        Kind.BUSY,
                        name + ": there is a device of that name; unbind it first, or choose another tag",
                        e);
            }
            throw e;
        }
    }

    private static void undo(Mapped mapped, Exception reason) {
        try {
            mapped.close();
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    /** Udev makes the link as well, where it runs; then it is the same. */
    private static void link(Mapped mapped) throws IOException {
        Path link = mapped.link();
        if (!Files.isSymbolicLink(link)) {
            Path made = LINKS.resolve("." + mapped.name());
            Files.deleteIfExists(made);
            Files.createSymbolicLink(made, Path.of("..").resolve(SysBlock.nameOf(mapped.path())));
            Files.move(made, link, java.nio.file.StandardCopyOption.ATOMIC_MOVE);
        }
    }

    /**
     * Takes a device of ours away, whichever process made it.
     *
     * @param name below {@code /dev/mapper}
     * @throws BlockIOException of kind BUSY, if it is mounted or in use otherwise: it says by whom, and nothing changed; of
     *     kind IO if it is gone, but not all that was written could be stored; of another kind, if there is no such device, or
     *     it is not one of ours
     */
    public static void remove(String name) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.TAKE_AWAY);
        try (Descriptor control = control()) {
            DmRequest status = status(control, name);
            if (status == null || !status.deviceUuid().equals(MappedNames.uuid(name))) {
                throw new BlockIOException(
                        Kind.NOT_SUPPORTED,
                        name + (status == null ? ": there is no such device" : ": was not made by this program"),
                        null);
            }
        }
        requireStored(name, tryRemove(name));
    }

    /** Takes a device of ours away; returns why not all that was written could be stored, or null. */
    static @Nullable SystemCallException tryRemove(String name) throws IOException {
        Mapped mapped = find(name);
        if (mapped == null) {
            return null;
        }
        Path node = mapped.path();
        List<String> holders = Holders.of(node);
        if (!holders.isEmpty()) {
            throw Holders.busy(node, holders);
        }
        boolean leadsHere = Files.exists(node) && SysBlock.deviceOf(mapped.link()) == SysBlock.deviceOf(node);
        SystemCallException lost = sync(node);
        try (Descriptor control = control()) {
            remove(control, name, node);
        }
        if (leadsHere) {
            Files.deleteIfExists(mapped.link());
        }
        return lost;
    }

    private static @Nullable SystemCallException sync(Path node) throws IOException {
        try (Descriptor exclusive = LoopDevice.openExclusively(node)) {
            return LoopDevice.sync(node, exclusive);
        } catch (SystemCallException e) {
            // nobody wrote to what cannot be opened: it was killed before it had a table
            return null;
        }
    }

    private static void requireStored(String name, @Nullable SystemCallException lost) throws BlockIOException {
        if (lost != null) {
            throw new BlockIOException(
                    Kind.IO,
                    name + ": is gone, but what was written last could not be stored: " + lost.getMessage(),
                    lost);
        }
    }

    private static void remove(Descriptor control, String name, Path node) throws IOException {
        // whatever looks at new devices has this one open for a moment
        long end = System.nanoTime() + REMOVE_MILLIS * 1_000_000;
        while (true) {
            try {
                DmRequest request = DmRequest.of(name, 0).eventNumber(ONLY_THE_LINK);
                call(control, DEV_REMOVE, name + ": DM_DEV_REMOVE", request);
                return;
            } catch (SystemCallException e) {
                if (e.errno() == Errno.ENXIO) {
                    return; // somebody else was faster
                }
                if (e.errno() != Errno.EBUSY) {
                    throw e;
                }
                if (System.nanoTime() - end > 0) {
                    throw Holders.busy(node, Holders.programs(node));
                }
            }
            Waiting.pause();
        }
    }

    /** Returns the names of all devices of ours, whichever process made them. */
    public static List<String> list() throws IOException {
        List<String> ours = new ArrayList<>();
        if (!Files.exists(CONTROL)) {
            return ours;
        }
        LinuxSystem.require(LinuxSystem.Purpose.LIST);
        try (Descriptor control = tryControl()) {
            if (control == null) {
                return ours;
            }
            DmRequest answer = call(control, LIST_DEVICES, "DM_LIST_DEVICES", DmRequest.of("", LISTS_BYTES));
            // struct dm_name_list: dev, next, name
            for (String name : answer.list(8, 12)) {
                DmRequest status = status(control, name);
                if (status != null && MappedNames.isOurs(status.deviceUuid())) {
                    ours.add(name);
                }
            }
        }
        return ours;
    }

    /**
     * Returns the table of a device.
     *
     * @throws IOException if there is no such device
     */
    public static DeviceTable table(String name) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.LIST);
        try (Descriptor control = control()) {
            DmRequest request = DmRequest.of(name, LISTS_BYTES).flags(DmRequest.STATUS_TABLE);
            return new DeviceTable(call(control, TABLE_STATUS, name + ": DM_TABLE_STATUS", request)
                    .targets());
        }
    }

    /** Returns the device of ours that has a name, whichever process made it, also half; null if there is none. */
    static @Nullable Mapped find(String name) throws IOException {
        try (Descriptor control = tryControl()) {
            if (control == null) {
                return null;
            }
            // without a table, it has no folder below /sys yet
            DmRequest status = status(control, name);
            return status != null && status.deviceUuid().equals(MappedNames.uuid(name))
                    ? new Mapped(name, Path.of("/dev/dm-" + status.minor()))
                    : null;
        }
    }

    static Path link(String name) {
        return LINKS.resolve(name);
    }

    /** Returns the state of a device, null if there is none. */
    private static @Nullable DmRequest status(Descriptor control, String name) throws IOException {
        try {
            return call(control, DEV_STATUS, name + ": DM_DEV_STATUS", DmRequest.of(name, 0));
        } catch (SystemCallException e) {
            if (e.errno() == Errno.ENXIO) {
                return null;
            }
            throw e;
        }
    }

    /**
     * Loads the driver if it is not there.
     *
     * @throws BlockIOException of kind NOT_SUPPORTED if this kernel has none
     */
    static void requireDriver() throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        String refusal = KernelModule.loadFor(CONTROL, "dm-mod");
        try (Descriptor control = tryControl()) {
            if (control != null) {
                return;
            }
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    "this kernel (" + System.getProperty("os.version")
                            + ") has no device-mapper, and its module cannot be loaded: "
                            + (refusal == null ? CONTROL + " leads nowhere" : refusal)
                            + "; each volume can be bound as a device of its own",
                    null);
        }
    }

    /** The kernel says no more than EINVAL where it lacks a target, so that is found out before. */
    private static void requireTargets(String name, DeviceTable table) throws IOException {
        for (DeviceTable.Target target : table.targets()) {
            boolean builtIn = target.type().equals("linear") || target.type().equals("error");
            if (!builtIn && !types().contains(target.type())) {
                String refusal = KernelModule.load("dm-" + target.type());
                if (refusal != null) {
                    throw new BlockIOException(
                            Kind.NOT_SUPPORTED,
                            name + ": this kernel has no device-mapper target " + target.type() + ": " + refusal,
                            null);
                }
            }
        }
    }

    /** Returns the types of targets that the kernel has loaded. */
    static List<String> types() throws IOException {
        try (Descriptor control = control()) {
            DmRequest answer = call(control, LIST_VERSIONS, "DM_LIST_VERSIONS", DmRequest.of("", LISTS_BYTES));
            // struct dm_target_versions: next, version[3], name
            return answer.list(0, 16);
        }
    }

    /** Returns null where the kernel has no device-mapper; the node may be there nevertheless. */
    private static @Nullable Descriptor tryControl() throws IOException {
        try {
            return control();
        } catch (SystemCallException e) {
            if (e.errno() == Errno.ENOENT || e.errno() == Errno.ENODEV || e.errno() == Errno.ENXIO) {
                return null;
            }
            throw e;
        }
    }

    private static Descriptor control() throws IOException {
        return Descriptor.open(CONTROL, LibC.O_RDWR);
    }

    private static DmRequest call(Descriptor control, int command, String what, DmRequest request) throws IOException {
        try (Memory memory = request.toMemory()) {
            control.ioctl(what, COMMAND + command, memory);
            request.answered(memory);
        }
        if (request.isFull()) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED, what + ": the answer is longer than " + LISTS_BYTES + " bytes", null);
        }
        return request;
    }
}
