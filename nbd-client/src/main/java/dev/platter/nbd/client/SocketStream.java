package dev.platter.nbd.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedSelectorException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.util.concurrent.TimeUnit;

/**
 * A socket whose reads and writes block, and which an interrupt of a thread that writes does not close for the others.
 *
 * <p>A blocking {@link SocketChannel} dies with any thread that is interrupted in it. So the socket below is non-blocking,
 * where the channel does not look at interrupts, and who has to wait does so at a selector. That also lets a reader wait
 * for bytes without lending its buffer to the wait, see {@link #readNow}.
 */
final class SocketStream implements ByteChannel, GatheringByteChannel {
    /** How long an interrupted thread goes on to write what it began, before it gives the socket up. */
    private static final long PATIENCE_NANOS = TimeUnit.SECONDS.toNanos(5);

    private final SocketChannel socket;
    private final Selector readable;
    private final Selector writable;

    private SocketStream(SocketChannel socket, Selector readable, Selector writable) {
        this.socket = socket;
        this.readable = readable;
        this.writable = writable;
    }

    /** Takes over a connected socket; if this throws, it is still the caller's. */
    static SocketStream of(SocketChannel socket) throws IOException {
        socket.configureBlocking(false);
        Selector readable = socket.provider().openSelector();
        try {
            Selector writable = socket.provider().openSelector();
            try {
                socket.register(readable, SelectionKey.OP_READ);
                socket.register(writable, SelectionKey.OP_WRITE);
                return new SocketStream(socket, readable, writable);
            } catch (IOException | RuntimeException e) {
                writable.close();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            readable.close();
            throw e;
        }
    }

    /** Reads what is there; -1 at the end, 0 if nothing is there yet. */
    int readNow(ByteBuffer into) throws IOException {
        return socket.read(into);
    }

    /** Waits until something is there, or the end. */
    void awaitBytes() throws IOException {
        try {
            readable.select(SocketStream::ignore);
        } catch (ClosedSelectorException e) {
            throw closed(e);
        }
        if (Thread.currentThread().isInterrupted()) {
            close();
            throw new ClosedByInterruptException();
        }
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        int read = socket.read(into);
        while (read == 0 && into.hasRemaining()) {
            awaitBytes();
            read = socket.read(into);
        }
        return read;
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        int length = from.remaining();
        if (socket.write(from) < length) {
            writeAll(new ByteBuffer[] {from}, 0, 1);
        }
        return length;
    }

    @Override
    public long write(ByteBuffer[] from) throws IOException {
        return writeAll(from, 0, from.length);
    }

    @Override
    public long write(ByteBuffer[] from, int offset, int length) throws IOException {
        return writeAll(from, offset, length);
    }

    /** An interrupt stays set, and is not waited for long. */
    private long writeAll(ByteBuffer[] from, int offset, int length) throws IOException {
        long left = 0;
        for (int i = offset; i < offset + length; i++) {
            left += from[i].remaining();
        }
        long all = left;
        long interruptedAt = 0;
        boolean interrupted = false;
        try {
            while (left > 0) {
                long written = socket.write(from, offset, length);
                left -= written;
                if (written > 0) {
                    continue;
                }
                if (Thread.interrupted() && !interrupted) {
                    interrupted = true;
                    interruptedAt = System.nanoTime();
                }
                if (interrupted && System.nanoTime() - interruptedAt > PATIENCE_NANOS) {
                    close();
                    throw new ClosedByInterruptException();
                }
                awaitRoom(interrupted);
            }
            return all;
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    private void awaitRoom(boolean impatient) throws IOException {
        try {
            writable.select(SocketStream::ignore, impatient ? 100 : 0);
        } catch (ClosedSelectorException e) {
            throw closed(e);
        }
    }

    /** That a selector has found something is all that matters: there is one key. */
    private static void ignore(SelectionKey key) {}

    private static AsynchronousCloseException closed(ClosedSelectorException cause) {
        AsynchronousCloseException closed = new AsynchronousCloseException();
        closed.initCause(cause);
        return closed;
    }

    @Override
    public boolean isOpen() {
        return socket.isOpen();
    }

    @Override
    public void close() throws IOException {
        try {
            socket.close();
        } finally {
            // The socket is not gone before the selectors have let go of it.
            readable.close();
            writable.close();
        }
    }
}
