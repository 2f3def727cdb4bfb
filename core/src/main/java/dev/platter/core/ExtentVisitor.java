package dev.platter.core;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Receives the extents of a range, in order; see {@link BlockDevice#extents}. */
@FunctionalInterface
public interface ExtentVisitor {

    /**
     * Takes one extent.
     *
     * @param offset first byte, in the device that was asked
     * @param length bytes, more than 0
     * @param facts sum of the bits {@link Extent#ALLOCATED}, {@link Extent#READS_AS_ZERO}, {@link Extent#COMPRESSED},
     *     {@link Extent#ENCRYPTED} and {@link Extent#UNREADABLE}
     * @param depth layer that decides the contents: 0 is the top image, 1 its backing file, and so on
     * @param below next device down that holds space for this extent in one piece, or null where there is none or its
     *     bytes are not plain
     * @param belowOffset where that space begins in {@code below}; -1 when {@code below} is null
     * @return whether to go on
     */
    boolean extent(long offset, long length, int facts, int depth, @Nullable BlockDevice below, long belowOffset)
            throws IOException;
}
