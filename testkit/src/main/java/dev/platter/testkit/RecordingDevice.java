package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** Notes each request in a {@link RequestLog} and passes it on. */
public final class RecordingDevice extends ForwardingDevice {
    private final RequestLog log = new RequestLog();

    /** Makes a recorder of the requests to {@code device}; closing it closes the device. */
    public RecordingDevice(BlockDevice device) {
        super(device);
    }

    /** Returns what was asked so far. */
    public RequestLog log() {
        return log;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        log.add(RequestLog.Kind.READ, offset, into.remaining());
        super.read(offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        log.add(RequestLog.Kind.EXTENTS, offset, length);
        super.extents(offset, length, visitor);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        log.add(RequestLog.Kind.WRITE, offset, from.remaining());
        super.write(offset, from, durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        log.add(RequestLog.Kind.WRITE_ZEROES, offset, length);
        super.writeZeroes(offset, length, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        log.add(RequestLog.Kind.DISCARD, offset, length);
        super.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        log.add(RequestLog.Kind.FLUSH, 0, 0);
        super.flush();
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        log.add(RequestLog.Kind.TRANSFER, offset, length);
        return super.transferTo(offset, length, to);
    }

    @Override
    public void prefetch(long offset, long length) {
        log.add(RequestLog.Kind.PREFETCH, offset, length);
        super.prefetch(offset, length);
    }

    @Override
    public void close() throws IOException {
        log.add(RequestLog.Kind.CLOSE, 0, 0);
        super.close();
    }
}
