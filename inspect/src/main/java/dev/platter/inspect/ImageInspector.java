package dev.platter.inspect;

import com.google.common.io.Closer;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DeviceCatalog;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Printable;
import dev.platter.filesystem.FileSystem;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.PhysicalVolume;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import java.io.Closeable;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.ClosedChannelException;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A guest's disks with everything inside them. The front door of Platter:
 *
 * <pre>{@code
 * try (ImageInspector image = ImageInspector.open(Path.of("guest.qcow2"))) {
 *     for (Partition p : image.partitions()) { … }
 *     for (VolumeGroup g : image.volumeGroups()) { … }
 *     BlockDevice root = image.device("/dev/vg0/root");
 * }
 * }</pre>
 *
 * <p>Everything is found when it is opened and does not change afterwards; only metadata are read. What is damaged does
 * not hide the rest: it is named in {@link #problems()}. Names are those that libguestfs gives: disks are {@code /dev/sda},
 * {@code /dev/sdb} … in the order given, partitions {@code /dev/sda1}, logical volumes {@code /dev/vg0/root}. Safe for use
 * by many threads.
 */
public final class ImageInspector implements DeviceCatalog, Closeable {
    private final Inspection inspection;
    private final List<? extends Closeable> owned;
    private volatile boolean closed;

    /** Opens one disk of a guest, wherever its image lies. */
    @FunctionalInterface
    public interface DiskOpener {
        /** Opens it, with the options that all disks of the guest are opened with. */
        DiskImage open(OpenOptions options) throws IOException;
    }

    private ImageInspector(Inspection inspection, List<? extends Closeable> owned) {
        this.inspection = inspection;
        this.owned = owned;
    }

    /**
     * Opens one image, read-only, with the defaults: the format is probed, and nothing that the image names is opened.
     *
     * @throws dev.platter.core.DiskImageException if it is no image that can be read
     */
    public static ImageInspector open(Path image) throws IOException {
        return open(image, OpenOptions.defaults());
    }

    /** Opens one image. */
    public static ImageInspector open(Path image, OpenOptions options) throws IOException {
        return open(List.of(image), options);
    }

    /** Opens one image by its address; see {@link DiskImages#open(URI, OpenOptions)}. */
    public static ImageInspector open(URI address, OpenOptions options) throws IOException {
        return openAll(List.of(listening -> DiskImages.open(address, listening)), options, null);
    }

    /** Opens the disks of one guest together, so that volume groups that span them are whole. */
    public static ImageInspector open(List<Path> images) throws IOException {
        return open(images, OpenOptions.defaults());
    }

    /** Opens the disks of one guest together. */
    public static ImageInspector open(List<Path> images, OpenOptions options) throws IOException {
        return open(images, options, null);
    }

    /**
     * Opens the disks of one guest together, as they were at an internal snapshot.
     *
     * @param snapshot id or name of a snapshot that every image has; null for the present state
     * @throws dev.platter.core.DiskImageException if an image is none that can be read, or has no such snapshot
     */
    public static ImageInspector open(List<Path> images, OpenOptions options, @Nullable String snapshot)
            throws IOException {
        List<DiskOpener> openers = new ArrayList<>();
        for (Path path : images) {
            openers.add(listening -> DiskImages.open(path, listening));
        }
        return openAll(openers, options, snapshot);
    }

    /**
     * Opens the disks of one guest together, as they were at an internal snapshot: files, addresses, or what else there is.
     *
     * @param disks each is asked once, in order; what it returns is closed with the inspector
     * @param snapshot id or name of a snapshot that every image has; null for the present state
     * @throws dev.platter.core.DiskImageException if an image is none that can be read, or has no such snapshot
     */
    public static ImageInspector openAll(
            List<? extends DiskOpener> disks, OpenOptions options, @Nullable String snapshot) throws IOException {
        requireAny(disks.size());
        Findings findings = new Findings();
        OpenOptions listening = options.toBuilder()
                .onWarning(warning -> {
                    findings.warn(warning);
                    options.onWarning().accept(warning);
                })
                .build();
        List<Closeable> owned = new ArrayList<>();
        try {
            List<Inspection.Source> sources = new ArrayList<>();
            for (DiskOpener disk : disks) {
                DiskImage image = disk.open(listening);
                owned.add(image);
                BlockDevice device = snapshot == null ? image : image.openSnapshot(snapshot);
                sources.add(new Inspection.Source(device, image));
            }
            return new ImageInspector(Inspection.of(sources, listening, findings), owned);
        } catch (IOException | RuntimeException e) {
            closeAll(owned);
            throw e;
        }
    }

    /**
     * Inspects devices that somebody else opened: those of one guest, in order. They are not closed with the
     * inspector.
     */
    public static ImageInspector of(BlockDevice... devices) throws IOException {
        requireAny(devices.length);
        List<Inspection.Source> sources = new ArrayList<>();
        for (BlockDevice device : devices) {
            sources.add(new Inspection.Source(device, device instanceof DiskImage image ? image : null));
        }
        return new ImageInspector(Inspection.of(sources, OpenOptions.defaults(), new Findings()), List.of());
    }

    private static void requireAny(int count) {
        if (count == 0) {
            throw new IllegalArgumentException("images: there must be at least one");
        }
    }

    /** Returns the disks, in the order given, each with its partition table. */
    public List<Disk> disks() {
        return inspection.disks();
    }

    /** Returns the partitions of all disks, in order. */
    public List<Partition> partitions() {
        List<Partition> all = new ArrayList<>();
        for (Disk disk : inspection.disks()) {
            all.addAll(disk.table().partitions());
        }
        return List.copyOf(all);
    }

    /** Returns the LVM2 physical volumes that are there. */
    public List<PhysicalVolume> physicalVolumes() {
        return inspection.lvm().physicalVolumes();
    }

    /** Returns the LVM2 volume groups, those that lack physical volumes included. */
    public List<VolumeGroup> volumeGroups() {
        return inspection.lvm().volumeGroups();
    }

    /** Returns everything that can hold a file system: bare disks, then partitions, then logical volumes. */
    public List<Volume> volumes() {
        return inspection.volumes();
    }

    /** Returns the file systems and other recognised contents by the name of their device; not physical volumes. */
    public Map<String, FileSystem> fileSystems() {
        Map<String, FileSystem> found = new LinkedHashMap<>();
        for (Volume volume : inspection.volumes()) {
            volume.fileSystem()
                    .filter(content -> !content.type().equals(FileSystemList.PHYSICAL_VOLUME))
                    .ifPresent(content -> found.put(volume.name(), content));
        }
        return found;
    }

    /**
     * Returns what {@code guestfish list-filesystems} prints: types by the name of their device, {@code unknown} for what
     * is not recognised.
     */
    public Map<String, String> listFileSystems() {
        return FileSystemList.of(inspection.volumes());
    }

    /** Returns what is odd but did not stop the reading, one sentence each. */
    public List<String> warnings() {
        return inspection.warnings();
    }

    /**
     * Returns what the images name or contain and could not be opened or read, one sentence each. Volumes that need a disk
     * that was not given, or that are of a type that cannot be read yet, are not among them: each says so itself.
     */
    public List<String> problems() {
        return inspection.problems();
    }

    /** Returns all of it as a value that can be printed as JSON. */
    public InspectionReport report() {
        return new InspectionReport(inspection);
    }

    /** Returns the name that a logical volume is addressed by. */
    public String deviceName(VolumeGroup group, LogicalVolume volume) {
        return inspection.names().nameOf(group, volume);
    }

    @Override
    public List<Entry> devices() {
        Contents contents = new Contents();
        List<Entry> all = new ArrayList<>();
        for (Disk disk : inspection.disks()) {
            long diskSize = disk.device().size();
            all.add(contents.entry(disk.name(), diskSize, Kind.DISK, null));
            for (Partition partition : disk.table().partitions()) {
                long room = diskSize - partition.start();
                if (room > 0) {
                    all.add(entryOf(disk, partition, room, contents));
                }
            }
        }
        for (VolumeGroup group : volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                if (volume.isReadable()) {
                    String name = inspection.names().nameOf(group, volume);
                    all.add(contents.entry(name, volume.size(), Kind.VOLUME, null));
                }
            }
        }
        return List.copyOf(all);
    }

    /** What was recognised, by the name of its device. */
    private final class Contents {
        private final Map<String, FileSystem> found = new HashMap<>();
        private final Set<String> physicalVolumes = new HashSet<>();

        Contents() {
            for (Volume volume : inspection.volumes()) {
                volume.fileSystem().ifPresent(content -> found.put(volume.name(), content));
            }
            for (PhysicalVolume physical : physicalVolumes()) {
                // blkid does not look for these in small devices; LVM does
                if (physical.deviceName() != null) {
                    physicalVolumes.add(physical.deviceName());
                }
            }
        }

        Entry entry(String name, long size, Kind kind, @Nullable Place place) {
            FileSystem content = found.get(name);
            if (physicalVolumes.contains(name)) {
                return new Entry(name, size, kind, place, FileSystemList.PHYSICAL_VOLUME);
            }
            return content == null
                    ? new Entry(name, size, kind, place, null)
                    : new Entry(name, size, kind, place, content.type(), content.uuid(), content.label());
        }
    }

    private static Entry entryOf(Disk disk, Partition partition, long room, Contents contents) {
        String name = disk.partitionName(partition.number());
        // one that ends beyond the disk is cut off there
        return contents.entry(
                name,
                Math.min(partition.size(), room),
                partition.role() == Partition.Role.EXTENDED ? Kind.CONTAINER : Kind.PARTITION,
                new Place(disk.name(), partition.number(), partition.start()));
    }

    /**
     * Opens a disk, a partition or a logical volume by its name. A logical volume can be named {@code /dev/<VG>/<LV>} where
     * only one group has that name, {@code /dev/<VG>@<VG UUID>/<LV>}, or {@code <VG UUID>/<LV UUID>}. The device is a view:
     * closing it leaves the image open. Closing the inspector ends it, unless it stands on devices that somebody else opened.
     *
     * @throws NoSuchFileException if there is no such device
     * @throws dev.platter.core.DiskImageException if it cannot be read; the message says why
     */
    @Override
    public BlockDevice device(String name) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        for (Disk disk : inspection.disks()) {
            if (name.equals(disk.name())) {
                return view(disk.device());
            }
            for (Partition partition : disk.table().partitions()) {
                if (name.equals(disk.partitionName(partition.number()))) {
                    return partition.open(disk.device());
                }
            }
        }
        return openVolume(name);
    }

    private BlockDevice openVolume(String name) throws IOException {
        VolumeNames names = inspection.names();
        LogicalVolume found = null;
        for (VolumeGroup group : volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                if (names.isNameOf(name, group, volume)) {
                    if (found != null) {
                        throw new CorruptImageException(
                                Printable.quote(name) + ": two logical volumes have these UUIDs, none is opened");
                    }
                    found = volume;
                }
            }
        }
        if (found != null) {
            return found.open();
        }
        List<String> candidates = names.candidates(name, volumeGroups());
        throw new NoSuchFileException(
                Printable.escape(name),
                null,
                candidates.isEmpty()
                        ? "there is no such device in the image"
                        : "this is no name of one volume alone; say " + VolumeNames.list(candidates));
    }

    private static BlockDevice view(BlockDevice device) {
        return device.features().readOnly()
                ? BlockDevices.readOnly(device)
                : BlockDevices.slice(device, "whole disk", 0, device.size());
    }

    /** Closes the images that this opened, and with them every device that came from here. */
    @Override
    public void close() throws IOException {
        closed = true;
        closeAll(owned);
    }

    private static void closeAll(List<? extends Closeable> things) throws IOException {
        try (Closer closer = Closer.create()) {
            things.forEach(closer::register);
        }
    }
}
