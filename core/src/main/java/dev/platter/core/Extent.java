package dev.platter.core;

import org.jspecify.annotations.Nullable;

/**
 * A range of a device over which the same facts hold. The facts are independent of each other: an extent can be
 * allocated and read as zeros.
 *
 * @param offset first byte in the device
 * @param length bytes, more than 0
 * @param facts sum of the bits below
 * @param depth layer that decides the contents: 0 is the top image, as {@code qemu-img map} counts
 * @param below next device down that holds space for the extent, or null. The plain contents lie there unless {@link
 *     #readsAsZero()}. It informs (a map, a plan); it is no licence to read the file behind the device's back
 * @param belowOffset where that space begins in {@code below}, -1 when {@code below} is null
 */
public record Extent(
        long offset,
        long length,
        int facts,
        int depth,
        @Nullable BlockDevice below,
        long belowOffset) {

    /** Some layer holds this range, as data or as explicit zeros. */
    public static final int ALLOCATED = 1;

    /** Every byte reads as zero, and that is known without reading. */
    public static final int READS_AS_ZERO = 2;

    /** The bytes are stored compressed. */
    public static final int COMPRESSED = 4;

    /** The bytes are stored encrypted. */
    public static final int ENCRYPTED = 8;

    /** A read would fail: a missing physical volume, a refused backing file, a missing key. The read says why. */
    public static final int UNREADABLE = 16;

    /** Returns whether some layer holds this range. */
    public boolean allocated() {
        return (facts & ALLOCATED) != 0;
    }

    /** Returns whether every byte is known to read as zero. */
    public boolean readsAsZero() {
        return (facts & READS_AS_ZERO) != 0;
    }

    /** Returns whether the bytes are stored compressed. */
    public boolean compressed() {
        return (facts & COMPRESSED) != 0;
    }

    /** Returns whether a read would fail. */
    public boolean unreadable() {
        return (facts & UNREADABLE) != 0;
    }

    /** Returns the first byte after this extent. */
    public long end() {
        return offset + length;
    }
}
