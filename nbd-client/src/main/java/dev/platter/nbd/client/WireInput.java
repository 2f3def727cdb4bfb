package dev.platter.nbd.client;

import dev.platter.core.DirectBuffers;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a server, as they come. What is short is read together with what follows it; long data go straight to where
 * they belong. Used by one thread at a time.
 */
final class WireInput {
    /** Long enough for several small replies, short enough that what is copied of a long one does not matter. */
    static final int BYTES = 16 << 10;

    private final ByteChannel channel;
    private final @Nullable SocketStream socket;
    private final ByteBuffer buffer = DirectBuffers.allocate(BYTES).limit(0);

    WireInput(ByteChannel channel) {
        this.channel = channel;
        this.socket = channel instanceof SocketStream stream ? stream : null;
    }

    /** Takes the bytes of a request's data, piece by piece. */
    interface Target {
        /** Takes bytes; their position ends at their limit. */
        void put(int at, ByteBuffer bytes);

        /**
         * Reads what is there already, and does not wait.
         *
         * @return bytes read; 0 if nothing is there yet, -1 at the end, {@link #NOT_DIRECTLY} if that cannot be done
         */
        int readNow(int at, int length, SocketStream socket) throws IOException;
    }

    /** What {@link Target#readNow} says where bytes have to be put. */
    static final int NOT_DIRECTLY = -2;

    /** Returns how many bytes came that nobody took yet. */
    int pending() {
        return buffer.remaining();
    }

    /**
     * Waits until so many bytes are there, and returns the buffer that begins with them; it may hold more.
     *
     * @param count at most {@value #BYTES}
     * @throws EOFException if the server ends before
     */
    ByteBuffer await(int count) throws IOException {
        while (buffer.remaining() < count) {
            fill(true);
        }
        return buffer;
    }

    /** Waits as {@link #await} does for the beginning of a message, before which a server may end. */
    ByteBuffer awaitMessage(int count) throws IOException {
        while (buffer.remaining() < count) {
            fill(buffer.hasRemaining());
        }
        return buffer;
    }

    /** Returns a buffer of the next bytes alone. */
    ByteBuffer take(int count) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(count);
        while (bytes.hasRemaining()) {
            int run = Math.min(await(1).remaining(), bytes.remaining());
            bytes.put(bytes.position(), buffer, buffer.position(), run);
            bytes.position(bytes.position() + run);
            buffer.position(buffer.position() + run);
        }
        return bytes.flip();
    }

    /** Throws the next bytes away. */
    void skip(long count) throws IOException {
        for (long left = count; left > 0; ) {
            int run = (int) Math.min(await(1).remaining(), left);
            buffer.position(buffer.position() + run);
            left -= run;
        }
    }

    /** Moves the next bytes to a target, from {@code at} on. */
    void move(Target target, int at, int length) throws IOException {
        int done = Math.min(buffer.remaining(), length);
        put(target, at, done);
        boolean directly = socket != null;
        while (done < length) {
            int read = directly && socket != null ? target.readNow(at + done, length - done, socket) : NOT_DIRECTLY;
            if (read > 0) {
                done += read;
            } else if (read == 0 && socket != null) {
                socket.awaitBytes();
            } else if (read == NOT_DIRECTLY) {
                directly = false;
                int run = Math.min(await(1).remaining(), length - done);
                put(target, at + done, run);
                done += run;
            } else {
                throw ended(true);
            }
        }
    }

    private void put(Target target, int at, int length) {
        if (length > 0) {
            int limit = buffer.limit();
            target.put(at, buffer.limit(buffer.position() + length));
            buffer.position(buffer.limit()).limit(limit);
        }
    }

    private void fill(boolean within) throws IOException {
        buffer.compact();
        int read;
        try {
            read = channel.read(buffer);
        } finally {
            buffer.flip();
        }
        if (read < 0) {
            throw ended(within);
        }
    }

    private static EOFException ended(boolean within) {
        return new EOFException(
                within
                        ? "the server closed the connection in the middle of a message"
                        : "the server closed the connection");
    }
}
