package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.Copier;
import dev.platter.core.DirectBuffers;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.CancellationException;

/** Moves contents between the images of a backing chain. */
final class Chain {
    private static final int CHUNK = 1 << 20;

    private Chain() {}

    /**
     * Writes what an overlay, and images between, hold themselves into an image below, which is at least as large.
     *
     * @param layers how many images are above {@code below}
     */
    static void commit(DiskImage overlay, DiskImage below, int layers, Copier.Progress progress) throws IOException {
        ByteBuffer buffer = DirectBuffers.allocate(CHUNK);
        report(progress, 0, overlay.size(), overlay);
        overlay.extents(0, overlay.size(), (offset, length, facts, depth, holder, holderOffset) -> {
            // with several layers, the end of a short one hides what lies below it
            boolean hides = layers > 1 && (facts & Extent.READS_AS_ZERO) != 0;
            if (depth >= layers || ((facts & Extent.ALLOCATED) == 0 && !hides)) {
                report(progress, offset + length, overlay.size(), overlay);
                return true;
            }
            if ((facts & Extent.READS_AS_ZERO) != 0) {
                below.writeZeroes(offset, length, ZeroMode.MAY_UNMAP, Durability.NONE);
                report(progress, offset + length, overlay.size(), overlay);
                return true;
            }
            for (long at = offset; at < offset + length; at += buffer.limit()) {
                buffer.clear().limit((int) Math.min(CHUNK, offset + length - at));
                overlay.read(at, buffer);
                below.write(at, buffer.flip(), Durability.NONE);
                report(progress, Math.min(at + CHUNK, offset + length), overlay.size(), overlay);
            }
            return true;
        });
        below.flush();
    }

    private static void report(Copier.Progress progress, long done, long total, DiskImage overlay) {
        if (!progress.copied(done, total)) {
            throw new CancellationException(overlay.description() + ": stopped at " + done);
        }
    }

    /**
     * Writes into an overlay what its guest would see changed if {@code newBelow} took the place of what is below.
     *
     * @param newBelow null if nothing will be below
     */
    static void keepContents(DiskImage overlay, BlockDevice newBelow, int clusterSize, Copier.Progress progress)
            throws IOException {
        int chunk = Math.max(CHUNK, clusterSize);
        ByteBuffer before = DirectBuffers.allocate(chunk);
        ByteBuffer after = DirectBuffers.allocate(chunk);
        ByteBuffer zeros = ByteBuffer.allocate(clusterSize);
        for (long at = 0; at < overlay.size(); at += chunk) {
            int length = (int) Math.min(chunk, overlay.size() - at);
            report(progress, at, overlay.size(), overlay);
            if (isWhole(overlay, at, length)) {
                continue;
            }
            overlay.read(at, before.clear().limit(length));
            read(newBelow, at, after.clear().limit(length));
            for (int from = 0; from < length; from += clusterSize) {
                int run = Math.min(clusterSize, length - from);
                if (isWhole(overlay, at + from, run) || before.slice(from, run).mismatch(after.slice(from, run)) < 0) {
                    continue;
                }
                if (before.slice(from, run).mismatch(zeros.slice(0, run)) < 0) {
                    overlay.writeZeroes(at + from, run, ZeroMode.MAY_UNMAP, Durability.NONE);
                } else {
                    overlay.write(at + from, before.slice(from, run), Durability.NONE);
                }
            }
        }
        overlay.flush();
        report(progress, overlay.size(), overlay.size(), overlay);
    }

    /**
     * Refuses a chain that would come back to an image: nobody could open it.
     *
     * @param below what is to be below the image
     */
    static void requireWithout(Path image, DiskImage below) throws IOException {
        for (DiskImage member = below; member != null; member = member.backing()) {
            Path path = Path.of(member.info().filename());
            if (Files.exists(path) && Files.isSameFile(path, image)) {
                throw new DiskImageException(
                        image + ": cannot have itself below it: " + below.description() + " leads back to it");
            }
        }
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
