package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.DeviceCatalog;
import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Keeps file systems of an image from being mistaken for those of this system. Whoever looks for one by its UUID may find the
 * image's, and the driver of btrfs takes two of one UUID for the devices of one file system. So such a one is shown
 * read-only, by the kernel itself, and to write only where the caller allows duplicates; a second btrfs of one UUID and one of
 * several devices of a btrfs never are.
 */
final class DuplicateFileSystems {
    private static final String BTRFS = "btrfs";
    /** The place of {@code num_devices} in the superblock at 64 KiB: struct btrfs_super_block. */
    private static final long BTRFS_DEVICES_AT = 65536 + 0x88;

    private final HostFileSystems host;
    private final boolean writable;
    private final boolean allowed;
    private final Set<Path> ours;
    private final @Nullable Path image;
    private final Consumer<String> notes;

    /**
     * @param allowed whether those that do no harm by themselves may be written to
     * @param ours devices of bindings
     * @param image the block device that is bound, where it is one and not a file
     * @param notes told what is shown nevertheless, and how to take care
     */
    DuplicateFileSystems(
            HostFileSystems host,
            boolean writable,
            boolean allowed,
            Set<Path> ours,
            @Nullable Path image,
            Consumer<String> notes) {
        this.host = host;
        this.writable = writable;
        this.allowed = allowed;
        this.ours = Set.copyOf(ours);
        this.image = image;
        this.notes = notes;
    }

    /** Returns the check for a device that is about to be bound. */
    static DuplicateFileSystems of(BlockDevice device, BindOptions options, Consumer<String> notes) throws IOException {
        Set<Path> ours = new HashSet<>();
        for (BindingInfo binding : LinuxBindings.list()) {
            for (Path own : binding.devices()) {
                ours.add(Files.exists(own) ? own.toRealPath() : own);
            }
        }
        DiskPlaces.Piece piece = DiskPlaces.inFile(device);
        Path file = piece == null ? null : piece.file().toRealPath();
        Path image = file != null && SysBlock.deviceOf(file) >= 0 ? file : null;
        return new DuplicateFileSystems(
                HostFileSystems.now(), options.isWritable(), options.allowsDuplicates(), ours, image, notes);
    }

    /**
     * Checks what is about to get a device.
     *
     * @param catalog that has it
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if it must not be written to here
     */
    void check(DeviceCatalog.Entry entry, DeviceCatalog catalog) throws IOException {
        String name = Printable.escape(entry.name());
        boolean btrfs = BTRFS.equals(entry.content());
        long devices = btrfs && writable ? devicesOf(catalog, entry) : 1;
        if (devices > 1) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    name + ": is one of " + devices
                            + " devices of a btrfs, which this system might put together with others; bind it read-only",
                    null);
        }
        String uuid = entry.uuid();
        String label = entry.label();
        List<HostFileSystems.Known> twins = uuid == null ? List.of() : others(host.ofUuid(uuid), btrfs);
        if (uuid != null && !twins.isEmpty()) {
            String sentence = name + ": holds " + entry.content() + " with the UUID " + Printable.escape(uuid)
                    + ", which this system has " + place(twins.get(0)) + " as well";
            say(sentence, btrfs);
        } else if (label != null && !label.isEmpty()) {
            List<HostFileSystems.Known> namesakes = others(host.ofLabel(label), false);
            if (!namesakes.isEmpty()) {
                String sentence = name + ": has the label " + Printable.quote(label) + ", which this system has "
                        + place(namesakes.get(0)) + " as well";
                say(sentence, false);
            }
        }
    }

    private void say(String sentence, boolean harms) throws BlockIOException {
        if (writable && harms) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    sentence
                            + ": the two would be taken for one; bind it read-only, or give one of them a UUID of its own",
                    null);
        }
        if (writable && !allowed) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    sentence
                            + ": one could be taken for the other; bind it read-only, or allow duplicates"
                            + " (--allow-duplicates) and name it by its device only",
                    null);
        }
        notes.accept(sentence + "; name it by its device"
                + (harms ? ", and do not mount it while the other one is mounted" : ""));
    }

    private static String place(HostFileSystems.Known twin) {
        return twin.device() == null ? "mounted" : "on " + twin.device();
    }

    /** Returns those that are not the image itself, and no image of another guest unless that does harm, too. */
    private List<HostFileSystems.Known> others(List<HostFileSystems.Known> found, boolean btrfs) throws IOException {
        List<HostFileSystems.Known> others = new ArrayList<>();
        for (HostFileSystems.Known each : found) {
            Path device = each.device();
            if (device == null) {
                others.add(each);
                continue;
            }
            Path whole = whole(device);
            boolean isGuest = ours.contains(whole) && !btrfs;
            // a link of udev outlives its device by a moment
            boolean isGone = SysBlock.size(whole) == 0;
            boolean isItself = image != null
                    && (device.equals(image) || whole.equals(image))
                    && MountTable.of(device).isEmpty();
            if (!isGuest && !isGone && !isItself) {
                others.add(each);
            }
        }
        return others;
    }

    /** Returns the device that one is a partition of, or itself. */
    private static Path whole(Path device) throws IOException {
        Path folder = Path.of("/sys/class/block").resolve(SysBlock.nameOf(device));
        if (!Files.exists(folder.resolve("partition"))) {
            return device;
        }
        Path parent = folder.toRealPath().getParent();
        return parent == null ? device : Path.of("/dev").resolve(SysBlock.nameOf(parent));
    }

    private static long devicesOf(DeviceCatalog catalog, DeviceCatalog.Entry btrfs) throws IOException {
        ByteBuffer number = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        try (BlockDevice device = catalog.device(btrfs.name())) {
            if (device.size() >= BTRFS_DEVICES_AT + Long.BYTES) {
                device.read(BTRFS_DEVICES_AT, number);
            }
        }
        return number.getLong(0);
    }
}
