package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.CorruptImageException;
import org.jspecify.annotations.Nullable;

/**
 * One partition as its table describes it. Immutable; {@code start + size} never exceeds 2^63-1, but either may lie
 * beyond the end of the disk.
 *
 * @param number the number that Linux gives it, from 1; there may be gaps
 * @param start first byte on the disk
 * @param size bytes as the table says; 0 if it ends before it starts, or beyond the bytes that can be counted
 * @param type {@code 0x83} (two hexadecimal digits, lower case) for dos, the type GUID in upper case for gpt
 * @param typeName the type in the words of fdisk, {@code unknown} if it has none
 * @param name the name in a GPT entry, as it is there: it may hold control characters; unpaired surrogates are replaced
 *     by U+FFFD. Null if empty, and for dos
 * @param uuid what Linux calls PARTUUID: for gpt the unique GUID, in upper case as sfdisk prints it (blkid prints it in
 *     lower case); for dos the disk id and the number, {@code 38ba5c5c-01}, or null if the disk id is 0, as blkid does
 * @param attributes the attribute bits of a GPT entry, 0 for dos
 * @param attributesText these bits as sfdisk prints them: {@code RequiredPartition GUID:60,63}; empty if none is set
 * @param bootable the active flag of dos, or the attribute LegacyBIOSBootable of gpt
 * @param role what kind of dos partition this is; null for gpt
 */
public record Partition(
        int number,
        long start,
        long size,
        String type,
        String typeName,
        @Nullable String name,
        @Nullable String uuid,
        long attributes,
        String attributesText,
        boolean bootable,
        @Nullable Role role) {

    /** The kinds of dos partitions. */
    public enum Role {
        /** One of the four entries of the MBR. */
        PRIMARY,
        /** One of the four entries of the MBR, holding a chain of logical partitions. */
        EXTENDED,
        /** A member of such a chain. */
        LOGICAL
    }

    /** Checks that the numbers are possible. */
    public Partition {
        if (number < 1) {
            throw new IllegalArgumentException("number: " + number + " is less than 1");
        }
        if (start < 0 || size < 0 || size > Long.MAX_VALUE - start) {
            throw new IllegalArgumentException("start: " + start + ", size: " + size + " leave the range 0..2^63-1");
        }
    }

    /**
     * Returns the bytes of this partition as a view of {@code disk}, which stays open when the view is closed. A partition
     * that ends beyond the end of the disk is cut off there, as Linux does.
     *
     * @param disk the disk that the table was read from
     * @throws CorruptImageException if the partition starts at or beyond the end of the disk
     */
    public BlockDevice open(BlockDevice disk) throws CorruptImageException {
        if (start >= disk.size()) {
            throw new CorruptImageException(disk.description() + ": partition " + number + " starts at " + start
                    + ", beyond the end of the disk (" + disk.size() + " bytes)");
        }
        return BlockDevices.slice(disk, "partition " + number, start, Math.min(size, disk.size() - start));
    }
}
