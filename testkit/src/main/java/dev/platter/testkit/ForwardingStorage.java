package dev.platter.testkit;

import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.Storage;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** Passes every call on to another storage. Base for storages that change one thing. */
public abstract class ForwardingStorage implements Storage {
    /** What the calls are passed to. */
    protected final Storage storage;

    /** Makes a storage that passes every call to {@code storage}, closing included. */
    protected ForwardingStorage(Storage storage) {
        this.storage = storage;
    }

    @Override
    public String name() {
        return storage.name();
    }

    @Override
    public Object identity() {
        return storage.identity();
    }

    @Override
    public @Nullable Path path() {
        return storage.path();
    }

    @Override
    public boolean isDisk() {
        return storage.isDisk();
    }

    @Override
    public boolean isReadOnly() {
        return storage.isReadOnly();
    }

    @Override
    public long size() throws IOException {
        return storage.size();
    }

    @Override
    public void setSize(long size) throws IOException {
        storage.setSize(size);
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        return storage.read(offset, into);
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        storage.write(offset, from);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        storage.writeZeroes(offset, length, mode);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        storage.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        storage.flush();
    }

    @Override
    public OptionalLong allocatedSize() throws IOException {
        return storage.allocatedSize();
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        storage.extents(offset, length, visitor);
    }

    @Override
    public Features features() {
        return storage.features();
    }

    @Override
    public void close() throws IOException {
        storage.close();
    }
}
