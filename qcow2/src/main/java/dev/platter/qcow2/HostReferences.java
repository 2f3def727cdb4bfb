package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import java.io.IOException;

/** Takes references to ranges of the file and counts those that fall into the window of this walk. */
final class HostReferences {
    private final HostFile file;
    private final CheckFindings findings;
    private final long fileSize;
    private final int clusterBits;
    private final long clusters;
    private final int windowSize;
    private final boolean[] referencedWindows;
    private CheckWindow window;
    private boolean pastEnd;
    private long firstBeyondEnd = -1;
    private long firstUncounted = -1;

    /**
     * Makes it.
     *
     * @param windowSize clusters of a window
     * @param first the window that is counted first
     */
    HostReferences(
            HostFile file, CheckFindings findings, long fileSize, int clusterBits, int windowSize, CheckWindow first) {
        this.file = file;
        this.findings = findings;
        this.fileSize = fileSize;
        this.clusterBits = clusterBits;
        this.clusters = Qcow2Check.clustersOf(fileSize, clusterBits);
        this.windowSize = windowSize;
        this.referencedWindows = new boolean[(int) (clusters / windowSize) + 1];
        this.window = first;
    }

    CheckWindow window() {
        return window;
    }

    void beginWindow(CheckWindow next) {
        window = next;
    }

    /** Returns the lowest offset of what the first walk met beyond the end of the file, or -1. */
    long firstBeyondEnd() {
        return firstBeyondEnd;
    }

    /** Notes that something is said to lie beyond the end of the file. */
    void noteBeyondEnd(long offset) {
        firstBeyondEnd = firstBeyondEnd < 0 ? offset : Math.min(firstBeyondEnd, offset);
    }

    /** Returns where the first walk met what names clusters that are not counted, or -1. */
    long firstUncounted() {
        return firstUncounted;
    }

    /** Notes that what lies at {@code offset} names clusters that are not counted. */
    void noteUncounted(long offset) {
        firstUncounted = firstUncounted < 0 ? offset : Math.min(firstUncounted, offset);
    }

    /** Returns whether the first walk met a reference to a cluster of a window. */
    boolean isReferenced(int windowIndex) {
        return referencedWindows[windowIndex];
    }

    void markReferenced(long cluster) {
        referencedWindows[(int) (cluster / windowSize)] = true;
    }

    /**
     * Returns the clusters that are compared: those of the file, and the one behind if the last reference of a range
     * that begins in the file reaches into it.
     */
    long comparedClusters() {
        return pastEnd ? clusters + 1 : clusters;
    }

    /**
     * Adds one reference to each cluster that a range touches.
     *
     * @param size bytes; nothing is counted for 0
     * @throws CorruptImageException if the range cannot be in any file
     */
    void add(long offset, long size) throws IOException {
        if (size == 0) {
            return;
        }
        if (offset < 0 || size < 0) {
            throw new CorruptImageException(file.name() + ": a table of " + Long.toUnsignedString(size)
                    + " bytes is said to be at " + Long.toUnsignedString(offset)
                    + ", beyond the end of any file; the image cannot be checked");
        }
        // the last cluster of an image may be cut short, so a range may end less than a cluster beyond the end
        if (offset - fileSize >= (1L << clusterBits) - size) {
            if (window.isFirst()) {
                noteBeyondEnd(offset);
                findings.corruption(
                        offset,
                        "ERROR: counting reference for region exceeding the end of the file by one cluster or more:"
                                + " offset 0x" + Long.toHexString(offset) + " size 0x" + Long.toHexString(size));
            }
            return;
        }
        long from = offset >>> clusterBits;
        long to = (offset + size - 1) >>> clusterBits;
        if (window.isFirst()) {
            pastEnd |= to >= clusters;
            for (long i = from / windowSize; i <= to / windowSize; i++) {
                referencedWindows[(int) i] = true;
            }
        }
        ReferenceCounts counts = window.counts();
        long last = Math.min(to, counts.first() + counts.size() - 1);
        for (long i = Math.max(from, counts.first()); i <= last; i++) {
            counts.increment((int) (i - counts.first()));
        }
    }
}
