package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.core.ForwardingDevice;

/** A device that belongs to somebody else, and stays open. */
final class LentDevice extends ForwardingDevice {
    LentDevice(BlockDevice device) {
        super(device);
    }

    @Override
    public void close() {
        // It is its owner's to close.
    }
}
