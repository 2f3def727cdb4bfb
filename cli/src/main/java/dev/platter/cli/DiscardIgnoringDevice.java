package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;

/**
 * Gives no space back: {@code --discard=ignore}. What is discarded stays, and zeros keep the space that they overwrite.
 * Safe for several threads.
 */
final class DiscardIgnoringDevice extends ForwardingDevice {
    DiscardIgnoringDevice(BlockDevice device) {
        super(device);
    }

    @Override
    public Features features() {
        return super.features().withTrim(false);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        device.writeZeroes(offset, length, mode.isFast() ? ZeroMode.FAST_KEEP : ZeroMode.KEEP_ALLOCATION, durability);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        Bounds.check(device, offset, length);
        // of nothing: whether that may be said is the device's to know
        device.discard(offset, 0);
    }
}
