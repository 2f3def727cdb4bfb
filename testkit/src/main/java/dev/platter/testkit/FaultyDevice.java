package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** A device of which chosen requests fail, as a worn medium or a lost connection makes them. */
public final class FaultyDevice extends ForwardingDevice {
    private final Faults faults;

    /** Makes a device that fails as {@code faults} say; closing it closes {@code device}. */
    public FaultyDevice(BlockDevice device, Faults faults) {
        super(device);
        this.faults = faults;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        faults.check(description(), false, offset, into.remaining());
        super.read(offset, into);
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        faults.check(description(), false, offset, length);
        return super.transferTo(offset, length, to);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        faults.check(description(), true, offset, from.remaining());
        super.write(offset, from, durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        faults.check(description(), true, offset, length);
        super.writeZeroes(offset, length, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        faults.check(description(), true, offset, length);
        super.discard(offset, length);
    }

    @Override
    public void flush() throws IOException {
        faults.check(description(), true, 0, 0);
        super.flush();
    }
}
