package dev.platter.inspect;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImageException;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A device as the readers of tables and superblocks see it: what cannot be read is noted as a problem of the image. They
 * themselves go on with what they can read, and say so in warnings alone.
 */
final class WatchedDevice extends ForwardingDevice {
    private final Findings findings;

    WatchedDevice(BlockDevice device, Findings findings) {
        super(device);
        this.findings = findings;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        try {
            super.read(offset, into);
        } catch (DiskImageException | BlockIOException e) {
            findings.problem(String.valueOf(e.getMessage()));
            throw e;
        }
    }
}
