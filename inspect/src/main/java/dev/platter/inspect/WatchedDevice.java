package dev.platter.inspect;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImageException;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A device as the readers of tables and superblocks see it: the first read that fails is noted as a problem of the image.
 * They themselves go on with what they can read, and say so in warnings alone. For one thread.
 */
final class WatchedDevice extends ForwardingDevice {
    private final Findings findings;
    private boolean noted;

    WatchedDevice(BlockDevice device, Findings findings) {
        super(device);
        this.findings = findings;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        try {
            super.read(offset, into);
        } catch (DiskImageException | BlockIOException e) {
            if (!noted) {
                // the probes of one volume fail in dozens of places for the one reason
                noted = true;
                findings.problem(String.valueOf(e.getMessage()));
            }
            throw e;
        }
    }
}
