package dev.platter.qcow2;

import org.jspecify.annotations.Nullable;

/**
 * How large a new image would be, in bytes, in the terms of {@code qemu-img measure}.
 *
 * @param required the file when it is new: a little more than it takes, never less
 * @param fullyAllocated the file when all of the disk was written
 * @param bitmaps what copies of the source's persistent bitmaps take in addition; null where the source or the new image
 *     can have none
 */
public record Measurement(
        long required, long fullyAllocated, @Nullable Long bitmaps) {}
