package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImages;
import dev.platter.core.ExtentVisitor;
import java.io.IOException;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** Finds out where a device's bytes lie on the disk that it is made from, by way of the devices in between. */
final class DiskPlaces {
    private static final long NOWHERE = -1;

    private DiskPlaces() {}

    /**
     * A piece of a file.
     *
     * @param offset its first byte there
     */
    record Piece(Path file, long offset) {}

    /** Returns the piece of a raw image's file that has all bytes of a device in order, or null. */
    static @Nullable Piece inFile(BlockDevice device) throws IOException {
        Path whole = DiskImages.fileOf(device);
        if (whole != null) {
            return new Piece(whole, 0);
        }
        if (device.size() == 0) {
            return null;
        }
        Follower follower = new Follower(null);
        follower.follow(device, 0, device.size());
        BlockDevice disk = follower.disk;
        Path file = disk == null ? null : DiskImages.fileOf(disk);
        return file == null || !follower.isWhole ? null : new Piece(file, follower.first);
    }

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
        private @Nullable BlockDevice disk;
        private boolean isWhole = true;
        private long first = NOWHERE;
        private long next;

        /** @param disk null for the first raw image in a file that is met */
        Follower(@Nullable BlockDevice disk) {
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
            if (below != null && disk == null && DiskImages.fileOf(below) != null) {
                disk = below;
            }
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
