package dev.platter.testkit;

import dev.platter.core.ExtentVisitor;
import dev.platter.core.Storage;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Notes each request in a {@link RequestLog} and passes it on. */
public final class RecordingStorage extends ForwardingStorage {
    private final RequestLog log = new RequestLog();

    /** Makes a recorder of the requests to {@code storage}; closing it closes the storage. */
    public RecordingStorage(Storage storage) {
        super(storage);
    }

    /** Returns what was asked so far. */
    public RequestLog log() {
        return log;
    }

    @Override
    public void setSize(long size) throws IOException {
        log.add(RequestLog.Kind.SET_SIZE, 0, size);
        super.setSize(size);
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        log.add(RequestLog.Kind.READ, offset, into.remaining());
        return super.read(offset, into);
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        log.add(RequestLog.Kind.WRITE, offset, from.remaining());
        super.write(offset, from);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        log.add(RequestLog.Kind.WRITE_ZEROES, offset, length);
        super.writeZeroes(offset, length, mode);
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
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        log.add(RequestLog.Kind.EXTENTS, offset, length);
        super.extents(offset, length, visitor);
    }

    @Override
    public void close() throws IOException {
        log.add(RequestLog.Kind.CLOSE, 0, 0);
        super.close();
    }
}
