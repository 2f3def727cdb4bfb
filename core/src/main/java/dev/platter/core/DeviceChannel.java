package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.channels.SeekableByteChannel;

/** A device with a position. Methods that use the position are serialised. */
final class DeviceChannel implements SeekableByteChannel {
    private final BlockDevice device;
    private volatile boolean open = true;
    private long position;

    DeviceChannel(BlockDevice device) {
        this.device = device;
    }

    @Override
    public synchronized int read(ByteBuffer into) throws IOException {
        requireOpen();
        if (!into.hasRemaining()) {
            return 0;
        }
        int length = (int) Math.max(0, Math.min(into.remaining(), device.size() - position));
        if (length == 0) {
            return -1;
        }
        int limit = into.limit();
        into.limit(into.position() + length);
        try {
            device.read(position, into);
        } finally {
            into.limit(limit);
        }
        position += length;
        return length;
    }

    @Override
    public synchronized int write(ByteBuffer from) throws IOException {
        requireOpen();
        if (device.features().readOnly()) {
            throw new NonWritableChannelException();
        }
        int length = from.remaining();
        if (length > device.size() - position) {
            throw new BlockIOException(
                    BlockIOException.Kind.NO_SPACE,
                    device.description() + ": " + length + " bytes at " + position + " go beyond the end",
                    null);
        }
        device.write(position, from, Durability.NONE);
        position += length;
        return length;
    }

    @Override
    public synchronized long position() throws IOException {
        requireOpen();
        return position;
    }

    @Override
    public synchronized SeekableByteChannel position(long newPosition) throws IOException {
        requireOpen();
        if (newPosition < 0) {
            throw new IllegalArgumentException("newPosition: " + newPosition + " is negative");
        }
        position = newPosition;
        return this;
    }

    @Override
    public long size() throws IOException {
        requireOpen();
        return device.size();
    }

    @Override
    public synchronized SeekableByteChannel truncate(long size) throws IOException {
        requireOpen();
        if (device.features().readOnly()) {
            throw new NonWritableChannelException();
        }
        if (size < 0) {
            throw new IllegalArgumentException("size: " + size + " is negative");
        }
        if (size < device.size()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    device.description() + ": the size of a device cannot be changed through a channel",
                    null);
        }
        position = Math.min(position, size);
        return this;
    }

    @Override
    public boolean isOpen() {
        return open;
    }

    @Override
    public void close() {
        open = false;
    }

    private void requireOpen() throws ClosedChannelException {
        if (!open) {
            throw new ClosedChannelException();
        }
    }
}
