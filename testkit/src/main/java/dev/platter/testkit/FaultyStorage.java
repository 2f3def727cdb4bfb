package dev.platter.testkit;

import dev.platter.core.Storage;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A storage of which chosen requests fail, as a worn medium or a full disk makes them. */
public final class FaultyStorage extends ForwardingStorage {
    private final Faults faults;

    /** Makes a storage that fails as {@code faults} say; closing it closes {@code storage}. */
    public FaultyStorage(Storage storage, Faults faults) {
        super(storage);
        this.faults = faults;
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        faults.check(name(), false, offset, into.remaining());
        return super.read(offset, into);
    }

    @Override
    public void setSize(long size) throws IOException {
        faults.check(name(), true, size, 0);
        super.setSize(size);
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        faults.check(name(), true, offset, from.remaining(), length -> {
            if (length > 0) {
                super.write(offset, from.duplicate().limit(from.position() + (int) length));
            }
        });
        super.write(offset, from);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        faults.check(name(), true, offset, length, part -> super.writeZeroes(offset, part, mode));
        super.writeZeroes(offset, length, mode);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        faults.check(name(), true, offset, length);
        super.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        faults.check(name(), true, 0, 0);
        super.flush();
    }
}
