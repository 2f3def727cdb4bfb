package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;

/** Zeros, as many as a device can have, with nothing but the required methods. */
final class ZeroDevice implements BlockDevice {
    private final long size;
    private volatile boolean closed;

    ZeroDevice(long size) {
        this.size = size;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public String description() {
        return "zeros";
    }

    @Override
    public Features features() {
        return Features.ofReadOnly();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        while (into.hasRemaining()) {
            into.put((byte) 0);
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        if (length > 0) {
            visitor.extent(offset, length, Extent.READS_AS_ZERO, 0, null, -1);
        }
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        throw new ReadOnlyDeviceException(description());
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        throw new ReadOnlyDeviceException(description());
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        throw new ReadOnlyDeviceException(description());
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
    }

    @Override
    public void close() {
        closed = true;
    }

    private void begin(long offset, long length) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        Bounds.check(this, offset, length);
    }
}
