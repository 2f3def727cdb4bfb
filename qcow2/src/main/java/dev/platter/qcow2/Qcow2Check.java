package dev.platter.qcow2;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import java.io.IOException;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Compares the refcounts of an image with the references in it, as {@code qemu-img check} does, reading only. Source:
 * qcow2.rst; what is counted, and as what, is taken from qemu 7.2.
 *
 * <p>References are counted for a window of clusters at a time, so that the memory does not depend on the image: the
 * first walk counts the first window and reports all that concerns no single cluster; further windows cost a walk each,
 * unless nothing refers to them.
 */
final class Qcow2Check {
    /** Clusters of a window; with the side table and a bit per cluster that is 18 MiB. */
    private static final int WINDOW = 15 << 20;

    /** Windows are a fraction of this length where counters take four bytes. */
    private static final int WIDE_BYTES = 4;

    private static final long MAX_CLUSTERS = Integer.MAX_VALUE;
    private static final int RUN = 4096;
    private static final long PROGRESS_CLUSTERS = 1 << 20;

    private final Qcow2Header header;
    private final HostFile file;
    private final CheckFindings findings;
    private final List<Snapshot> snapshots;
    private final List<Bitmap> bitmaps;
    private final int walkFactor;
    private final CheckListener listener;
    private final int windowSize;
    private final long fileSize;
    private final long clusters;

    /** First cluster that is not counted: what begins in the last cluster of the file may reach into one more. */
    private final long end;

    private final Refcounts refcounts;
    private final ReferenceCounts counts;
    private final @Nullable CountSink sink;
    private @Nullable LeakSink leakSink;
    private final long[] stored = new long[RUN];
    private long highest;
    private long firstBeyondEnd = -1;
    private long firstUncounted = -1;
    private boolean refcountsWrong;
    private boolean blocksWrong;

    /** Takes the number of references to each cluster, instead of comparing it with the refcount. */
    interface CountSink {
        /** Takes a window; windows come in ascending order, those without any reference not at all. */
        void counts(ReferenceCounts window) throws IOException;
    }

    /** Takes the clusters whose refcount is larger than the number of references. */
    interface LeakSink {
        /** Takes one of them. */
        void leak(long cluster, long references) throws IOException;
    }

    /**
     * Prepares a check: reads the refcount table and, where opening the image could not, the snapshot and bitmap tables.
     *
     * @param snapshots the snapshots of the image, as far as they could be read
     * @param bitmaps the bitmaps of the image, as far as they could be read
     * @throws CorruptImageException if one of these tables is so damaged that the image cannot be checked
     */
    Qcow2Check(
            Qcow2Header header,
            HostFile file,
            List<Snapshot> snapshots,
            List<Bitmap> bitmaps,
            Limits limits,
            CheckListener listener)
            throws IOException {
        this(header, file, snapshots, bitmaps, limits, listener, WINDOW, null);
    }

    /**
     * Prepares a check with windows of another size.
     *
     * @param windowSize a multiple of 256
     * @param sink takes the references to all but refcounts, which are not looked at then; null to compare
     */
    Qcow2Check(
            Qcow2Header header,
            HostFile file,
            List<Snapshot> snapshots,
            List<Bitmap> bitmaps,
            Limits limits,
            CheckListener listener,
            int windowSize,
            @Nullable CountSink sink)
            throws IOException {
        this.sink = sink;
        this.header = header;
        this.file = file;
        this.findings = new CheckFindings(listener);
        this.listener = listener;
        this.walkFactor = limits.walkFactor();
        this.windowSize = windowSize;
        this.fileSize = file.storage().size();
        this.clusters = clustersOf(fileSize, header.clusterBits());
        if (clusters > MAX_CLUSTERS) {
            throw new LimitExceededException(file.name() + ": the file has " + clusters + " clusters, at most "
                    + MAX_CLUSTERS + " can be checked");
        }
        this.snapshots = readSnapshots(snapshots, limits);
        this.bitmaps = readBitmaps(bitmaps, header, file, limits);
        this.end = clusters + 1;
        this.counts = new ReferenceCounts((int) Math.min(windowSize, end << 2));
        this.refcounts = Refcounts.read(header, file, fileSize);
    }

    /** What of the table lies beyond the end of the file is zeros, as qemu reads it. */
    private List<Snapshot> readSnapshots(List<Snapshot> known, Limits limits) throws IOException {
        return header.snapshotCount() > 0 && known.isEmpty() ? Snapshot.readPadded(header, file, limits) : known;
    }

    static List<Bitmap> readBitmaps(List<Bitmap> known, Qcow2Header header, HostFile file, Limits limits)
            throws IOException {
        HeaderExtensions.BitmapDirectoryLocation directory = header.extensions().bitmaps();
        return directory != null && known.isEmpty() && (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_BITMAPS) != 0
                ? Bitmap.readDirectory(directory, header, file, limits)
                : known;
    }

    /** Returns the clusters that {@code bytes} take, the last one perhaps incomplete. */
    static long clustersOf(long bytes, int clusterBits) {
        return (bytes >>> clusterBits) + ((bytes & ((1L << clusterBits) - 1)) == 0 ? 0 : 1);
    }

