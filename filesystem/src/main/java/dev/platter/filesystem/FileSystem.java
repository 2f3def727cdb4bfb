package dev.platter.filesystem;

import dev.platter.core.Warning;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a volume holds and what that says of itself. Immutable; no device is kept. Everything here was written by whoever
 * wrote the image: {@code label}, {@code uuid} and {@code version} may hold control characters, and numbers may lie.
 * {@link dev.platter.core.Printable#escape} makes text fit to be shown.
 *
 * @param type the type in the words of {@code blkid}: {@code ext4}, {@code vfat}, {@code crypto_LUKS},
 *     {@code LVM2_member}
 * @param label the label, decoded leniently (what cannot be decoded becomes U+FFFD), without trailing blanks
 * @param uuid the identifier as {@code blkid} prints it, whose form differs by type
 * @param size bytes of the file system as it says itself, which may be more or less than the volume has; null where it
 *     does not say, as with swap
 * @param free bytes not in use, as its superblock says, at most {@code size}; null where it does not say
 * @param used bytes in use: as its superblock says, or else what is not free of its size; null where neither is known
 * @param blockSize bytes of an allocation unit (block, cluster), or 0 where there is none
 * @param signatureOffset byte offset of the magic in the volume
 * @param version the version as {@code blkid} prints it, or the version that the format itself has
 * @param state whether it was left in order, where the superblock says so
 * @param usage what {@code df} would print; null where only a reader of files or of the whole allocation data can know
 * @param warnings what is odd about it
 */
public record FileSystem(
        String type,
        @Nullable String label,
        @Nullable String uuid,
        @Nullable Long size,
        @Nullable Long free,
        @Nullable Long used,
        int blockSize,
        long signatureOffset,
        @Nullable String version,
        State state,
        @Nullable DiskUsage usage,
        List<Warning> warnings) {

    /** Copies the warnings, and works out {@code used} where the superblock only says what is free. */
    public FileSystem {
        if (used == null && size != null && free != null) {
            used = size - free;
        }
        warnings = List.copyOf(warnings);
    }

    /** Whether a file system was left in order. */
    public enum State {
        /** It was unmounted, and knows of no errors. */
        CLEAN,
        /** It is or was in use without being unmounted, waits for a journal replay, or knows of errors. */
        DIRTY,
        /** Its superblock does not say. */
        UNKNOWN
    }
}
