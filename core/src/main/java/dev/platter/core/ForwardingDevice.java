package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.List;

/** Passes every call on to another device. Base for devices that change one thing. */
public abstract class ForwardingDevice implements BlockDevice, BlockStatusSource {
    /** What the calls are passed to. */
    protected final BlockDevice device;

    /** Makes a device that passes every call to {@code device}, closing included. */
    protected ForwardingDevice(BlockDevice device) {
        this.device = device;
    }

    @Override
    public long size() {
        return device.size();
    }

    @Override
    public String description() {
        return device.description();
    }

    @Override
    public Features features() {
        return device.features();
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        device.read(offset, into);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        device.extents(offset, length, visitor);
    }

    @Override
    public List<String> contexts() {
        return BlockStatus.contexts(device);
    }

    @Override
    public void status(String context, long offset, long length, StatusVisitor visitor) throws IOException {
        // Whoever changes the extents has changed what follows from them too.
        if (BlockStatus.isOfExtents(context)) {
            BlockStatus.ofExtents(this, context, offset, length, visitor);
        } else {
            BlockStatus.visit(device, context, offset, length, visitor);
        }
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        device.write(offset, from, durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        device.writeZeroes(offset, length, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        device.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        device.flush();
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        return device.transferTo(offset, length, to);
    }

    @Override
    public void prefetch(long offset, long length) {
        device.prefetch(offset, length);
    }

    @Override
    public void close() throws IOException {
        device.close();
    }
}
