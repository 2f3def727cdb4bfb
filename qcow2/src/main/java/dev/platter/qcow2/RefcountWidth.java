package dev.platter.qcow2;

import com.google.common.math.LongMath;
import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import java.io.IOException;
import java.util.function.LongConsumer;

/**
 * Writes the refcounts of an image that nobody uses with another number of bits. Every count stays what it is, but for
 * those of the refcounts themselves; leaks stay leaks. Source: qcow2.rst, "Host cluster management".
 */
final class RefcountWidth {
    private static final int RUN = 4096;

    /** Clusters that may be counted beyond the end of the file: a crash leaves some, not more. */
    private static final long MOST_BEYOND_END = 1 << 20;

    private final Qcow2Header header;
    private final HostFile file;
    private final int order;
    private final int blockBits;
    private final Refcounts refcounts;
    private final ClusterSet own = new ClusterSet();
    private final long[] counts = new long[RUN];
    private long end;

    private interface Action {
        void count(long cluster, long count) throws IOException;
    }

    RefcountWidth(Qcow2Header header, HostFile file, int order) throws IOException {
        this.header = header;
        this.file = file;
        this.order = order;
        this.blockBits = header.clusterBits() + 3 - header.refcountOrder();
        this.refcounts = Refcounts.read(header, file, file.askSize());
        this.end = Qcow2Check.clustersOf(file.fileSize(), header.clusterBits());
    }

    /**
     * Writes them behind the end of the file, durably; the header does not name them yet.
     *
     * @param walked told how many bytes of the file the counts were of that were gone through, of all of them twice
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if a count needs more bits; nothing was written
     * @throws CorruptImageException if the refcounts that are there make no sense; nothing was written
     */
    NewRefcounts.Place write(LongConsumer walked) throws IOException {
        findOwn();
        long size = file.fileSize();
        forEach(walked, (cluster, count) -> {
            requireFits(cluster, count);
            requireNear(cluster);
            end = Math.max(end, cluster + 1);
        });
        NewRefcounts wide = new NewRefcounts(header, file, order, end);
        wide.requireRoom();
        forEach(at -> walked.accept(LongMath.saturatedAdd(size, at)), wide::put);
        return wide.finish();
    }

    private void findOwn() throws CorruptImageException {
        long first = header.refcountTableOffset() >>> header.clusterBits();
        for (long i = first; i < first + header.refcountTableClusters(); i++) {
            own.add(i);
        }
        for (int i = 0; i < refcounts.tableSize(); i++) {
            long entry = refcounts.tableEntry(i);
            long cluster = entry >>> header.clusterBits();
            if (entry == 0) {
                continue;
            }
            if (entry < 0 || (entry & (header.clusterSize() - 1)) != 0 || own.contains(cluster)) {
                throw new CorruptImageException(file.name() + ": refcount table entry " + i + " at "
                        + (header.refcountTableOffset() + (long) i * Long.BYTES) + ": the block is said to be at "
                        + Long.toUnsignedString(entry)
                        + ", which is not aligned or holds refcounts already; repair the image first (check -r all)");
            }
            own.add(cluster);
        }
    }

    private void forEach(LongConsumer walked, Action action) throws IOException {
        for (int block = 0; block < refcounts.tableSize(); block++) {
            if (refcounts.tableEntry(block) == 0) {
                continue;
            }
            walked.accept(Math.min((long) block << blockBits, file.fileSize() >>> header.clusterBits())
                    << header.clusterBits());
            long first = (long) block << blockBits;
            for (long at = first; at < first + (1L << blockBits); ) {
                int run = refcounts.runLength(at);
                refcounts.read(at, run, counts);
                for (int i = 0; i < run; i++) {
                    long count = counts[i];
                    // the refcounts that are there now go
                    long left = count != 0 && own.contains(at + i) ? count - 1 : count;
                    if (left != 0) {
                        action.count(at + i, left);
                    }
                }
                at += run;
            }
        }
    }

    private void requireNear(long cluster) throws CorruptImageException {
        if (cluster - (file.fileSize() >>> header.clusterBits()) > MOST_BEYOND_END) {
            throw new CorruptImageException(file.name() + ": cluster " + cluster + " of " + header.clusterSize()
                    + " bytes is counted, far beyond the end of the file (" + file.fileSize()
                    + " bytes); repair the image first (check -r all)");
        }
    }

    private void requireFits(long cluster, long count) throws BlockIOException {
        if (!NewRefcounts.fits(count, order)) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": the cluster at " + (cluster << header.clusterBits()) + " is in use "
                            + Long.toUnsignedString(count) + " times, which refcounts of " + (1 << order)
                            + " bits cannot say; snapshots share clusters, with fewer of them it may be possible",
                    null);
        }
    }
}
