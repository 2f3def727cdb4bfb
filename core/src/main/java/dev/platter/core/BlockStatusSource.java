package dev.platter.core;

import java.io.IOException;
import java.util.List;

/**
 * Something that knows facts about ranges of a device, in named contexts: what is allocated, which layer decides, what a
 * bitmap holds. The names are those of NBD's metadata contexts. Implemented by images and remote exports; {@link
 * BlockStatus} asks any device. Safe for many threads.
 */
public interface BlockStatusSource {

    /** What is allocated and what reads as zeros: the sum of {@link #HOLE} and {@link #ZERO}. */
    String BASE_ALLOCATION = "base:allocation";

    /** Which layer decides the contents: 0 none, 1 the top image, 2 its backing file, and so on. */
    String ALLOCATION_DEPTH = "qemu:allocation-depth";

    /** Begins the context of a bitmap, whose name follows: {@link #DIRTY} or 0. */
    String DIRTY_BITMAP = "qemu:dirty-bitmap:";

    /** In {@link #BASE_ALLOCATION}: nothing is allocated; a write may run out of space. */
    long HOLE = 1;

    /** In {@link #BASE_ALLOCATION}: every byte reads as zero. */
    long ZERO = 2;

    /** In the context of a bitmap: changed since the bitmap was made or cleared. */
    long DIRTY = 1;

    /** Takes what is known of one range. */
    @FunctionalInterface
    interface StatusVisitor {
        /**
         * Takes a range; returns whether to go on.
         *
         * @param offset first byte
         * @param length bytes, more than 0
         * @param status meaning depends on the context
         */
        boolean status(long offset, long length, long status) throws IOException;
    }

    /** Returns the names of the contexts that can be asked for. */
    List<String> contexts();

    /**
     * Tells what is known of a range in one context. What is told is in ascending order, without gaps or overlaps, and
     * covers the range unless the visitor stops early; neighbours may be equal.
     *
     * @throws IndexOutOfBoundsException if the range leaves the device
     * @throws DiskImageException if there is no such context, or it cannot be read
     */
    void status(String context, long offset, long length, StatusVisitor visitor) throws IOException;
}
