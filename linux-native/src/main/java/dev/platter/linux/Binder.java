package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.DeviceCatalog;
import dev.platter.core.DiskImages;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Makes one binding, step by step: the disk, its partitions, its volumes. */
final class Binder {
    /** A physical volume has its label in the first four sectors of 512 bytes. */
    private static final long BEYOND_LABEL = 4096;

    private final BlockDevice image;
    private final BindOptions options;
    private final BindingJournal journal;
    private final Binding binding;
    private final List<DeviceCatalog.Entry> entries = new ArrayList<>();
    private DeviceCatalog.@Nullable Entry diskEntry;

    /** Bytes of the disk that its device leaves out at the beginning. */
    private long hidden;

    /** For devices of device-mapper on the disk's; null where there shall be none. */
    private @Nullable MappedDisk mapper;

    Binder(BlockDevice image, BindOptions options, BindingJournal journal) {
        this.image = image;
        this.options = options;
        this.journal = journal;
        this.binding = new Binding(journal, LinuxBindings.nameOf(image), options.isWritable());
    }

    Binding bind() throws IOException {
        try {
            readCatalog();
            checkDuplicates();
            bindDisk();
            if (options.wantsVolumes()) {
                bindVolumes();
            }
            if (options.wantsPartitions()) {
                bindPartitions();
            }
            return binding;
        } catch (IOException | RuntimeException e) {
            binding.undo(e);
            throw e;
        }
    }

    private void readCatalog() {
        DeviceCatalog catalog = options.catalog();
        if (catalog == null) {
            return;
        }
        entries.addAll(catalog.devices());
        for (DeviceCatalog.Entry entry : entries) {
            boolean meant = options.disk() == null
                    ? entry.kind() == DeviceCatalog.Kind.DISK
                    : entry.name().equals(options.disk());
            if (meant && diskEntry == null) {
                diskEntry = entry;
            }
        }
        if (diskEntry == null || diskEntry.size() != image.size()) {
            throw new IllegalArgumentException(
                    "catalog: has no disk " + options.disk() + " of the image's " + image.size() + " bytes");
        }
    }

    private void checkDuplicates() throws IOException {
        DeviceCatalog catalog = options.catalog();
        if (catalog == null) {
            return;
        }
        DuplicateFileSystems duplicates = DuplicateFileSystems.of(image, options, binding::note);
        for (DeviceCatalog.Entry entry : entries) {
            if (entry.equals(diskEntry) || isShown(entry)) {
                duplicates.check(entry, catalog);
            }
        }
    }

    private boolean isShown(DeviceCatalog.Entry entry) {
        if (entry.content() == null || isMember(entry.content())) {
            return false;
        }
        return switch (entry.kind()) {
            case DISK, CONTAINER -> false;
            case PARTITION -> isOnDisk(entry) && (options.wantsPartitions() || options.via() == BindOptions.Via.NBD);
            case VOLUME -> options.wantsVolumes();
        };
    }

    private void bindDisk() throws IOException {
        requireHidden();
        String content = diskEntry == null ? null : diskEntry.content();
        if (isMember(content)) {
            hideMember(String.valueOf(content));
        }
        LoopOptions loop =
                loopOptions().withRange(hidden, 0).withPartitionScan(mayScan()).withAutoclear(options.isAutoclear());
        Attachment attachment = attach(image, "disk", loop);
        binding.push(attachment);
        if (!attachment.isServed()) {
            binding.claim(BoundHere.of(image, options.isWritable()));
        }
        binding.setDisk(new BoundDevice(
                diskEntry == null ? image.description() : diskEntry.name(),
                attachment.device(),
                image.size() - hidden,
                hidden == 0 ? content : null,
                !options.isWritable()));
    }

