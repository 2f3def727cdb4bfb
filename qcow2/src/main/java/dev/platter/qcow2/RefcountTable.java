package dev.platter.qcow2;

import static java.util.Objects.requireNonNull;

import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * The refcount table of an image that is written, and its blocks. Refcounts change in memory first: {@link #write()} puts
 * them into the file. New blocks, and a larger table, are durable before anything names them. Source: qcow2.rst, "Host
 * cluster management". Guarded by whoever changes the image.
 */
final class RefcountTable {
    private static final int PIECE_BYTES = 64 << 10;

    private final Qcow2Header header;
    private final HostFile file;
    private final HeaderFields fields;
    private final MetadataMap metadata;
    private final int clusterBits;
    private final int order;
    private final int blockBits;
    private final RefcountPieces pieces;
    private long[] blocks;
    private long offset;

    /** The table that the file has, while another one is prepared. */
    private @Nullable Stored stored;

    private static final class Stored {
        final long[] blocks;
        final long offset;

        Stored(long[] blocks, long offset) {
            this.blocks = blocks;
            this.offset = offset;
        }
    }

    private RefcountTable(Qcow2Header header, HostFile file, HeaderFields fields, MetadataMap metadata, long[] blocks) {
        this.header = header;
        this.file = file;
        this.fields = fields;
        this.metadata = metadata;
        this.clusterBits = header.clusterBits();
        this.order = header.refcountOrder();
        this.blockBits = clusterBits + 3 - order;
        this.pieces = new RefcountPieces(header, file);
        this.blocks = blocks;
        this.offset = header.refcountTableOffset();
    }

    /** Reads the table, and notes where it and its blocks lie. */
    static RefcountTable open(Qcow2Header header, HostFile file, HeaderFields fields, MetadataMap metadata)
            throws IOException {
        long clusters = header.refcountTableClusters();
        if (clusters == 0 || clusters > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / header.clusterSize()) {
            throw new CorruptImageException(file.name() + ": header at 56: the refcount table is said to have "
                    + clusters + " clusters; the image can be read, but not written");
        }
        long[] blocks = new long[(int) (clusters * header.clusterSize() / Long.BYTES)];
        ByteBuffer raw = DirectBuffers.allocate(PIECE_BYTES);
        for (int at = 0; at < blocks.length; at += raw.capacity() / Long.BYTES) {
            raw.clear().limit(Math.min(raw.capacity(), (blocks.length - at) * Long.BYTES));
            long from = header.refcountTableOffset() + (long) at * Long.BYTES;
            file.readTable("refcount table", header.refcountTableOffset(), clusters << header.clusterBits(), from, raw);
            raw.flip().asLongBuffer().get(blocks, at, raw.limit() / Long.BYTES);
        }
        RefcountTable table = new RefcountTable(header, file, fields, metadata, blocks);
        metadata.claim(
                header.refcountTableOffset() >>> header.clusterBits(), clusters, MetadataMap.Kind.REFCOUNT_TABLE);
        for (int i = 0; i < blocks.length; i++) {
            if (blocks[i] != 0) {
                table.requireBlock(i);
                metadata.claim(blocks[i] >>> header.clusterBits(), 1, MetadataMap.Kind.REFCOUNT_BLOCK);
            }
        }
        return table;
    }

    private void requireBlock(int index) throws IOException {
        long place = blocks[index];
        if (place < 0 || (place & (header.clusterSize() - 1)) != 0) {
            throw new CorruptImageException(file.name() + ": refcount table entry " + index + " at "
                    + (offset + (long) index * Long.BYTES) + ": the block is said to be at "
                    + Long.toUnsignedString(place) + ", which is not aligned to the cluster size "
                    + header.clusterSize()
                    + "; the image can be read, but not written");
        }
        if (!file.holds(place, header.clusterSize())) {
            // what is cut off would count clusters that are in use as free
            throw file.truncated("refcount block", place);
        }
    }

    // ---- refcounts ----

    /** Returns the refcount of a cluster. */
    long get(long cluster) throws IOException {
        long block = blockOf(cluster);
        return hasBlock(block) ? pieces.get(cluster, blocks[(int) block], stored != null) : 0;
    }

    /** Changes the refcount of a cluster whose block is there. */
    void put(long cluster, long value) throws IOException {
        pieces.put(cluster, blocks[(int) blockOf(cluster)], value, stored != null);
    }

    /** Returns whether a cluster, or one behind it, has a refcount other than 0. */
    boolean isUsedFrom(long cluster) throws IOException {
        for (long block = blockOf(cluster); block < blocks.length; block++) {
            long first = Math.max(cluster, firstOf(block));
            if (hasBlock(block) && pieces.isUsed(first, firstOf(block + 1), blocks[(int) block], stored != null)) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether refcounts are not in the file yet. */
    boolean isDirty() {
        return pieces.isDirty();
    }

    /** Puts into the file what is not there yet; making it durable is left to the caller. */
    void write() throws IOException {
        pieces.write();
    }

    /** Returns whether so many refcounts wait that they should be written. */
    boolean isFull() {
        return pieces.isFull();
    }

    // ---- blocks ----

    /** Returns the number of the block that holds the refcount of a cluster. */
    long blockOf(long cluster) {
        return cluster >>> blockBits;
    }

    /** Returns the first cluster whose refcount is in a block. */
    long firstOf(long block) {
        return block << blockBits;
    }

    /** Returns whether a block is there. */
    boolean hasBlock(long block) {
        return block < blocks.length && blocks[(int) block] != 0;
    }

    /** Returns how many blocks the table has room for. */
    int length() {
        return blocks.length;
    }

    /** Returns the number of blocks up to the last one that is there. */
    int usedLength() {
        int used = blocks.length;
        while (used > 0 && blocks[used - 1] == 0) {
            used--;
        }
        return used;
    }

    /**
     * Adds blocks where there are none, one behind the other at the beginning of what they describe: all of that is free.
     * Their own refcounts are in them, and they are durable before the table names them, so that no garbage is ever taken
     * for refcounts.
     */
    void addBlocks(int index, int count) throws IOException {
        long start = firstOf(index);
        metadata.claim(start, count, MetadataMap.Kind.REFCOUNT_BLOCK);
        try {
            writeBlocks(start, count, count);
            file.sync();
            ByteBuffer entries = ByteBuffer.allocate(count * Long.BYTES);
            for (int i = 0; i < count; i++) {
                entries.putLong((start + i) << clusterBits);
            }
            file.write(offset + (long) index * Long.BYTES, entries.flip());
        } catch (IOException e) {
            // the next attempt does the same again
            forget(start, count);
            throw e;
        }
        for (int i = 0; i < count; i++) {
            blocks[index + i] = (start + i) << clusterBits;
        }
    }

    private void forget(long cluster, long count) {
        for (long i = cluster; i < cluster + count; i++) {
            metadata.remove(i);
        }
    }

    /** Writes blocks one behind the other, of whose first clusters some are in use once. */
    private void writeBlocks(long start, int count, long inUse) throws IOException {
        for (int i = 0; i < count; i++) {
            long place = (start + i) << clusterBits;
            int own = (int) Math.max(0, Math.min(1L << blockBits, inUse - firstOf(i)));
            file.writeZeros(place, header.clusterSize());
            ByteBuffer raw = ByteBuffer.allocate(((own << order) + 7) >>> 3);
            for (int k = 0; k < own; k++) {
                Refcounts.put(raw, k, order, 1);
            }
            file.write(place, raw);
        }
    }

    // ---- the table ----

    /** Returns where the table lies. */
    long offset() {
        return offset;
    }

    /** Returns how many clusters the table takes. */
    int clusters() {
        return (int) (((long) blocks.length * Long.BYTES) >>> clusterBits);
    }

    /**
     * Makes a larger table. It and the blocks that describe it go where the old table could not reach, which is free.
     * Blocks and table are durable before the header names them. The clusters of the old table are left to the caller.
     */
    void grow(long neededBlock) throws IOException {
        long firstBlock = Math.max(neededBlock, blocks.length);
        long entries = firstBlock + firstBlock / 2 + 1;
        long entriesPerCluster = header.clusterSize() / Long.BYTES;
        long tableClusters = (entries + entriesPerCluster - 1) / entriesPerCluster;
        int newBlocks = 1;
        while (firstOf(newBlocks) < newBlocks + tableClusters) {
            newBlocks++;
        }
        if (tableClusters * header.clusterSize() > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            tableClusters = Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / header.clusterSize();
        }
        long[] larger = Arrays.copyOf(blocks, (int) (tableClusters * entriesPerCluster));
        if (firstBlock + newBlocks > larger.length) {
            throw tooLarge();
        }
        long start = firstOf(firstBlock);
        metadata.claim(start, newBlocks, MetadataMap.Kind.REFCOUNT_BLOCK);
        metadata.claim(start + newBlocks, tableClusters, MetadataMap.Kind.REFCOUNT_TABLE);
        long place = (start + newBlocks) << clusterBits;
        try {
            for (int i = 0; i < newBlocks; i++) {
                larger[(int) firstBlock + i] = (start + i) << clusterBits;
            }
            writeBlocks(start, newBlocks, newBlocks + tableClusters);
            writeTable(larger, place);
            file.sync();
        } catch (IOException e) {
            forget(start, newBlocks + tableClusters);
            throw e;
        }
        fields.refcountTable(place, (int) tableClusters);
        // the old table is free for others from here on
        file.sync();
        blocks = larger;
        offset = place;
    }

    private void writeTable(long[] entries, long place) throws IOException {
        ByteBuffer raw = DirectBuffers.allocate(entries.length * Long.BYTES);
        raw.asLongBuffer().put(entries);
        file.write(place, raw);
    }

    private BlockIOException tooLarge() {
        return new BlockIOException(
                BlockIOException.Kind.NO_SPACE,
                file.name() + ": the refcount table would grow beyond " + Qcow2Header.MAX_REFCOUNT_TABLE_BYTES
                        + " bytes; larger clusters would allow a larger file",
                null);
    }

    // ---- another table at once ----

    /** Begins a table that takes the place of the one in the file, with room for so many more refcounts. */
    void beginReplacement(long refcounts) throws BlockIOException {
        int perCluster = header.clusterSize() / Long.BYTES;
        long oldClusters = clusters();
        long used = usedLength();
        long needed = used + ((refcounts + used + oldClusters) >>> blockBits) + 2;
        long newClusters = Math.max(oldClusters, (needed + perCluster - 1) / perCluster);
        if (newClusters * header.clusterSize() > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES) {
            throw tooLarge();
        }
        stored = new Stored(blocks, offset);
        blocks = Arrays.copyOf(blocks, (int) newClusters * perCluster);
    }

    /** Says where the table that is prepared will lie. */
    void placeReplacement(long place) {
        offset = place;
    }

    /** Moves a block of the table that is prepared; returns where it was, 0 if it was not there. */
    long moveBlock(int index, long to) throws IOException {
        long old = blocks[index];
        blocks[index] = to;
        pieces.move(index, old, to);
        return old;
    }

    /** Puts the table that is prepared into the file, with its refcounts; the header does not name it yet. */
    void writeReplacement() throws IOException {
        write();
        writeTable(blocks, offset);
    }

    /** The header names the table that was prepared. */
    void finishReplacement() {
        stored = null;
    }

    /** Goes back to the table in the file. */
    void abandonReplacement() {
        Stored before = requireNonNull(stored);
        pieces.clear();
        blocks = before.blocks;
        offset = before.offset;
        stored = null;
    }
}
