package dev.platter.nbd.server;

import dev.platter.core.DirectBuffers;
import java.nio.ByteBuffer;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * The large buffers of a server, lent to connections while they have requests. It bounds what all requests in flight hold,
 * and lets a thousand idle clients cost next to nothing. Safe for many threads.
 */
final class BufferPool {
    private final ConcurrentLinkedQueue<ByteBuffer> idle = new ConcurrentLinkedQueue<>();
    private final AtomicInteger made = new AtomicInteger();
    private final int bufferBytes;
    private final int most;

    /** @param totalBytes what all buffers together may take */
    BufferPool(int bufferBytes, long totalBytes) {
        this.bufferBytes = bufferBytes;
        this.most = (int) Math.max(1, Math.min(totalBytes / bufferBytes, 1 << 20));
    }

    int bufferBytes() {
        return bufferBytes;
    }

    /** Lends a buffer; null when all are lent: the connection then goes on with its own, small one. */
    @Nullable
    ByteBuffer borrow() {
        ByteBuffer buffer = idle.poll();
        if (buffer != null) {
            return buffer.clear();
        }
        if (made.incrementAndGet() > most) {
            made.decrementAndGet();
            return null;
        }
        return DirectBuffers.allocate(bufferBytes);
    }

    void giveBack(ByteBuffer buffer) {
        idle.add(buffer);
    }
}
