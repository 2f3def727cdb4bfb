package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;

/** A buffer as a device. */
final class BytesDevice extends ViewDevice {
    private final String description;
    private final ByteBuffer bytes;
    private final Features features;

    BytesDevice(String description, ByteBuffer bytes) {
        this.description = Printable.escape(description);
        this.bytes = bytes.slice();
        this.features = bytes.isReadOnly() ? Features.ofReadOnly() : Features.ofWritable();
    }

    @Override
    public long size() {
        return bytes.capacity();
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Features features() {
        return features;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        int length = into.remaining();
        begin(offset, length);
        into.put(into.position(), bytes, (int) offset, length);
        into.position(into.position() + length);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        if (length > 0) {
            visitor.extent(offset, length, Extent.ALLOCATED, 0, null, -1);
        }
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        int length = from.remaining();
        beginWrite(offset, length);
        bytes.put((int) offset, from, from.position(), length);
        from.position(from.position() + length);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        beginWrite(offset, length);
        if (mode.isFast()) {
            throw new NotFasterException(description);
        }
        for (long i = offset; i < offset + length; i++) {
            bytes.put((int) i, (byte) 0);
        }
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        beginWrite(offset, length);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
    }

    private void beginWrite(long offset, long length) throws IOException {
        begin(offset, length);
        if (bytes.isReadOnly()) {
            throw new ReadOnlyDeviceException(description);
        }
    }
}
