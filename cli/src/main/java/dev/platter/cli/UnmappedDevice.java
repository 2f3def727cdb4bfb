package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;

/** Knows nothing of holes and zeros, so that all is read: {@code nbdcopy --no-extents}. */
final class UnmappedDevice extends ForwardingDevice {

    UnmappedDevice(BlockDevice device) {
        super(device);
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        Bounds.check(device, offset, length);
        // of nothing: whether that may be asked is the device's to know
        device.extents(offset, 0, visitor);
        if (length > 0) {
            visitor.extent(offset, length, Extent.ALLOCATED, 0, null, -1);
        }
    }
}
