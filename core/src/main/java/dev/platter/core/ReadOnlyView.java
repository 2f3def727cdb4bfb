package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/** Another device without its ability to write. */
final class ReadOnlyView extends ViewDevice implements BlockStatusSource {
    private final BlockDevice base;

    ReadOnlyView(BlockDevice base) {
        this.base = base;
    }

    @Override
    public long size() {
        return base.size();
    }

    @Override
    public String description() {
        return base.description();
    }

    @Override
    public Features features() {
        return base.features().asReadOnly();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        base.read(offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        base.extents(
                offset,
                length,
                (at, run, facts, depth, below, belowOffset) -> visitor.extent(at, run, facts, depth, base, at));
    }

    @Override
    public List<String> contexts() {
        return BlockStatus.contexts(base);
    }

    @Override
    public void status(String context, long offset, long length, StatusVisitor visitor) throws IOException {
        begin(offset, length);
        BlockStatus.visit(base, context, offset, length, visitor);
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
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        begin(offset, length);
        return base.transferTo(offset, length, to);
    }

    @Override
    public void prefetch(long offset, long length) {
        if (!isClosed()) {
            base.prefetch(offset, length);
        }
    }
}
