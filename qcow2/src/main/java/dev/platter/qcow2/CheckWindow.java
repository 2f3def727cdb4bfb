package dev.platter.qcow2;

import java.io.IOException;

/**
 * A run of clusters of the file whose references are being counted, and what is asked of them while counting. An image
 * that has more clusters than counters is walked once per window.
 */
final class CheckWindow {
    private final ReferenceCounts counts;
    private final Refcounts refcounts;
    private final CheckFindings findings;
    private final long endCluster;
    private final boolean first;
    private final boolean fresh;

    /** A bit per cluster of the window: whether its stored refcount is exactly 1. */
    private final long[] ones;

    /**
     * Makes a window.
     *
     * @param endCluster first cluster that is in no window
     * @param first whether this is the first walk, which reports what concerns no window
     * @param fresh whether the clusters of the window are walked for the first time
     */
    CheckWindow(
            ReferenceCounts counts,
            Refcounts refcounts,
            CheckFindings findings,
            long endCluster,
            boolean first,
            boolean fresh)
            throws IOException {
        this.counts = counts;
        this.refcounts = refcounts;
        this.findings = findings;
        this.endCluster = endCluster;
        this.first = first;
        this.fresh = fresh;
        this.ones = new long[fresh ? (counts.size() + 63) >>> 6 : 0];
        if (fresh) {
            loadOnes();
        }
    }

    private void loadOnes() throws IOException {
        long[] stored = new long[4096];
        long end = counts.first() + counts.size();
        for (long at = counts.first(); at < end; ) {
            int run = (int) Math.min(refcounts.runLength(at), end - at);
            if (refcounts.state(at) == Refcounts.State.PRESENT) {
                refcounts.read(at, run, stored);
                int base = (int) (at - counts.first());
                for (int i = 0; i < run; i++) {
                    ones[(base + i) >>> 6] |= (stored[i] == 1 ? 1L : 0L) << (base + i);
                }
            }
            at += run;
        }
    }

    ReferenceCounts counts() {
        return counts;
    }

    /** Returns whether what concerns no window is to be reported. */
    boolean isFirst() {
        return first;
    }

    /** Returns whether what concerns this window is to be reported. */
    boolean isFresh() {
        return fresh;
    }

    /**
     * Returns whether the copied flag of a reference to a cluster contradicts its refcount. Each cluster is answered for
     * in one window; those that no window holds, in the first walk.
     *
     * @param copied 1 if the flag is set, else 0
     */
    boolean contradicts(long cluster, long copied) throws IOException {
        if (counts.holds(cluster)) {
            int index = (int) (cluster - counts.first());
            return fresh
                    && (ones[index >>> 6] >>> index & 1) != copied
                    && refcounts.state(cluster) != Refcounts.State.UNREADABLE;
        }
        return first
                && cluster >= endCluster
                && refcounts.state(cluster) != Refcounts.State.UNREADABLE
                && (refcounts.of(cluster) == 1) != (copied == 1);
    }

    void reportCopied(long cluster, String entry, long at) throws IOException {
        findings.corruption(
                at, "ERROR OFLAG_COPIED " + entry + " refcount=" + Long.toUnsignedString(refcounts.of(cluster)));
    }
}
