package dev.platter.qcow2;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.Extent;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;

/** Sizes of images that are not there yet. What is counted is what qemu counts: block/qcow2.c, qcow2_measure. */
final class Measure {
    private static final int BITMAP_ENTRY_BYTES = 24;

    private final CreateOptions options;
    private final long clusterSize;

    Measure(CreateOptions options) {
        this.options = options;
        this.clusterSize = options.clusterSize();
    }

    private static long ceil(long value, long unit) {
        return value / unit + (value % unit == 0 ? 0 : 1);
    }

    private long roundUp(long bytes) {
        return ceil(bytes, clusterSize) * clusterSize;
    }

    /** Returns the bytes of a whole disk in clusters. */
    long diskBytes() throws BlockIOException {
        if (options.size() > Long.MAX_VALUE - clusterSize || l2Tables() * Long.BYTES > Qcow2Header.MAX_L1_BYTES) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    "a disk of " + options.size() + " bytes is too large for clusters of " + clusterSize
                            + " bytes; larger clusters can map it",
                    null);
        }
        return roundUp(options.size());
    }

    private long l2Tables() {
        return ceil(ceil(options.size(), clusterSize), clusterSize / (options.extendedL2() ? 16 : 8));
    }

    /** Returns the bytes of the file when all of the disk was written. */
    long fullyAllocated() throws BlockIOException {
        long disk = diskBytes() / clusterSize;
        long tables = l2Tables();
        long clusters = 1 + disk + tables + ceil(tables * Long.BYTES, clusterSize);
        return (clusters + refcountClusters(clusters)) * clusterSize;
    }

    /** Refcounts count themselves: more of them until no more are needed. */
    private long refcountClusters(long clusters) {
        long perBlock = clusterSize * 8 / options.refcountBits();
        long blocks = 0;
        long table = 0;
        while (true) {
            long needed = ceil(clusters + table + blocks, perBlock);
            long neededTable = ceil(needed * Long.BYTES, clusterSize);
            if (needed == blocks && neededTable == table) {
                return blocks + table;
            }
            blocks = needed;
            table = neededTable;
        }
    }

    /** Returns the bytes of clusters that a copy of {@code source} needs: those in which something is not known to be zero. */
    long dataBytes(BlockDevice source) throws IOException {
        long[] counted = {0, 0};
        source.extents(0, source.size(), (offset, length, facts, depth, below, belowOffset) -> {
            boolean data = (facts & Extent.ALLOCATED) != 0 && (facts & Extent.READS_AS_ZERO) == 0;
            long from = Math.max(counted[1], offset - offset % clusterSize);
            long to = roundUp(offset + length);
            if (data && to > from) {
                counted[0] += to - from;
                counted[1] = to;
            }
            return true;
        });
        return counted[0];
    }

    /** Returns the bytes that copies of bitmaps take, with all of their bits in clusters. */
    long bitmapBytes(List<BitmapInfo> bitmaps) {
        long bytes = 0;
        long directory = 0;
        for (BitmapInfo bitmap : bitmaps) {
            if (!bitmap.inUse()) {
                long bits = ceil(options.size(), bitmap.granularity());
                long clusters = ceil(ceil(bits, 8), clusterSize);
                bytes += clusters * clusterSize + roundUp(clusters * Long.BYTES);
                int name = bitmap.name().getBytes(StandardCharsets.UTF_8).length;
                directory += BITMAP_ENTRY_BYTES + name + 7 & -8;
            }
        }
        return bytes + roundUp(directory);
    }
}
