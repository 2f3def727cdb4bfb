package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A device that ends earlier than its size says: reads at or behind the end fail. */
public final class ShortDevice extends ForwardingDevice {
    private final long end;

    /** Makes a device of which no byte at or behind {@code end} can be read; closing it closes {@code device}. */
    public ShortDevice(BlockDevice device, long end) {
        super(device);
        this.end = end;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        if (into.remaining() > end - offset) {
            throw new BlockIOException(
                    BlockIOException.Kind.IO,
                    description() + ": read of " + into.remaining() + " at " + offset + ": the device ends at " + end,
                    null);
        }
        super.read(offset, into);
    }
}
