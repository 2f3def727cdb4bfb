package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Makes writes of nothing but zeros what they are: {@code --detect-zeroes}. Safe for several threads. */
final class ZeroDetectingDevice extends ForwardingDevice {
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 << 10).asReadOnlyBuffer();

    private final ZeroMode mode;

    /** @param unmap whether the space of zeros is given back */
    ZeroDetectingDevice(BlockDevice device, boolean unmap) {
        super(device);
        this.mode = unmap ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATION;
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        if (from.hasRemaining() && isZero(from)) {
            device.writeZeroes(offset, from.remaining(), mode, durability);
            from.position(from.limit());
        } else {
            device.write(offset, from, durability);
        }
    }

    /** Returns whether a buffer has nothing but zeros between its position and its limit, which stay. */
    static boolean isZero(ByteBuffer bytes) {
        // Most data are not zero, and show it in their first or last byte.
        if (bytes.get(bytes.position()) != 0 || bytes.get(bytes.limit() - 1) != 0) {
            return false;
        }
        ByteBuffer rest = bytes.slice();
        for (int at = 0; at < rest.limit(); at += ZEROS.capacity()) {
            int run = Math.min(ZEROS.capacity(), rest.limit() - at);
            if (rest.slice(at, run).mismatch(ZEROS.slice(0, run)) >= 0) {
                return false;
            }
        }
        return true;
    }
}