    /**
     * Checks.
     *
     * @throws LimitExceededException if the tables alias each other to make work without end
     * @throws CorruptImageException if the image is so damaged that it cannot be checked
     * @throws java.util.concurrent.CancellationException if the listener asked to stop
     */
    CheckReport run() throws IOException {
        HostReferences references = new HostReferences(
                file, findings, fileSize, header.clusterBits(), windowSize, window(0, windowSize, false, true, true));
        ReferenceWalk walk = new ReferenceWalk(
                header, file, fileSize, snapshots, bitmaps, walkFactor, findings, listener, references, sink == null);
        int windows = (int) (end / windowSize + (end % windowSize == 0 ? 0 : 1));
        long units = walk.l1Entries() + 1;
        for (int i = 0; i < windows; i++) {
            long first = (long) i * windowSize;
            walk.setProgress(i * units, windows * units);
            if (i == 0) {
                walk.walk();
                firstBeyondEnd = references.firstBeyondEnd();
                firstUncounted = references.firstUncounted();
                if (sink == null) {
                    examineRefcountTable(references);
                }
            } else if (references.isReferenced(i)) {
                references.beginWindow(window(first, windowSize, false, false, true));
                walk.walk();
            } else if (sink == null && refcounts.hasBlocks(first, Math.min(first + windowSize, end))) {
                references.beginWindow(window(first, windowSize, false, false, false));
            } else {
                continue;
            }
            if (!settle(references, walk)) {
                recount(references, walk, first);
            }
        }
        walk.setProgress(windows * units, windows * units);
        return report(walk.tables());
    }

    /** Returns the lowest offset of tables or data that a check found beyond the end of the file, or -1. */
    long firstBeyondEnd() {
        return firstBeyondEnd;
    }

    /** Returns where a check found what names clusters in a way that it could not follow or does not count, or -1. */
    long firstUncounted() {
        return firstUncounted;
    }

    /** Returns whether a check found a refcount, or what leads to one, that is not merely too large. */
    boolean hasWrongRefcounts() {
        return refcountsWrong || blocksWrong;
    }

    /** Returns whether a check found a refcount block that is nowhere, or where something else lies as well. */
    boolean hasWrongBlocks() {
        return blocksWrong;
    }

    private CheckWindow window(long first, int size, boolean wide, boolean isFirst, boolean fresh) throws IOException {
        counts.begin(first, (int) Math.min(size, end - first), wide);
        return new CheckWindow(counts, refcounts, findings, end, isFirst, fresh);
    }

    /** Counts the window once more with larger counters, in parts that take the same memory. */
    private void recount(HostReferences references, ReferenceWalk walk, long windowFirst) throws IOException {
        long windowEnd = Math.min(windowFirst + windowSize, end);
        int part = windowSize / WIDE_BYTES;
        for (long first = windowFirst; first < windowEnd; first += part) {
            references.beginWindow(window(first, (int) Math.min(part, windowEnd - first), true, false, false));
            walk.walk();
            if (!settle(references, walk)) {
                throw new LimitExceededException(
                        file.name() + ": more clusters than can be counted have more than 2^31 references");
            }
        }
    }

    /** Reports what is wrong with the refcount table itself. */
    private void examineRefcountTable(HostReferences references) {
        long compared = references.comparedClusters();
        for (int i = 0; i < refcounts.tableSize(); i++) {
            long entry = refcounts.tableEntry(i);
            if (entry == 0) {
                continue;
            }
            long at = header.refcountTableOffset() + (long) i * Long.BYTES;
            long cluster = entry >>> header.clusterBits();
            if ((entry & Refcounts.RESERVED) != 0) {
                findings.corruption(at, "ERROR refcount table entry " + i + " has reserved bits set");
            } else if ((entry & (header.clusterSize() - 1)) != 0) {
                findings.corruption(
                        at, "ERROR refcount block " + i + " is not cluster aligned; refcount table entry corrupted");
            } else if (cluster >= compared) {
                findings.corruption(at, "ERROR refcount block " + i + " is outside image");
            } else if (cluster >= clusters) {
                findings.corruption(at, "ERROR refcount block " + i + " begins beyond the end of the file");
            }
            blocksWrong |= !isCounted(entry) || (entry & Refcounts.RESERVED) != 0;
            if (isCounted(entry)) {
                references.markReferenced(cluster);
            }
        }
    }

    /** Returns whether an entry of the refcount table refers to a cluster of the file. */
    private boolean isCounted(long entry) {
        return entry != 0 && (entry & (header.clusterSize() - 1)) == 0 && (entry >>> header.clusterBits()) < clusters;
    }

