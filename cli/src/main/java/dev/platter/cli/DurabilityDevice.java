package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Makes every write durable, or none whatever the client asks for: {@code --cache=writethrough} and {@code
 * --cache=unsafe}. Safe for several threads.
 */
final class DurabilityDevice extends ForwardingDevice {
    private final Durability durability;

    /** @param durability of every write */
    DurabilityDevice(BlockDevice device, Durability durability) {
        super(device);
        this.durability = durability;
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability asked) throws IOException {
        device.write(offset, from, durability);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability asked) throws IOException {
        device.writeZeroes(offset, length, mode, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        device.discard(offset, length);
        if (durability == Durability.FUA) {
            device.flush();
        }
    }

    @Override
    public void flush() throws IOException {
        if (durability == Durability.FUA) {
            device.flush();
        }
    }
}
