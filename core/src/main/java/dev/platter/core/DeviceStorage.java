package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** A device as a read-only storage: a qcow2 image on a logical volume, or at the other end of a network. */
final class DeviceStorage implements Storage {
    private final BlockDevice device;

    DeviceStorage(BlockDevice device) {
        this.device = device;
    }

    @Override
    public String name() {
        return device.description();
    }

    @Override
    public Object identity() {
        return device;
    }

    @Override
    public @Nullable Path path() {
        return null;
    }

    @Override
    public boolean isReadOnly() {
        return true;
    }

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public void setSize(long size) throws IOException {
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        int limit = into.limit();
        int run = (int) Math.max(0, Math.min(into.remaining(), device.size() - offset));
        into.limit(into.position() + run);
        try {
            device.read(Math.min(offset, device.size()), into);
        } finally {
            into.limit(limit);
        }
        return run;
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        throw new ReadOnlyDeviceException(name());
    }

    @Override
    public void flush() {
        // nothing can have been written
    }

    @Override
    public OptionalLong allocatedSize() {
        return OptionalLong.empty();
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        device.extents(
                offset,
                length,
                (at, run, facts, depth, below, belowOffset) -> visitor.extent(at, run, facts, depth, device, at));
    }

    @Override
    public Features features() {
        return device.features().asReadOnly();
    }

    @Override
    public void close() throws IOException {
        device.close();
    }
}
