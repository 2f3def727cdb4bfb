package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.LimitExceededException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Writes refcounts anew behind all that a file has, where nothing can be in their way. They count once the header names
 * their table. Source: qcow2.rst, "Host cluster management". Not safe for several threads.
 */
final class NewRefcounts {
    private final HostFile file;
    private final int clusterBits;
    private final int clusterSize;
    private final int order;
    private final int blockBits;
    private final long start;
    private final List<Long> table = new ArrayList<>();
    private final ByteBuffer block;
    private long next;
    private long blockIndex = -1;

    /** Where a refcount table lies. */
    record Place(long offset, int clusters) {}

    /**
     * Begins.
     *
     * @param order refcounts will have {@code 1 << order} bits
     * @param start first cluster that may be written to, behind the end of the file and all clusters that are counted
     */
    NewRefcounts(Qcow2Header header, HostFile file, int order, long start) {
        this.file = file;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.order = order;
        this.blockBits = clusterBits + 3 - order;
        this.start = start;
        this.next = start;
        this.block = DirectBuffers.allocate(clusterSize);
    }

    /** Returns whether refcounts of {@code 1 << order} bits can say a count, which is unsigned. */
    static boolean fits(long count, int order) {
        return order == 6 || Long.compareUnsigned(count, (1L << (1 << order)) - 1) <= 0;
    }

    /**
     * Checks that refcounts can say how many references there are, and writes nothing.
     *
     * @throws CorruptImageException if there are not enough bits for one of them
     */
    void requireFits(ReferenceCounts window) throws CorruptImageException {
        for (int i = 0; i < window.size(); i++) {
            requireFits(window.first() + i, window.get(i));
        }
    }

    private void requireFits(long cluster, long count) throws CorruptImageException {
        if (!fits(count, order)) {
            throw new CorruptImageException(file.name() + ": the cluster at " + (cluster << clusterBits)
                    + " is referred to " + Long.toUnsignedString(count) + " times; refcounts of " + (1 << order)
                    + " bits hold up to " + ((1L << (1 << order)) - 1));
        }
    }

    /**
     * Checks that their table has room for clusters up to where they begin themselves, and writes nothing.
     *
     * @throws LimitExceededException if it has not
     */
    void requireRoom() throws LimitExceededException {
        long clusters = (start >>> blockBits) / (clusterSize / Long.BYTES) + 1;
        if (clusters > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / clusterSize) {
            throw tooLarge();
        }
    }

    private LimitExceededException tooLarge() {
        return new LimitExceededException(file.name() + ": its refcount table would have more than "
                + Qcow2Header.MAX_REFCOUNT_TABLE_BYTES + " bytes");
    }

    /**
     * Sets the refcount of a cluster below {@code start}; blocks come in ascending order.
     *
     * @throws CorruptImageException if there are not enough bits for it
     */
    void put(long cluster, long count) throws IOException {
        long index = cluster >>> blockBits;
        if (index != blockIndex) {
            writeBlock();
            blockIndex = index;
            HostFile.fillZeros(block.clear(), block.capacity());
        }
        requireFits(cluster, count);
        Refcounts.put(block, (int) cluster & ((1 << blockBits) - 1), order, count);
    }

    private void writeBlock() throws IOException {
        if (blockIndex < 0) {
            return;
        }
        growTo(blockIndex);
        // the last window may have to be counted in parts that begin inside a block
        long place = table.get((int) blockIndex);
        if (place == 0) {
            place = next++ << clusterBits;
            table.set((int) blockIndex, place);
        }
        file.write(place, block.duplicate().clear());
    }

    private void growTo(long index) {
        while (table.size() <= index) {
            table.add(0L);
        }
    }

    /** Adds what the new refcounts take themselves, and makes them durable; the header does not name them yet. */
    Place finish() throws IOException {
        long firstOwn = start >>> blockBits;
        if (blockIndex < firstOwn) {
            writeBlock();
            blockIndex = firstOwn;
            HostFile.fillZeros(block.clear(), block.capacity());
        }
        // blocks that describe blocks and table: until they describe themselves
        long entriesPerCluster = clusterSize / Long.BYTES;
        long ownBlocks = 1;
        long tableClusters = 1;
        while (true) {
            long end = next + ownBlocks + tableClusters;
            long lastBlock = (end - 1) >>> blockBits;
            long needed = (lastBlock + entriesPerCluster) / entriesPerCluster;
            if (lastBlock - firstOwn + 1 <= ownBlocks && needed <= tableClusters) {
                break;
            }
            ownBlocks = lastBlock - firstOwn + 1;
            tableClusters = needed;
        }
        if (tableClusters * clusterSize > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            throw tooLarge();
        }
        long tablePlace = next + ownBlocks;
        long end = tablePlace + tableClusters;
        long blocksBegin = next;
        for (long i = firstOwn; i < firstOwn + ownBlocks; i++) {
            growTo(i);
            table.set((int) i, (blocksBegin + i - firstOwn) << clusterBits);
        }
        next = blocksBegin + ownBlocks;
        for (long cluster = start; cluster < end; cluster++) {
            put(cluster, 1);
        }
        writeBlock();
        ByteBuffer raw = DirectBuffers.allocate((int) tableClusters * clusterSize);
        for (long entry : table) {
            raw.putLong(entry);
        }
        file.write(tablePlace << clusterBits, raw.clear());
        file.sync();
        return new Place(tablePlace << clusterBits, (int) tableClusters);
    }
}
