package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * What a connection answers: small replies are gathered and leave in one write. The thread of the connection gathers;
 * other threads may send whole replies between.
 */
final class Replies {
    /** Enough for a read of 8 KiB; larger ones borrow. */
    private static final int SMALL_BYTES = 12 * 1024;

    private static final int PAGE = 4096;

    private final WritableByteChannel channel;
    private final Watchdog.Watch watch;
    private final long idleNanos;
    private final BufferPool pool;
    private final ReentrantLock sending = new ReentrantLock();
    private final ByteBuffer small = ByteBuffer.allocateDirect(SMALL_BYTES);
    private @Nullable ByteBuffer large;
    private ByteBuffer current = small;
    private boolean inLarge;
    private int start;

    Replies(WritableByteChannel channel, Watchdog.Watch watch, long idleNanos, BufferPool pool) {
        this.channel = channel;
        this.watch = watch;
        this.idleNanos = idleNanos;
        this.pool = pool;
    }

    /** Returns the most bytes that {@link #room} can give now, larger than {@value #SMALL_BYTES} if a buffer is free. */
    int most(int wanted) {
        if (wanted > SMALL_BYTES && large == null) {
            large = pool.borrow();
        }
        return large == null ? SMALL_BYTES : large.capacity() - PAGE;
    }

    /**
     * Returns a buffer whose position is where the next reply begins, with room for {@code bytes}, at most {@link #most}.
     * What was gathered before is sent if it is in the way.
     *
     * @param payloadAt bytes before the payload of the reply, which begins at a page of memory if it is long: the kernel
     *     copies to such an address twice as fast
     */
    ByteBuffer room(int bytes, int payloadAt) throws IOException {
        if (current.remaining() < bytes) {
            if (large == null && small.position() > 0) {
                large = pool.borrow();
            }
            if (large != null && !inLarge && large.capacity() - PAGE - small.position() >= bytes) {
                // The batch grows: what it has moves over, so that it still leaves in one write.
                large.clear().put(small.flip());
                small.clear();
                start = 0;
                current = large;
                inLarge = true;
            } else {
                send();
                inLarge = large != null && bytes > SMALL_BYTES;
                current = large != null && inLarge ? large.clear() : small.clear();
                start = 0;
            }
        }
        if (inLarge && current.position() == start && bytes > PAGE) {
            start = PAGE - payloadAt;
            current.position(start);
        }
        return current;
    }

    /** Gathers a reply that is whole. */
    void put(ByteBuffer whole) throws IOException {
        room(whole.remaining(), whole.remaining()).put(whole);
    }

    /** Sends what was gathered, and gives the large buffer back. */
    void flush() throws IOException {
        send();
        if (large != null) {
            pool.giveBack(large);
            large = null;
            current = small;
            inLarge = false;
        }
    }

    /** Gives the large buffer back without sending: the connection is over. */
    void drop() {
        if (large != null) {
            pool.giveBack(large);
            large = null;
        }
        current = small;
    }

    boolean isEmpty() {
        return current.position() == start;
    }

    private void send() throws IOException {
        if (!isEmpty()) {
            current.flip().position(start);
            sending.lock();
            try {
                write(current);
            } finally {
                sending.unlock();
            }
        }
        current.clear();
        start = 0;
    }

    /** Sends what was gathered, then a range of a device, with nothing between them. */
    void transfer(BlockDevice device, long offset, long length) throws IOException {
        current.flip().position(start);
        sending.lock();
        try {
            write(current);
            watch.within(idleNanos);
            device.transferTo(offset, length, channel);
            watch.off();
        } finally {
            sending.unlock();
            current.clear();
            start = 0;
        }
    }

    /** Sends something whole, from any thread; see {@link #together}. */
    void send(ByteBuffer whole) throws IOException {
        sending.lock();
        try {
            write(whole);
        } finally {
            sending.unlock();
        }
    }

    /** Sends several pieces with nothing between them. */
    void together(Sending pieces) throws IOException {
        sending.lock();
        try {
            pieces.run();
        } finally {
            sending.unlock();
        }
    }

    /** Sends pieces. */
    interface Sending {
        void run() throws IOException;
    }

    private void write(ByteBuffer bytes) throws IOException {
        watch.within(idleNanos);
        while (bytes.hasRemaining()) {
            if (channel.write(bytes) > 0 && bytes.hasRemaining()) {
                watch.within(idleNanos);
            }
        }
        watch.off();
    }
}
