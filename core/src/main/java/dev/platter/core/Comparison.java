package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.OptionalLong;
import java.util.concurrent.CancellationException;

/**
 * Compares the bytes of two devices. What both know to be zeros is not read. Where one is shorter, it counts as zeros behind
 * its end.
 */
public final class Comparison {
    private static final int CHUNK = 1 << 20;
    private static final int SECTOR = 512;
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(CHUNK).asReadOnlyBuffer();

    private final BlockDevice first;
    private final BlockDevice second;
    private final ByteBuffer ours = DirectBuffers.allocate(CHUNK);
    private final ByteBuffer theirs = DirectBuffers.allocate(CHUNK);
    private final Copier.Progress progress;
    private final long total;
    private long difference = -1;

    private Comparison(BlockDevice first, BlockDevice second, Copier.Progress progress) {
        this.first = first;
        this.second = second;
        this.progress = progress;
        this.total = Math.max(first.size(), second.size());
    }

    /**
     * Returns the offset of the first sector of 512 bytes in which the devices differ; empty if there is none.
     *
     * @throws IOException if one of them cannot be read
     */
    public static OptionalLong firstDifference(BlockDevice first, BlockDevice second) throws IOException {
        return firstDifference(first, second, (done, total) -> true);
    }

    /**
     * Returns the offset of the first sector of 512 bytes in which the devices differ; empty if there is none.
     *
     * @param progress watches it and can stop it: told how many bytes are the same, of those of the larger device
     * @throws IOException if one of them cannot be read
     * @throws CancellationException if the listener asked to stop
     */
    public static OptionalLong firstDifference(BlockDevice first, BlockDevice second, Copier.Progress progress)
            throws IOException {
        long common = Math.min(first.size(), second.size());
        Comparison comparison = new Comparison(first, second, progress);
        comparison.report(0);
        comparison.compare(common);
        BlockDevice longer = first.size() > common ? first : second;
        if (comparison.difference < 0 && longer.size() > common) {
            comparison.requireZeros(longer, common, longer.size() - common);
        }
        return comparison.difference < 0 ? OptionalLong.empty() : OptionalLong.of(comparison.difference);
    }

    private void compare(long length) throws IOException {
        if (length == 0) {
            return;
        }
        first.extents(0, length, (offset, run, facts, depth, below, belowOffset) -> {
            if ((facts & Extent.READS_AS_ZERO) != 0) {
                requireZeros(second, offset, run);
            } else {
                compareBytes(offset, run);
            }
            return difference < 0;
        });
    }

    private void requireZeros(BlockDevice device, long offset, long length) throws IOException {
        device.extents(offset, length, (at, run, facts, depth, below, belowOffset) -> {
            for (long done = 0; (facts & Extent.READS_AS_ZERO) == 0 && done < run && difference < 0; done += CHUNK) {
                int part = (int) Math.min(CHUNK, run - done);
                device.read(at + done, theirs.clear().limit(part));
                note(at + done, theirs.flip().mismatch(ZEROS.slice(0, part)), part);
            }
            if ((facts & Extent.READS_AS_ZERO) != 0) {
                report(at + run);
            }
            return difference < 0;
        });
    }

    private void compareBytes(long offset, long length) throws IOException {
        for (long done = 0; done < length && difference < 0; done += CHUNK) {
            int part = (int) Math.min(CHUNK, length - done);
            first.read(offset + done, ours.clear().limit(part));
            second.read(offset + done, theirs.clear().limit(part));
            note(offset + done, ours.flip().mismatch(theirs.flip()), part);
        }
    }

    private void note(long offset, int mismatch, int length) {
        if (mismatch >= 0) {
            difference = (offset + mismatch) & -SECTOR;
        } else {
            report(offset + length);
        }
    }

    private void report(long done) {
        if (!progress.copied(done, total)) {
            throw new CancellationException(
                    first.description() + ": the comparison with " + second.description() + " was stopped at " + done);
        }
    }
}
