package dev.platter.core;

import java.nio.ByteBuffer;

/**
 * Buffers to read into. What {@link ByteBuffer#allocateDirect} gives begins, if it is large, 16 bytes behind the beginning
 * of a page of memory, and Linux copies from its page cache to such an address at half the speed.
 */
public final class DirectBuffers {
    private static final int PAGE = 4096;

    private DirectBuffers() {}

    /**
     * Returns a new direct buffer of zeros that begins at a page of memory, big-endian.
     *
     * @param bytes its capacity; a page more is allocated
     */
    public static ByteBuffer allocate(int bytes) {
        if (bytes < 0 || bytes > Integer.MAX_VALUE - PAGE) {
            throw new IllegalArgumentException("bytes: " + bytes + " is not from 0 to " + (Integer.MAX_VALUE - PAGE));
        }
        ByteBuffer larger = ByteBuffer.allocateDirect(bytes + PAGE);
        return larger.slice(-larger.alignmentOffset(0, PAGE) & (PAGE - 1), bytes);
    }
}
