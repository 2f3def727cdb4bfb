package dev.platter.fuzz;

import dev.platter.core.BlockDevice;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Looks at all sides of a device: what it says of itself, its extents, bytes where extents begin, its two ends. */
public final class Seeing {
    private static final int MOST_EXTENTS = 256;
    private static final int MOST_READS = 24;
    private static final int READ_BYTES = 3000;

    private final BlockDevice device;
    private final long[] starts = new long[MOST_READS];
    private final ByteBuffer buffer = ByteBuffer.allocate(READ_BYTES);
    private long end;
    private int extents;

    private Seeing(BlockDevice device) {
        this.device = device;
    }

    /**
     * Looks at a device.
     *
     * @throws AssertionError if a step ends otherwise than in a result or a refusal, or extents do not follow each other
     */
    public static void all(BlockDevice device) {
        new Seeing(device).look();
    }

    private void look() {
        Promises.requireShowable(device.description());
        Promises.attempt(this::takeExtents);
        for (int i = 0; i < Math.min(extents, MOST_READS); i++) {
            // a little before, so that reads lie across the border, too
            read(Math.max(0, starts[i] - 7));
        }
        read(0);
        read(Math.max(0, device.size() - READ_BYTES));
    }

    private void takeExtents() throws IOException {
        device.extents(0, device.size(), (offset, length, facts, depth, below, belowOffset) -> {
            if (offset != end || length <= 0 || length > device.size() - offset) {
                throw new AssertionError("an extent of " + length + " at " + offset + ", expected is one at " + end);
            }
            end += length;
            if (extents < MOST_READS) {
                starts[extents] = offset;
            }
            return ++extents < MOST_EXTENTS;
        });
    }

    private void read(long offset) {
        int length = (int) Math.min(READ_BYTES, device.size() - offset);
        Promises.attempt(() -> device.read(offset, buffer.clear().limit(length)));
    }
}