    private void hideMember(String content) throws BlockIOException {
        if (content.equals("LVM2_member")) {
            hidden = BEYOND_LABEL;
            binding.note(image.description() + ": is a physical volume; its device begins at byte " + BEYOND_LABEL
                    + ", behind the label, so that the LVM of this system does not take it for its own");
        } else if (options.isWritable()) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    image.description() + ": holds " + content
                            + ", which this system might put together and write to; bind it read-only",
                    null);
        }
    }

    private LoopOptions loopOptions() {
        LoopOptions plain = options.isWritable() ? LoopOptions.ofWritable() : LoopOptions.ofReadOnly();
        int sector = image.features().logicalSectorSize();
        return sector > SysBlock.SECTOR && sector <= 4096 ? plain.withBlockSize(sector) : plain;
    }

    /** The kernel would make nodes for all partitions, and LVM or md of this system would look into them. */
    private boolean mayScan() {
        if (!options.wantsPartitions()) {
            return false;
        }
        for (DeviceCatalog.Entry entry : entries) {
            if (isOnDisk(entry) && isMember(entry.content())) {
                return false;
            }
        }
        return true;
    }

    private boolean isOnDisk(DeviceCatalog.Entry entry) {
        DeviceCatalog.Place place = entry.place();
        return place != null && diskEntry != null && place.disk().equals(diskEntry.name());
    }

    private static boolean isMember(@Nullable String content) {
        return content != null && (content.endsWith("_member") || content.equals("bcache"));
    }

    private Attachment attach(BlockDevice device, String name, LoopOptions loop) throws IOException {
        return switch (options.via()) {
            case AUTO -> {
                DiskPlaces.Piece piece = DiskPlaces.inFile(device);
                yield piece == null || piece.offset() % SysBlock.SECTOR != 0
                        ? serve(device, name, loop)
                        : onPiece(piece, device, loop);
            }
            case LOOP -> onPiece(requirePiece(device, DiskPlaces.inFile(device)), device, loop);
            case FUSE, NBD -> serve(device, name, loop);
        };
    }

    private Attachment serve(BlockDevice device, String name, LoopOptions loop) throws IOException {
        binding.claim(BoundHere.of(device, !loop.readOnly()));
        BlockDevice served = device;
        if (!loop.readOnly()) {
            LossNotingDevice noting = new LossNotingDevice(device);
            binding.push(noting::finish);
            served = noting;
        }
        if (options.via() != BindOptions.Via.NBD) {
            return LoopAttachment.onServedFile(served, name, loop, options, journal);
        }
        long from = loop.offset();
        BlockDevice shown =
                from == 0 ? served : BlockDevices.slice(served, "from " + from + " on", from, device.size() - from);
        return NbdAttachment.of(shown, options, journal);
    }

    /** The driver of nbd looks for partitions by itself, and whoever listens to udev sees all of them at once. */
    private void requireHidden() throws BlockIOException {
        if (options.via() != BindOptions.Via.NBD) {
            return;
        }
        for (DeviceCatalog.Entry entry : entries) {
            if (isOnDisk(entry) && isMember(entry.content())) {
                throw new BlockIOException(
                        Kind.NOT_SUPPORTED,
                        image.description() + ": " + entry.name() + " holds " + entry.content()
                                + ", which this system would take for its own when it sees the disk as an nbd device; bind"
                                + " the partitions or volumes that are wanted one by one, or the disk as fuse",
                        null);
            }
        }
    }

    /** @param loop with the range of the device that is wanted */
    private Attachment onPiece(DiskPlaces.Piece piece, BlockDevice device, LoopOptions loop) throws IOException {
        if (!loop.readOnly()) {
            // what the kernel wrote to the file by itself has to reach the medium, too
            binding.push(new LossNotingDevice(device)::finish);
        }
        boolean whole = DiskImages.fileOf(device) != null;
        LoopOptions placed =
                whole ? loop : loop.withRange(piece.offset() + loop.offset(), device.size() - loop.offset());
        return LoopAttachment.onFile(piece.file(), placed, journal);
    }

    private static DiskPlaces.Piece requirePiece(BlockDevice device, DiskPlaces.@Nullable Piece piece)
            throws BlockIOException {
        if (piece == null) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    device.description()
                            + ": a loop device stands on a raw file, or on one piece of it, and this is none;"
                            + " bind it as fuse or auto",
                    null);
        }
        return piece;
    }

    private void bindPartitions() throws IOException {
        List<DeviceCatalog.Entry> wanted = new ArrayList<>();
        List<DevicePartitions.Range> ranges = new ArrayList<>();
        for (DeviceCatalog.Entry entry : entries) {
            DeviceCatalog.Place place = entry.place();
            if (place == null || !isOnDisk(entry) || entry.kind() != DeviceCatalog.Kind.PARTITION) {
                continue;
            }
            String reason = whyNot(entry, place);
            if (reason == null) {
                wanted.add(entry);
                ranges.add(new DevicePartitions.Range(place.number(), place.start() - hidden, entry.size()));
            } else {
                binding.note(entry.name() + ": gets no device: " + reason);
            }
        }
        MappedDisk mapped = mapper;
        List<Path> nodes = mapped != null && mapped.isUsed()
                ? mapPartitions(mapped, ranges)
                : DevicePartitions.ensure(binding.device(), ranges);
        for (int i = 0; i < nodes.size(); i++) {
            DeviceCatalog.Entry entry = wanted.get(i);
            binding.addPartition(
                    new BoundDevice(entry.name(), nodes.get(i), entry.size(), entry.content(), !options.isWritable()));
        }
    }

    /** Nothing could be mounted from partitions of the kernel's while device-mapper has the whole device for itself. */
    private List<Path> mapPartitions(MappedDisk disk, List<DevicePartitions.Range> ranges) throws IOException {
        List<Path> links = new ArrayList<>();
        for (DevicePartitions.Range range : ranges) {
            MappedAttachment attachment = disk.map(range, !options.isWritable());
            binding.push(attachment);
            links.add(attachment.link());
        }
        return links;
    }

    private @Nullable String whyNot(DeviceCatalog.Entry entry, DeviceCatalog.Place place) {
        if (isMember(entry.content())) {
            return "it holds " + entry.content() + ", which this system would take for its own";
        }
        if (entry.size() == 0) {
            return "it has no bytes";
        }
        if (place.start() < hidden) {
            return "it begins before byte " + hidden + ", from which on the disk is shown";
        }
        if (place.start() % SysBlock.SECTOR != 0 || entry.size() % SysBlock.SECTOR != 0) {
            return "it begins at " + place.start() + " and has " + entry.size() + " bytes, which are no whole sectors";
        }
        return null;
    }

    private void bindVolumes() throws IOException {
        DeviceCatalog catalog = options.catalog();
        if (catalog == null) {
            return;
        }
        if (!options.isAutoclear()) {
            // no device of device-mapper goes away by itself
            mapper =
                    new MappedDisk(new DeviceTables.BoundDisk(image, binding.device(), hidden), journal, binding::note);
        }
        int number = 0;
        for (DeviceCatalog.Entry entry : entries) {
            if (entry.kind() == DeviceCatalog.Kind.VOLUME) {
                if (isMember(entry.content())) {
                    binding.note(entry.name() + ": gets no device: it holds " + entry.content()
                            + ", which this system would take for its own");
                } else {
                    bindVolume(catalog, entry, "volume-" + ++number);
                }
            }
        }
    }

    private void bindVolume(DeviceCatalog catalog, DeviceCatalog.Entry entry, String file) throws IOException {
        BlockDevice volume = catalog.device(entry.name());
        binding.push(volume);
        boolean readOnly = !options.isWritable() || volume.features().readOnly();
        MappedAttachment mapped = mapper == null ? null : mapper.map(volume, entry.name(), readOnly);
        if (mapped != null) {
            binding.push(mapped);
            binding.addVolume(new BoundDevice(entry.name(), mapped.link(), entry.size(), entry.content(), readOnly));
            return;
        }
        LoopOptions loop = readOnly ? LoopOptions.ofReadOnly() : LoopOptions.ofWritable();
        long place = DiskPlaces.contiguous(volume, image);
        Attachment attachment = place >= hidden && place % SysBlock.SECTOR == 0
                // on the disk's device, so that both show the same bytes at any time
                ? LoopAttachment.onFile(binding.device(), loop.withRange(place - hidden, entry.size()), journal)
                : serve(volume, file, loop);
        binding.push(attachment);
        binding.addVolume(new BoundDevice(entry.name(), attachment.device(), entry.size(), entry.content(), readOnly));
    }
}
