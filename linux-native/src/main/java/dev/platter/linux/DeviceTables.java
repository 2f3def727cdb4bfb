package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.Extent;
import dev.platter.core.LimitExceededException;
import dev.platter.core.UnsupportedFeatureException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Makes device-mapper tables of what Platter knows of a volume: where each of its bytes lies on disks that are bound to
 * devices of the kernel. So a logical volume needs no device for its physical volume, which the LVM of this host would see.
 *
 * <p>The pieces are followed down to the disk as the guest sees it, not into the image: the kernel's device shows the guest's
 * view as well.
 */
public final class DeviceTables {
    /** More pieces than any volume has that is of use; each costs the kernel memory that cannot be swapped. */
    static final int MOST_TARGETS = 65_536;

    private DeviceTables() {}

    /**
     * A disk, and the device of the kernel that shows it or a part of it.
     *
     * @param disk as the volume stands on it
     * @param node the device of the kernel: {@code /dev/loop3}
     * @param offset where in the disk the device begins, in bytes: beyond the label of a physical volume on a bare disk
     */
    public record BoundDisk(BlockDevice disk, Path node, long offset) {}

    /**
     * Returns the table of a volume.
     *
     * @param volume a partition, a logical volume, or another view of the disks
     * @throws UnsupportedFeatureException if a part of it lies on none of the disks, is stored compressed or encrypted, or
     *     does not begin and end with a sector
     * @throws LimitExceededException if it lies in more than {@value #MOST_TARGETS} pieces
     */
    public static DeviceTable of(BlockDevice volume, List<BoundDisk> disks) throws IOException {
        List<Below> below = new ArrayList<>();
        for (BoundDisk disk : disks) {
            String numbers = SysBlock.numbers(SysBlock.of(disk.node()));
            if (numbers == null) {
                throw new IOException(disk.node() + ": the kernel has no such device");
            }
            below.add(new Below(disk.disk(), numbers, disk.offset(), SysBlock.size(disk.node())));
        }
        return table(volume, below);
    }

    /**
     * A disk below.
     *
     * @param numbers of its device: {@code 7:3}
     * @param offset where in the disk the device begins
     * @param size bytes of the device
     */
    record Below(BlockDevice disk, String numbers, long offset, long size) {}

    static DeviceTable table(BlockDevice volume, List<Below> disks) throws IOException {
        Pieces pieces = new Pieces(volume, disks);
        pieces.follow(volume, 0, volume.size(), 0);
        return pieces.finish();
    }

    /** The pieces of a volume as they come, in order; those that adjoin are joined. */
    private static final class Pieces {
        private final BlockDevice volume;
        private final List<Below> disks;
        private final List<DeviceTable.Target> targets = new ArrayList<>();
        private long start;
        private long length;
        private String type = "";
        private @Nullable Below below;
        private long belowOffset;

        Pieces(BlockDevice volume, List<Below> disks) {
            this.volume = volume;
            this.disks = disks;
        }

        /** @param shift what has to be added to an offset in {@code device} for that in the volume */
        void follow(BlockDevice device, long offset, long run, long shift) throws IOException {
            for (Below disk : disks) {
                if (disk.disk() == device) {
                    add(offset + shift, run, "linear", disk, offset);
                    return;
                }
            }
            device.extents(offset, run, (at, piece, facts, depth, next, nextOffset) -> {
                if (next != null) {
                    follow(next, nextOffset, piece, at + shift - nextOffset);
                } else if ((facts & Extent.UNREADABLE) != 0) {
                    add(at + shift, piece, "error", null, -1);
                } else if ((facts & Extent.READS_AS_ZERO) != 0) {
                    add(at + shift, piece, "zero", null, -1);
                } else {
                    throw homeless(at + shift, facts);
                }
                return true;
            });
        }

        private UnsupportedFeatureException homeless(long at, int facts) {
            boolean coded = (facts & (Extent.COMPRESSED | Extent.ENCRYPTED)) != 0;
            return refuse(
                    at,
                    coded
                            ? "is stored compressed or encrypted, which no table can undo"
                            : "does not lie on a disk that is bound");
        }

        private UnsupportedFeatureException refuse(long at, String why) {
            return new UnsupportedFeatureException(volume.description() + ": the piece at " + at + " " + why
                    + "; bind the volume as a device of its own");
        }

        private void add(long at, long run, String kind, @Nullable Below disk, long offset) throws IOException {
            boolean joins = kind.equals(type)
                    && Objects.equals(disk, below)
                    && (disk == null || offset == belowOffset + length);
            if (joins && length > 0) {
                length += run;
                return;
            }
            flush();
            start = at;
            length = run;
            type = kind;
            below = disk;
            belowOffset = offset;
        }

        private void flush() throws IOException {
            if (length == 0) {
                return;
            }
            if (targets.size() == MOST_TARGETS) {
                throw new LimitExceededException(
                        volume.description() + ": lies in more than " + MOST_TARGETS + " pieces");
            }
            if (((start | length) & (DeviceTable.SECTOR - 1)) != 0) {
                throw refuse(start, "has " + length + " bytes, and does not begin and end with a sector of 512 bytes");
            }
            long first = start / DeviceTable.SECTOR;
            long sectors = length / DeviceTable.SECTOR;
            Below disk = below;
            if (disk == null) {
                targets.add(new DeviceTable.Target(first, sectors, type, ""));
            } else {
                targets.add(DeviceTable.Target.linear(first, sectors, disk.numbers(), place(disk)));
            }
            length = 0;
        }

        /** Returns the sector of the device below at which the piece begins. */
        private long place(Below disk) throws IOException {
            long at = belowOffset - disk.offset();
            if (at < 0 || !Bounds.inside(at, length, disk.size())) {
                throw refuse(
                        start,
                        "lies at " + belowOffset + " of the disk, of which the device shows " + disk.size()
                                + " bytes from " + disk.offset() + " on");
            }
            if ((at & (DeviceTable.SECTOR - 1)) != 0) {
                throw refuse(start, "lies at " + belowOffset + " of the disk, which is inside a sector");
            }
            return at / DeviceTable.SECTOR;
        }

        DeviceTable finish() throws IOException {
            flush();
            if (targets.isEmpty()) {
                throw new UnsupportedFeatureException(volume.description() + ": is empty");
            }
            return new DeviceTable(targets);
        }
    }
}
