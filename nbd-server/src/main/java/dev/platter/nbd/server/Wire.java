package dev.platter.nbd.server;

import dev.platter.nbd.protocol.ProtocolException;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import org.jspecify.annotations.Nullable;

/** What a client sends, buffered. Used by the one thread of its connection. */
final class Wire {
    /** Room for some hundred requests, or the payload of a few small writes. */
    static final int BUFFER_BYTES = 16 * 1024;

    private final ByteChannel channel;
    private final Watchdog.Watch watch;
    private long idleNanos;
    private @Nullable RequestPolling polling;
    private final ByteBuffer in = ByteBuffer.allocateDirect(BUFFER_BYTES).limit(0);

    /** @param idleNanos how long a client may pause inside a message; 0 if somebody else set a deadline for all of it */
    Wire(ByteChannel channel, Watchdog.Watch watch, long idleNanos) {
        this.channel = channel;
        this.watch = watch;
        this.idleNanos = idleNanos;
    }

    /** From now on a client may pause inside a message for that long. */
    void pauseAtMost(long nanos) {
        idleNanos = nanos;
    }

    /** From now on messages are received in that way; null for the channel itself. */
    void pollWith(@Nullable RequestPolling socket) {
        polling = socket;
    }

    /** Returns the buffer of what was received and not yet taken, from its position to its limit. */
    ByteBuffer buffer() {
        return in;
    }

    /** Returns whether that many bytes are here already. */
    boolean has(int bytes) {
        return in.remaining() >= bytes;
    }

    /**
     * Waits until that many bytes are in the buffer.
     *
     * @return false if the client ended the connection between two messages
     * @throws EOFException if it ended it inside one
     */
    boolean await(int bytes) throws IOException {
        boolean begun = in.hasRemaining();
        if (in.capacity() - in.position() < bytes) {
            in.compact().flip();
        }
        while (in.remaining() < bytes) {
            if (begun) {
                expect();
            }
            if (!fill()) {
                if (in.hasRemaining()) {
                    throw new EOFException("the client ended the connection inside a message");
                }
                return false;
            }
            begun = true;
        }
        done();
        return true;
    }

    /** Fills a buffer from its position to its limit. */
    void read(ByteBuffer into) throws IOException {
        int ready = Math.min(in.remaining(), into.remaining());
        if (ready > 0) {
            into.put(into.position(), in, in.position(), ready);
            into.position(into.position() + ready);
            in.position(in.position() + ready);
        }
        while (into.hasRemaining()) {
            expect();
            if (channel.read(into) < 0) {
                throw new EOFException("the client ended the connection inside a message");
            }
        }
        done();
    }

    /** Takes bytes and forgets them. */
    void skip(long bytes) throws IOException {
        long left = bytes;
        while (left > 0) {
            int ready = (int) Math.min(in.remaining(), left);
            in.position(in.position() + ready);
            left -= ready;
            if (left > 0) {
                expect();
                if (!fill()) {
                    throw new EOFException("the client ended the connection inside a message");
                }
            }
        }
        done();
    }

    /**
     * Returns an error if anything was received that was not asked for: bytes behind a message after which the client has
     * to wait.
     */
    void requireNothingMore(String what) throws ProtocolException {
        if (in.hasRemaining()) {
            throw new ProtocolException(in.remaining() + " bytes behind " + what);
        }
    }

    private boolean fill() throws IOException {
        if (!in.hasRemaining()) {
            in.clear();
        } else if (in.limit() == in.capacity()) {
            in.compact();
        } else {
            int start = in.position();
            in.position(in.limit()).limit(in.capacity());
            int got = channel.read(in);
            in.limit(in.position()).position(start);
            return got >= 0;
        }
        int got = polling == null ? channel.read(in) : polling.read(in);
        in.flip();
        return got >= 0;
    }

    private void expect() {
        if (idleNanos > 0) {
            watch.within(idleNanos);
        }
    }

    private void done() {
        if (idleNanos > 0) {
            watch.off();
        }
    }
}
