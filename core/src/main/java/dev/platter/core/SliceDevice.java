package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/** A contiguous part of another device. */
class SliceDevice extends ViewDevice implements BlockStatusSource {
    private final BlockDevice base;
    private final long start;
    private final long size;
    private final String description;

    SliceDevice(BlockDevice base, String name, long start, long size) {
        Bounds.check(base, start, size);
        this.base = base;
        this.start = start;
        this.size = size;
        this.description = base.description() + " > " + Printable.escape(name);
    }

    /** Makes one that prepares writes if {@code base} does. */
    static SliceDevice of(BlockDevice base, String name, long start, long size) {
        return base instanceof PreparingDevice preparing
                ? new Preparing(preparing, name, start, size)
                : new SliceDevice(base, name, start, size);
    }

    /** A part of a device that prepares writes. */
    private static final class Preparing extends SliceDevice implements PreparingDevice {
        private final PreparingDevice base;
        private final long start;

        Preparing(PreparingDevice base, String name, long start, long size) {
            super(base, name, start, size);
            this.base = base;
            this.start = start;
        }

        @Override
        public Prepared prepare(long offset, ByteBuffer from) throws IOException {
            begin(offset, from.remaining());
            Prepared prepared = base.prepare(start + offset, from);
            return () -> {
                begin(0, 0);
                prepared.write();
            };
        }
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
        return base.features();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        base.read(start + offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        base.extents(
                start + offset,
                length,
                (at, run, facts, depth, below, belowOffset) -> visitor.extent(at - start, run, facts, depth, base, at));
    }

    @Override
    public List<String> contexts() {
        return BlockStatus.contexts(base);
    }

    @Override
    public void status(String context, long offset, long length, StatusVisitor visitor) throws IOException {
        begin(offset, length);
        BlockStatus.visit(
                base, context, start + offset, length, (at, run, status) -> visitor.status(at - start, run, status));
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        base.write(start + offset, from, durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        base.writeZeroes(start + offset, length, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        base.discard(start + offset, length);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        base.flush();
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        begin(offset, length);
        return base.transferTo(start + offset, length, to);
    }

    @Override
    public void prefetch(long offset, long length) {
        if (!isClosed() && Bounds.inside(offset, length, size)) {
            base.prefetch(start + offset, length);
        }
    }
}
