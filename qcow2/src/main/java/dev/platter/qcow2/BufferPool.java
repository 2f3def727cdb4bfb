package dev.platter.qcow2;

import dev.platter.core.DirectBuffers;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * A few direct buffers of one size, so that reading a table or a compressed cluster allocates none. At most 4 MiB are kept,
 * or one buffer.
 */
final class BufferPool {
    private static final int KEPT = 4;
    private static final int KEPT_BYTES = 4 << 20;

    private final int bytes;
    private final ArrayBlockingQueue<ByteBuffer> free;

    BufferPool(int bytes) {
        this.bytes = bytes;
        this.free = new ArrayBlockingQueue<>(Math.max(1, Math.min(KEPT, KEPT_BYTES / bytes)));
    }

    /** Returns an empty buffer; give it back with {@link #give}. */
    ByteBuffer take() {
        @Nullable ByteBuffer buffer = free.poll();
        return buffer == null ? DirectBuffers.allocate(bytes) : buffer.clear();
    }

    /** Takes a buffer back; it must not be used afterwards. One that is too many is left to the garbage collector. */
    @SuppressWarnings("CheckReturnValue")
    void give(ByteBuffer buffer) {
        free.offer(buffer);
    }
}
