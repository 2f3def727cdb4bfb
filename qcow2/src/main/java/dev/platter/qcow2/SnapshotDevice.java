package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;

/** An internal snapshot as a device. It dies with its image and does not close it. */
final class SnapshotDevice implements BlockDevice {
    private final Qcow2Image image;
    private final ClusterReader reader;
    private final String id;
    private final String description;
    private final long size;
    private volatile boolean closed;

    SnapshotDevice(Qcow2Image image, ClusterReader reader, String id, String description, long size) {
        this.id = id;
        this.image = image;
        this.reader = reader;
        this.description = description;
        this.size = size;
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Features features() {
        return image.features().asReadOnly();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        if (into.isReadOnly()) {
            throw new java.nio.ReadOnlyBufferException();
        }
        reader.read(offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        reader.extents(offset, length, visitor);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        throw new ReadOnlyDeviceException(description);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        throw new ReadOnlyDeviceException(description);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        throw new ReadOnlyDeviceException(description);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
    }

    @Override
    public synchronized void close() {
        if (!closed) {
            closed = true;
            image.snapshotClosed(id);
        }
    }

    private void begin(long offset, long length) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        image.requireOpen();
        Bounds.check(this, offset, length);
    }
}
