package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The partitions of a block device as the kernel has them: told to it where it has not found them itself, as many kernels for
 * virtual machines cannot. Source: linux/blkpg.h, block/ioctl.c.
 */
final class DevicePartitions {
    private static final long NODE_MILLIS = 5_000;

    private DevicePartitions() {}

    /**
     * One partition. Extended ones that only hold others are none of these: the kernel gives them two sectors at most.
     *
     * @param number from 1
     * @param start first byte
     * @param length bytes
     */
    record Range(int number, long start, long length) {}

    /** Returns the node of a partition: {@code /dev/loop3p1}, {@code /dev/sda1}. */
    static Path node(Path device, int number) {
        String name = device.toString();
        boolean digit = Character.isDigit(name.charAt(name.length() - 1));
        return Path.of(name + (digit ? "p" : "") + number);
    }

    /**
     * Makes sure that the kernel has these partitions, and waits for their nodes.
     *
     * @return the nodes, in the order of the ranges
     * @throws BlockIOException if the kernel has one of that number which lies elsewhere, or refuses one
     */
    static List<Path> ensure(Path device, List<Range> ranges) throws IOException {
        List<Path> nodes = new ArrayList<>();
        try (Descriptor open = Descriptor.open(device, LibC.O_RDONLY)) {
            for (Range range : ranges) {
                Path node = node(device, range.number());
                Path folder = folder(device, node);
                if (Files.exists(folder)) {
                    requireEqual(node, folder, range);
                } else {
                    add(open, node, range);
                }
                SysBlock.requireNode(node, folder, NODE_MILLIS);
                nodes.add(node);
            }
        }
        return nodes;
    }

    private static Path folder(Path device, Path node) {
        return SysBlock.of(device).resolve(SysBlock.nameOf(node));
    }

    private static void add(Descriptor device, Path node, Range range) throws IOException {
        try {
            BlockIoctls.changePartition(
                    device,
                    "BLKPG_ADD_PARTITION " + range.number(),
                    BlockIoctls.BLKPG_ADD_PARTITION,
                    range.number(),
                    range.start(),
                    range.length());
        } catch (SystemCallException e) {
            if (e.errno() != Errno.EBUSY && e.errno() != Errno.EINVAL) {
                throw e;
            }
            throw new BlockIOException(
                    e.kind(),
                    node + ": the kernel takes no partition from " + range.start() + " of " + range.length()
                            + " bytes: "
                            + (e.errno() == Errno.EBUSY
                                    ? "it overlaps another one"
                                    : "it leaves the device, or begins inside a sector"),
                    e);
        }
    }

    private static void requireEqual(Path node, Path folder, Range range) throws BlockIOException {
        long start = SysBlock.number(folder.resolve("start"), -1) * SysBlock.SECTOR;
        long length = SysBlock.number(folder.resolve("size"), -1) * SysBlock.SECTOR;
        if (start != range.start() || length != range.length()) {
            throw new BlockIOException(
                    Kind.IO,
                    node + ": the kernel found it at " + start + " with " + length
                            + " bytes, the table of the image says " + range.start() + " and " + range.length(),
                    null);
        }
    }

    /**
     * Deletes all partitions of a device, or none: those that were deleted before one that somebody has open are added again.
     */
    static void removeAll(Path device, Descriptor open) throws IOException {
        List<Range> removed = new ArrayList<>();
        for (Path folder : SysBlock.partitions(device)) {
            Range range = new Range(
                    (int) SysBlock.number(folder.resolve("partition"), 0),
                    SysBlock.number(folder.resolve("start"), 0) * SysBlock.SECTOR,
                    SysBlock.number(folder.resolve("size"), 0) * SysBlock.SECTOR);
            try {
                remove(open, range.number());
            } catch (SystemCallException e) {
                BlockIOException busy = e.errno() == Errno.EBUSY ? Holders.busy(device, Holders.programs(device)) : e;
                restore(device, open, removed, busy);
                throw busy;
            }
            removed.add(range);
        }
        if (!removed.isEmpty() && !MountTable.isDevtmpfs()) {
            for (Range range : removed) {
                Files.deleteIfExists(node(device, range.number()));
            }
        }
    }

    private static void remove(Descriptor open, int number) throws SystemCallException {
        try {
            BlockIoctls.changePartition(
                    open, "BLKPG_DEL_PARTITION " + number, BlockIoctls.BLKPG_DEL_PARTITION, number, 0, 0);
        } catch (SystemCallException e) {
            // somebody else was faster
            if (e.errno() != Errno.ENXIO) {
                throw e;
            }
        }
    }

    private static void restore(Path device, Descriptor open, List<Range> removed, IOException reason) {
        for (Range range : removed) {
            try {
                add(open, node(device, range.number()), range);
            } catch (IOException e) {
                reason.addSuppressed(e);
            }
        }
    }
}
