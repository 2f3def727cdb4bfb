package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/**
 * A storage as a device of the size that it had when it was opened: the bottom of every stack. Closing it closes the
 * storage.
 */
final class StorageDevice extends ViewDevice {
    private final Storage storage;
    private final long size;

    StorageDevice(Storage storage) throws IOException {
        this.storage = storage;
        this.size = storage.size();
    }

    @Override
    public long size() {
        return size;
    }

    @Override
    public String description() {
        return storage.name();
    }

    @Override
    public Features features() {
        return storage.features();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        int length = into.remaining();
        begin(offset, length);
        int read = storage.read(offset, into);
        if (read < length) {
            throw shrunk(offset, length, read);
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        if (length > 0) {
            storage.extents(offset, length, visitor);
        }
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        begin(offset, length);
        long sent = storage.transferTo(offset, length, to);
        return sent == length ? length : sent + Transfers.copyTo(this, offset + sent, length - sent, to);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        begin(offset, from.remaining());
        storage.write(offset, from);
        flushFor(durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        begin(offset, length);
        storage.writeZeroes(offset, length, mode);
        flushFor(durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        begin(offset, length);
        storage.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        if (!storage.isReadOnly()) {
            storage.flush();
        }
    }

    @Override
    public void close() throws IOException {
        super.close();
        storage.close();
    }

    private void flushFor(Durability durability) throws IOException {
        if (durability == Durability.FUA) {
            storage.flush();
        }
    }

    private BlockIOException shrunk(long offset, int length, int read) {
        return new BlockIOException(
                BlockIOException.Kind.IO,
                description() + ": read of " + length + " bytes at " + offset + " ended after " + read
                        + ": the file is shorter than the " + size + " bytes it had when it was opened",
                null);
    }
}
