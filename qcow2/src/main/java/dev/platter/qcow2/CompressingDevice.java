package dev.platter.qcow2;

import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.PreparingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;

/** The disk of an image, with whole clusters written compressed. It dies with its image and does not close it. */
final class CompressingDevice implements PreparingDevice {
    private final Qcow2Image image;
    private final CompressedWriter writer;
    private volatile boolean closed;

    CompressingDevice(Qcow2Image image, CompressedWriter writer) {
        this.image = image;
        this.writer = writer;
    }

    @Override
    public long size() {
        return image.size();
    }

    @Override
    public String description() {
        return image.description();
    }

    @Override
    public Features features() {
        return image.features().withSlowWrites(true);
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        image.read(offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        image.extents(offset, length, visitor);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        writer.write(offset, from);
        if (durability == Durability.FUA) {
            image.flush();
        }
    }

    @Override
    public Prepared prepare(long offset, ByteBuffer from) throws IOException {
        begin(offset, from.remaining());
        Prepared prepared = writer.prepare(offset, from);
        return () -> {
            begin(0, 0);
            prepared.write();
        };
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        image.writeZeroes(offset, length, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        image.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        image.flush();
    }

    @Override
    public void close() {
        closed = true;
    }

    private void begin(long offset, long length) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        image.requireOpen();
        Bounds.check(this, offset, length);
    }
}
