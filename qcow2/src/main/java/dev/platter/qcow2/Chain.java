package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.DirectBuffers;
import dev.platter.core.DiskImage;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Moves contents between the images of a backing chain. */
final class Chain {
    private static final int CHUNK = 1 << 20;

    private Chain() {}

    /** Writes what an overlay holds itself into the image below, which is at least as large. */
    static void commit(DiskImage overlay, DiskImage below) throws IOException {
        ByteBuffer buffer = DirectBuffers.allocate(CHUNK);
        overlay.extents(0, overlay.size(), (offset, length, facts, depth, holder, holderOffset) -> {
            if (depth > 0 || (facts & Extent.ALLOCATED) == 0) {
                return true;
            }
            if ((facts & Extent.READS_AS_ZERO) != 0) {
                below.writeZeroes(offset, length, ZeroMode.MAY_UNMAP, Durability.NONE);
                return true;
            }
            for (long at = offset; at < offset + length; at += buffer.limit()) {
                buffer.clear().limit((int) Math.min(CHUNK, offset + length - at));
                overlay.read(at, buffer);
                below.write(at, buffer.flip(), Durability.NONE);
            }
            return true;
        });
        below.flush();
    }

    /**
     * Writes into an overlay what its guest would see changed if {@code newBelow} took the place of what is below.
     *
     * @param newBelow null if nothing will be below
     */
    static void keepContents(DiskImage overlay, BlockDevice newBelow, int clusterSize) throws IOException {
        int chunk = Math.max(CHUNK, clusterSize);
        ByteBuffer before = DirectBuffers.allocate(chunk);
        ByteBuffer after = DirectBuffers.allocate(chunk);
        for (long at = 0; at < overlay.size(); at += chunk) {
            int length = (int) Math.min(chunk, overlay.size() - at);
            if (isWhole(overlay, at, length)) {
                continue;
            }
            overlay.read(at, before.clear().limit(length));
            read(newBelow, at, after.clear().limit(length));
            for (int from = 0; from < length; from += clusterSize) {
                int run = Math.min(clusterSize, length - from);
                if (!isWhole(overlay, at + from, run)
                        && before.slice(from, run).mismatch(after.slice(from, run)) >= 0) {
                    overlay.write(at + from, before.slice(from, run), Durability.NONE);
                }
            }
        }
        overlay.flush();
    }

    /** Returns whether nothing in a range comes from below. */
    private static boolean isWhole(BlockDevice overlay, long offset, long length) throws IOException {
        boolean[] whole = {true};
        overlay.extents(offset, length, (at, run, facts, depth, holder, holderOffset) -> {
            whole[0] = depth == 0 && (facts & Extent.ALLOCATED) != 0;
            return whole[0];
        });
        return whole[0];
    }

    private static void read(BlockDevice device, long offset, ByteBuffer into) throws IOException {
        int limit = into.limit();
        int inside = (int) Math.max(0, Math.min(limit, device.size() - offset));
        if (inside > 0) {
            device.read(offset, into.limit(inside));
        }
        HostFile.fillZeros(into.limit(limit), limit - inside);
    }
}
