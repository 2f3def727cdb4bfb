package dev.platter.qcow2;

import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/** A few direct buffers of one size, so that reading a table or a compressed cluster allocates none. */
final class BufferPool {
    private static final int KEPT = 4;

    private final int bytes;
    private final ArrayBlockingQueue<ByteBuffer> free = new ArrayBlockingQueue<>(KEPT);

    BufferPool(int bytes) {
        this.bytes = bytes;
    }

    /** Returns an empty buffer; give it back with {@link #give}. */
    ByteBuffer take() {
        @Nullable ByteBuffer buffer = free.poll();
        return buffer == null ? ByteBuffer.allocateDirect(bytes) : buffer.clear();
    }

    /** Takes a buffer back; it must not be used afterwards. */
    void give(ByteBuffer buffer) {
        boolean kept = free.offer(buffer);
        assert kept || free.remainingCapacity() == 0;
    }
}
