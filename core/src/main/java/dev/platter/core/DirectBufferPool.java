package dev.platter.core;

import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * A few direct buffers of one size, so that reading a table, a compressed cluster or the head of a volume allocates none. At
 * most four are kept, and at most 4 MiB, or one buffer. Safe for many threads.
 */
public final class DirectBufferPool {
    private static final int KEPT = 4;
    private static final int KEPT_BYTES = 4 << 20;

    private final int bytes;
    private final ArrayBlockingQueue<ByteBuffer> free;

    /**
     * Makes an empty pool.
     *
     * @param bytes capacity of each buffer, more than 0
     */
    public DirectBufferPool(int bytes) {
        this.bytes = bytes;
        this.free = new ArrayBlockingQueue<>(Math.max(1, Math.min(KEPT, KEPT_BYTES / bytes)));
    }

    /**
     * Returns a buffer whose position is 0 and whose limit is its capacity, big-endian; what it holds is left over from its
     * last use. Give it back with {@link #give}.
     */
    public ByteBuffer take() {
        @Nullable ByteBuffer buffer = free.poll();
        return buffer == null ? DirectBuffers.allocate(bytes) : buffer.clear();
    }

    /**
     * Takes a buffer back; neither it nor a slice of it may be used afterwards. One that is too many is left to the garbage
     * collector.
     */
    @SuppressWarnings("CheckReturnValue")
    public void give(ByteBuffer buffer) {
        free.offer(buffer);
    }
}
