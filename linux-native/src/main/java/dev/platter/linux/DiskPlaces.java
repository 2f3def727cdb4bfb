package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.ExtentVisitor;
import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Finds out where a device's bytes lie on the disk that it is made from, by way of the devices in between. */
final class DiskPlaces {
    private static final long NOWHERE = -1;

    private DiskPlaces() {}

    /** Returns the offset on {@code disk} from which on all bytes of {@code device} lie there in order, or -1. */
    static long contiguous(BlockDevice device, BlockDevice disk) throws IOException {
        if (device.size() == 0) {
            return NOWHERE;
        }
        Follower follower = new Follower(disk);
        follower.follow(device, 0, device.size());
        return follower.isWhole ? follower.first : NOWHERE;
    }

    private static final class Follower {
        private final BlockDevice disk;
        private boolean isWhole = true;
        private long first = NOWHERE;
        private long next;

        Follower(BlockDevice disk) {
            this.disk = disk;
        }

        void follow(BlockDevice device, long offset, long length) throws IOException {
            ExtentVisitor visitor = (at, run, facts, depth, below, belowOffset) -> {
                take(below, belowOffset, run);
                return isWhole;
            };
            device.extents(offset, length, visitor);
        }

        private void take(@Nullable BlockDevice below, long at, long length) throws IOException {
            if (below == null) {
                isWhole = false;
            } else if (below != disk) {
                follow(below, at, length);
            } else if (first == NOWHERE) {
                first = at;
                next = at + length;
            } else {
                isWhole = at == next;
                next += length;
            }
        }
    }
}
