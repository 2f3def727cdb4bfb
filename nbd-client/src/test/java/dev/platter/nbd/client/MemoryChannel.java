package dev.platter.nbd.client;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;

/** One end of a line in memory, whose reads and writes block and are not interrupted. */
final class MemoryChannel implements ByteChannel {
    private final Line in;
    private final Line out;
    private volatile boolean closed;

    private MemoryChannel(Line in, Line out) {
        this.in = in;
        this.out = out;
    }

    /** Returns both ends of a line that holds so many bytes each way. */
    static MemoryChannel[] pair(int capacity) {
        Line one = new Line(capacity);
        Line other = new Line(capacity);
        return new MemoryChannel[] {new MemoryChannel(one, other), new MemoryChannel(other, one)};
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        requireOpen();
        int read = in.read(into);
        if (closed) {
            throw new AsynchronousCloseException();
        }
        return read;
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        requireOpen();
        int written = out.write(from);
        if (closed) {
            throw new AsynchronousCloseException();
        }
        return written;
    }

    private void requireOpen() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }

    /** Sends the end; what the other side sends can still be read. */
    void endOutput() {
        out.end();
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    @Override
    public void close() {
        closed = true;
        in.end();
        out.end();
    }

    /** Bytes on their way in one direction. */
    private static final class Line {
        private final byte[] bytes;
        private int first;
        private int count;
        private boolean ended;

        Line(int capacity) {
            bytes = new byte[capacity];
        }

        synchronized int read(ByteBuffer into) {
            if (!into.hasRemaining()) {
                return 0;
            }
            awaitUntil(() -> count > 0 || ended);
            if (count == 0) {
                return -1;
            }
            int length = Math.min(Math.min(count, into.remaining()), bytes.length - first);
            into.put(bytes, first, length);
            first = (first + length) % bytes.length;
            count -= length;
            notifyAll();
            return length;
        }

        synchronized int write(ByteBuffer from) throws IOException {
            int length = from.remaining();
            while (from.hasRemaining()) {
                awaitUntil(() -> count < bytes.length || ended);
                if (ended) {
                    throw new IOException("Broken pipe");
                }
                int start = (first + count) % bytes.length;
                int run = Math.min(Math.min(bytes.length - count, bytes.length - start), from.remaining());
                from.get(bytes, start, run);
                count += run;
                notifyAll();
            }
            return length;
        }

        synchronized void end() {
            ended = true;
            notifyAll();
        }

        private void awaitUntil(java.util.function.BooleanSupplier condition) {
            boolean interrupted = false;
            while (!condition.getAsBoolean()) {
                try {
                    wait();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }
}
