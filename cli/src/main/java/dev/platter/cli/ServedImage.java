package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockStatus;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.DiskImage;
import dev.platter.core.Durability;
import dev.platter.core.Limits;
import dev.platter.partition.Partition;
import dev.platter.partition.PartitionTable;
import dev.platter.partition.PartitionTables;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.stream.Collectors;

/** What is served: an image or a part of it, as the command line says. */
final class ServedImage implements Closeable {
    private static final int SECTOR = 512;

    /** Owns all that was opened. */
    private final BlockDevice device;

    private ServedImage(BlockDevice device) {
        this.device = device;
    }

    /**
     * Opens an image.
     *
     * @param file as it stood on the command line
     * @param bitmaps which it has to have
     */
    static ServedImage open(String file, ImageArguments arguments, List<String> bitmaps, Stdio io) throws IOException {
        ImageOpener opener = new ImageOpener(arguments, io);
        BlockDevice image = opener.open(file);
        try {
            BlockDevice part = partition(part(snapshot(image, arguments), arguments.offset, -1), arguments.partition);
            BlockDevice whole = WholeSectorsDevice.isWhole(part.size()) ? part : new WholeSectorsDevice(part);
            requireBitmaps(image, whole, bitmaps);
            return new ServedImage(BlockDevices.owning(writing(whole, arguments, opener.unmaps()), image));
        } catch (IOException | RuntimeException e) {
            image.close();
            throw e;
        }
    }

    /** Returns the device. It is closed with this. */
    BlockDevice device() {
        return device;
    }

    private static BlockDevice snapshot(BlockDevice image, ImageArguments arguments) throws IOException {
        SnapshotChoice choice = arguments.snapshot;
        if (choice == null) {
            return image;
        }
        if (!(image instanceof DiskImage disk) || disk.info().format().equals("raw")) {
            throw new StartFailure("Failed to load snapshot: Block format 'raw' used by device '' does not support"
                    + " temporarily loading internal snapshots");
        }
        String id = choice.find(disk.snapshots());
        if (id == null) {
            throw new StartFailure("Failed to load snapshot: Can't find snapshot");
        }
        try {
            return disk.openSnapshot(id);
        } catch (IOException e) {
            throw new StartFailure("Failed to load snapshot: " + Failures.text(e));
        }
    }

    /**
     * Returns a part of a device.
     *
     * @param size bytes; negative for all that follow
     */
    static BlockDevice part(BlockDevice device, long offset, long size) throws StartFailure {
        if (offset == 0 && size < 0) {
            return device;
        }
        if (offset > device.size()) {
            throw new StartFailure("Offset (" + offset + ") cannot be greater than size of the containing file ("
                    + device.size() + ")");
        }
        if (size > device.size() - offset) {
            throw new StartFailure("The sum of offset (" + offset + ") and size (" + size
                    + ") has to be smaller or equal to the  actual size of the containing file (" + device.size()
                    + ")");
        }
        if (size >= 0 && size % SECTOR != 0) {
            throw new StartFailure("Specified size is not multiple of " + SECTOR);
        }
        return BlockDevices.slice(device, "from " + offset + " on", offset, size < 0 ? device.size() - offset : size);
    }

    private static BlockDevice partition(BlockDevice disk, int number) throws IOException {
        if (number == 0) {
            return disk;
        }
        PartitionTable table = PartitionTables.read(disk, 0, Limits.defaults());
        for (Partition partition : table.partitions()) {
            if (partition.number() == number) {
                return partition.open(disk);
            }
        }
        String numbers = table.partitions().stream()
                .map(partition -> Integer.toString(partition.number()))
                .collect(Collectors.joining(", "));
        throw new StartFailure("Could not find partition " + number + ": "
                + (numbers.isEmpty() ? "there is no partition on this disk" : "there are " + numbers));
    }

    private static void requireBitmaps(BlockDevice image, BlockDevice served, List<String> names) throws StartFailure {
        List<String> contexts = BlockStatus.contexts(served);
        for (String name : names) {
            if (contexts.contains(BlockStatusSource.DIRTY_BITMAP + name)) {
                continue;
            }
            boolean broken = image instanceof DiskImage disk
                    && disk.bitmaps().stream().anyMatch(bitmap -> bitmap.name().equals(name) && bitmap.inUse());
            throw broken
                    ? new StartFailure(
                            "Bitmap '" + name + "' is inconsistent and cannot be used",
                            "Try 'platter bitmap --remove' to delete this bitmap from disk")
                    : new StartFailure("Bitmap '" + name + "' is not found");
        }
    }

    private static BlockDevice writing(BlockDevice device, ImageArguments arguments, boolean unmaps) {
        if (arguments.readOnly) {
            return device;
        }
        BlockDevice writing = unmaps ? device : new DiscardIgnoringDevice(device);
        if (arguments.detectZeroes != ImageArguments.DetectZeroes.OFF) {
            writing = new ZeroDetectingDevice(writing, arguments.detectZeroes == ImageArguments.DetectZeroes.UNMAP);
        }
        if (arguments.writesThrough()) {
            return new DurabilityDevice(writing, Durability.FUA);
        }
        return arguments.isUnsafe() ? new DurabilityDevice(writing, Durability.NONE) : writing;
    }

    @Override
    public void close() throws IOException {
        try {
            device.flush();
        } finally {
            device.close();
        }
    }
}
