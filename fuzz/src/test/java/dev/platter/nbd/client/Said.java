package dev.platter.nbd.client;

import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/** Says what it was given once it has heard enough, and then nothing more. */
final class Said implements ByteChannel {
    private final ByteBuffer bytes;
    private int wanted;
    private boolean open = true;

    /** Says {@code bytes} when {@code wanted} bytes were sent to it. */
    Said(ByteBuffer bytes, int wanted) {
        this.bytes = bytes;
        this.wanted = wanted;
    }

    @Override
    public synchronized int read(ByteBuffer into) {
        while (wanted > 0 && open) {
            try {
                wait();
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        if (!bytes.hasRemaining()) {
            return -1;
        }
        int length = Math.min(bytes.remaining(), into.remaining());
        into.put(bytes.slice(bytes.position(), length));
        bytes.position(bytes.position() + length);
        return length;
    }

    @Override
    public synchronized int write(ByteBuffer from) {
        int length = from.remaining();
        from.position(from.limit());
        wanted -= length;
        notifyAll();
        return length;
    }

    @Override
    public synchronized boolean isOpen() {
        return open;
    }

    @Override
    public synchronized void close() {
        open = false;
        notifyAll();
    }
}