    /**
     * Completes the window with the refcount blocks, which are counted last, and compares it.
     *
     * @return false if the counters were too small, and nothing has been reported
     */
    private boolean settle(HostReferences references, ReferenceWalk walk) throws IOException {
        if (sink != null) {
            boolean enough = !counts.overflowed();
            if (enough) {
                sink.counts(counts);
            }
            return enough;
        }
        int escapes = 0;
        for (int i = 0; i < refcounts.tableSize(); i++) {
            long entry = refcounts.tableEntry(i);
            long cluster = entry >>> header.clusterBits();
            if (isCounted(entry) && counts.holds(cluster) && counts.isNearlyFull((int) (cluster - counts.first()))) {
                escapes++;
            }
        }
        if (counts.overflowed() || escapes > counts.escapesLeft()) {
            return false;
        }
        for (int i = 0; i < refcounts.tableSize(); i++) {
            long entry = refcounts.tableEntry(i);
            long cluster = entry >>> header.clusterBits();
            if (isCounted(entry) && counts.holds(cluster)) {
                countRefcountBlock((int) (cluster - counts.first()), i);
            }
        }
        compare(Math.min(counts.first() + counts.size(), references.comparedClusters()), walk);
        return true;
    }

    private void countRefcountBlock(int index, int tableIndex) {
        counts.increment(index);
        long count = clamp(counts.get(index));
        if (count != 1) {
            blocksWrong = true;
            findings.corruption(
                    header.refcountTableOffset() + (long) tableIndex * Long.BYTES,
                    "ERROR refcount block " + tableIndex + " refcount=" + count);
        }
    }

    private long clamp(long count) {
        return Long.compareUnsigned(count, refcounts.max()) > 0 ? refcounts.max() : count;
    }

    private void compare(long endCluster, ReferenceWalk walk) throws IOException {
        long unreported = 0;
        for (long at = counts.first(); at < endCluster; ) {
            int run = (int) Math.min(refcounts.runLength(at), endCluster - at);
            switch (refcounts.state(at)) {
                case UNREADABLE -> reportUnreadable(at, run);
                case ABSENT -> {
                    if (!counts.isZero((int) (at - counts.first()), run)) {
                        Arrays.fill(stored, 0, run, 0);
                        compareRun(at, run);
                    }
                }
                case PRESENT -> {
                    refcounts.read(at, run, stored);
                    compareRun(at, run);
                }
            }
            at += run;
            unreported += run;
            if (unreported >= PROGRESS_CLUSTERS) {
                unreported = 0;
                walk.report();
            }
        }
    }

    /** Has leaks told to {@code leaks} too, all of them. */
    Qcow2Check tellLeaks(LeakSink leaks) {
        leakSink = leaks;
        return this;
    }

    private void tellLeaks(long first, int run, LeakSink leaks) throws IOException {
        int base = (int) (first - counts.first());
        for (int i = 0; i < run; i++) {
            long references = clamp(counts.get(base + i));
            if (Long.compareUnsigned(stored[i], references) > 0) {
                leaks.leak(first + i, references);
            }
        }
    }

    private void compareRun(long first, int run) throws IOException {
        if (leakSink != null) {
            tellLeaks(first, run, leakSink);
        }
        int base = (int) (first - counts.first());
        boolean quiet = !findings.wantsMore();
        long quietLeaks = 0;
        int used = -1;
        for (int i = 0; i < run; i++) {
            long count = counts.get(base + i);
            if ((count | stored[i]) != 0) {
                used = i;
                if (quiet && count == 0) {
                    quietLeaks++;
                } else if (count != stored[i]) {
                    reportDifference(first + i, stored[i], count);
                }
            }
        }
        findings.addSilently(0, 0, quietLeaks);
        if (used >= 0) {
            highest = first + used;
        }
    }

    private void reportDifference(long cluster, long refcount, long count) {
        long references = clamp(count);
        boolean corrupt = Long.compareUnsigned(refcount, references) < 0;
        refcountsWrong |= corrupt || references != count;
        if (!findings.wantsMore()) {
            boolean leaked = !corrupt && refcount != references;
            findings.addSilently(0, count - references + (corrupt ? 1 : 0), leaked ? 1 : 0);
            return;
        }
        long offset = cluster << header.clusterBits();
        if (references != count) {
            findings.corruptions(
                    count - references, offset, "ERROR: overflow cluster offset=0x" + Long.toHexString(offset));
        }
        if (refcount == references) {
            return;
        }
        String what = "cluster " + cluster + " refcount=" + Long.toUnsignedString(refcount) + " reference="
                + Long.toUnsignedString(references);
        if (corrupt) {
            findings.corruption(offset, "ERROR " + what);
        } else {
            findings.leak(offset, "Leaked " + what);
        }
    }

    private void reportUnreadable(long first, int run) {
        refcountsWrong = true;
        for (int i = 0; i < run; i++) {
            if (!findings.wantsMore()) {
                findings.addSilently(run - i, 0, 0);
                return;
            }
            findings.error(
                    (first + i) << header.clusterBits(),
                    "Can't get refcount for cluster " + (first + i) + ": its refcount block is not cluster aligned");
        }
    }

    private CheckReport report(L2TableWalk tables) {
        return new CheckReport(
                findings.errors(),
                findings.corruptions(),
                findings.leaks(),
                clustersOf(header.size(), header.clusterBits()),
                tables.allocated(),
                tables.compressed(),
                tables.fragmented(),
                (highest + 1) << header.clusterBits());
    }
}
