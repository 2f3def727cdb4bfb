package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockStatus;
import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/**
 * A disk whose last sector is made whole by zeros, as qemu-nbd exports files of any size. What is behind the end of the
 * file can be written with zeros, and with nothing else. Safe for several threads.
 */
final class WholeSectorsDevice extends ForwardingDevice {
    private static final int SECTOR = 512;

    private final long end;
    private final long size;

    WholeSectorsDevice(BlockDevice device) {
        super(device);
        this.end = device.size();
        this.size = end + SECTOR - 1 & -SECTOR;
    }

    /** Returns whether a size is one of whole sectors. */
    static boolean isWhole(long size) {
        return size % SECTOR == 0 || size > Long.MAX_VALUE - SECTOR;
    }

    @Override
    public long size() {
        return size;
    }

    /** Returns the bytes of a range that lie in the device. */
    private long inside(long offset, long length) {
        Bounds.check(this, offset, length);
        return Math.max(0, Math.min(length, end - offset));
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        int limit = into.limit();
        int inside = (int) inside(offset, into.remaining());
        device.read(Math.min(offset, end), into.limit(into.position() + inside));
        into.limit(limit);
        while (into.hasRemaining()) {
            into.put((byte) 0);
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        long inside = inside(offset, length);
        boolean[] goOn = {true};
        device.extents(Math.min(offset, end), inside, (at, run, facts, depth, below, belowOffset) -> {
            goOn[0] = visitor.extent(at, run, facts, depth, below, belowOffset);
            return goOn[0];
        });
        if (goOn[0] && inside < length) {
            visitor.extent(offset + inside, length - inside, Extent.ALLOCATED | Extent.READS_AS_ZERO, 0, null, -1);
        }
    }

    @Override
    public void status(String context, long offset, long length, StatusVisitor visitor) throws IOException {
        long inside = inside(offset, length);
        boolean[] goOn = {true};
        BlockStatus.visit(device, context, Math.min(offset, end), inside, (at, run, status) -> {
            goOn[0] = visitor.status(at, run, status);
            return goOn[0];
        });
        if (goOn[0] && inside < length) {
            visitor.status(offset + inside, length - inside, context.equals(BASE_ALLOCATION) ? HOLE | ZERO : 0);
        }
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        int limit = from.limit();
        int inside = (int) inside(offset, from.remaining());
        ByteBuffer behind = from.slice(from.position() + inside, from.remaining() - inside);
        if (behind.hasRemaining() && !ZeroDetectingDevice.isZero(behind)) {
            throw new BlockIOException(
                    BlockIOException.Kind.NO_SPACE,
                    description() + ": write at " + offset + " goes beyond the end of the file (" + end + " bytes)",
                    null);
        }
        device.write(Math.min(offset, end), from.limit(from.position() + inside), durability);
        from.limit(limit).position(limit);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        long inside = inside(offset, length);
        device.writeZeroes(Math.min(offset, end), inside, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        long inside = inside(offset, length);
        device.discard(Math.min(offset, end), inside);
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        long inside = inside(offset, length);
        long done = device.transferTo(Math.min(offset, end), inside, to);
        if (done < inside) {
            return done;
        }
        return done + to.write(ByteBuffer.allocate((int) (length - inside)));
    }

    @Override
    public void prefetch(long offset, long length) {
        if (Bounds.inside(offset, length, size) && offset < end) {
            device.prefetch(offset, Math.min(length, end - offset));
        }
    }
}
