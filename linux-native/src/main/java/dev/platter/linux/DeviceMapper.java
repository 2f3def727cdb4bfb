package dev.platter.linux;

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
 * not there. Safe for many threads.
 */
public final class DeviceMapper {
    private static final Path LINKS = Path.of("/dev/mapper");
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
        try (DmControl control = DmControl.open()) {
            Path node = createEmpty(control, name, flags);
            Mapped mapped = new Mapped(name, node);
            try {
                control.load(name, table, flags);
                control.resume(name);
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

    private static Path createEmpty(DmControl control, String name, int flags) throws IOException {
        try {
            return Path.of("/dev/dm-" + control.create(name, MappedNames.uuid(name), flags));
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
        try (DmControl control = DmControl.open()) {
            DmRequest status = control.status(name);
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
        try (DmControl control = DmControl.open()) {
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

    private static void remove(DmControl control, String name, Path node) throws IOException {
        // whatever looks at new devices has this one open for a moment
        long end = System.nanoTime() + REMOVE_MILLIS * 1_000_000;
        while (true) {
            try {
                control.remove(name);
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
        if (!Files.exists(DmControl.NODE)) {
            return ours;
        }
        LinuxSystem.require(LinuxSystem.Purpose.LIST);
        try (DmControl control = DmControl.tryOpen()) {
            if (control == null) {
                return ours;
            }
            for (String name : control.devices()) {
                DmRequest status = control.status(name);
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
        try (DmControl control = DmControl.open()) {
            return control.table(name);
        }
    }

    /** Returns the device of ours that has a name, whichever process made it, also half; null if there is none. */
    static @Nullable Mapped find(String name) throws IOException {
        try (DmControl control = DmControl.tryOpen()) {
            if (control == null) {
                return null;
            }
            // without a table, it has no folder below /sys yet
            DmRequest status = control.status(name);
            return status != null && status.deviceUuid().equals(MappedNames.uuid(name))
                    ? new Mapped(name, Path.of("/dev/dm-" + status.minor()))
                    : null;
        }
    }

    static Path link(String name) {
        return LINKS.resolve(name);
    }

    /**
     * Loads the driver if it is not there.
     *
     * @throws BlockIOException of kind NOT_SUPPORTED if this kernel has none
     */
    static void requireDriver() throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        String refusal = KernelModule.loadFor(DmControl.NODE, "dm-mod");
        try (DmControl control = DmControl.tryOpen()) {
            if (control != null) {
                return;
            }
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    "this kernel (" + System.getProperty("os.version")
                            + ") has no device-mapper, and its module cannot be loaded: "
                            + (refusal == null ? DmControl.NODE + " leads nowhere" : refusal)
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
        try (DmControl control = DmControl.open()) {
            return control.types();
        }
    }
}
