package dev.platter.inspect;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.partition.PartitionTable;
import org.jspecify.annotations.Nullable;

/**
 * A disk of the guest.
 *
 * @param name the name that the guest's disk gets here, in the order given: {@code /dev/sda}
 * @param device its bytes: the image, a snapshot of it, or the device that was given
 * @param image the image it comes from; null for a device that was given as such
 * @param table its partition table
 */
public record Disk(
        String name, BlockDevice device, @Nullable DiskImage image, PartitionTable table) {

    /** Returns the name of the disk at a position, as Linux names them: sda to sdz, then sdaa. */
    static String nameOf(int index) {
        StringBuilder letters = new StringBuilder();
        for (int i = index; i >= 0; i = i / 26 - 1) {
            letters.insert(0, (char) ('a' + i % 26));
        }
        return "/dev/sd" + letters;
    }

    /** Returns the name of a partition of this disk: {@code /dev/sda1}. */
    public String partitionName(int number) {
        return name + number;
    }
}
