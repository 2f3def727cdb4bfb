package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The refcounts as the image stores them: a table of offsets of blocks of counters. Source: qcow2.rst, "Host cluster
 * management". Not safe for several threads.
 */
final class Refcounts {
    /** Bits 9 to 63 of a table entry: where the block lies. */
    static final long OFFSET_MASK = -512L;

    /** Bits of a table entry that are reserved. */
    static final long RESERVED = 0x1ff;

    /** What is known of the refcounts of a cluster. */
    enum State {
        /** There is no block for it: its refcount is 0. */
        ABSENT,
        /** There is a block. */
        PRESENT,
        /** The offset of the block is nonsense. */
        UNREADABLE
    }

    private static final int PIECE_BITS = 16;
    private static final int RUN_BITS = 12;

    private final Qcow2Header header;
    private final HostFile file;
    private final long fileSize;
    private final long[] table;
    private final int order;
    private final int blockBits;
    private final int pieceBits;
    private final int runBits;

    private final ByteBuffer piece;
    private long loadedPiece = -1;
    private final ByteBuffer single = ByteBuffer.allocateDirect(Long.BYTES);

    private Refcounts(Qcow2Header header, HostFile file, long fileSize, long[] table) {
        this.header = header;
        this.file = file;
        this.fileSize = fileSize;
        this.table = table;
        this.order = header.refcountOrder();
        this.blockBits = header.clusterBits() + 3 - order;
        this.pieceBits = Math.min(blockBits, PIECE_BITS + 3 - order);
        this.runBits = Math.min(blockBits, RUN_BITS);
        this.piece = DirectBuffers.allocate(Math.min(header.clusterSize(), 1 << PIECE_BITS));
    }

    /**
     * Reads the table; one without clusters is empty, and all refcounts are 0. What of it lies beyond the end of the file is zeros, as qemu reads it.
     *
     * @throws CorruptImageException if the header gives it a size that the format does not allow
     */
    static Refcounts read(Qcow2Header header, HostFile file, long fileSize) throws IOException {
        long clusters = header.refcountTableClusters();
        if (clusters > Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / header.clusterSize()) {
            throw new CorruptImageException(file.name() + ": header at 56: the refcount table is said to have "
                    + clusters
                    + " clusters, allowed are up to " + Qcow2Header.MAX_REFCOUNT_TABLE_BYTES / header.clusterSize()
                    + "; the image cannot be checked");
        }
        long[] table = new long[(int) (clusters * header.clusterSize() / Long.BYTES)];
        ByteBuffer raw = DirectBuffers.allocate(1 << PIECE_BITS);
        long offset = header.refcountTableOffset();
        for (int at = 0; at < table.length && offset < fileSize; at += raw.capacity() / Long.BYTES) {
            raw.clear().limit(Math.min(raw.capacity(), (table.length - at) * Long.BYTES));
            file.readPadded(offset, raw);
            raw.flip();
            offset += raw.limit();
            raw.asLongBuffer().get(table, at, raw.limit() / Long.BYTES);
        }
        return new Refcounts(header, file, fileSize, table);
    }

    /** Returns the entries of the table. */
    int tableSize() {
        return table.length;
    }

    /** Returns an entry of the table as stored. */
    long tableEntry(int index) {
        return table[index];
    }

    /** Returns the largest refcount that can be stored; -1 stands for 2^64-1. */
    long max() {
        return order == 6 ? -1 : (1L << (1 << order)) - 1;
    }

    /** Returns how many clusters from {@code cluster} on can be asked for together. */
    int runLength(long cluster) {
        return (1 << runBits) - ((int) cluster & ((1 << runBits) - 1));
    }

    /** Returns whether some cluster of a range has a block. */
    boolean hasBlocks(long first, long end) {
        for (long i = first >>> blockBits; i <= (end - 1) >>> blockBits && i < table.length; i++) {
            if ((table[(int) i] & OFFSET_MASK) != 0) {
                return true;
            }
        }
        return false;
    }

    /** Returns what is known of a cluster and of those in its {@linkplain #runLength run}. */
    State state(long cluster) {
        long index = cluster >>> blockBits;
        long offset = index < table.length ? table[(int) index] & OFFSET_MASK : 0;
        if (offset == 0) {
            return State.ABSENT;
        }
        return offset < 0 || (offset & (header.clusterSize() - 1)) != 0 ? State.UNREADABLE : State.PRESENT;
    }

    /**
     * Reads the refcounts of clusters whose block is present.
     *
     * @param count at most {@link #runLength}
     */
    void read(long cluster, int count, long[] into) throws IOException {
        load(cluster >>> pieceBits);
        int at = (int) cluster & ((1 << pieceBits) - 1);
        switch (order) {
            case 3 -> {
                for (int i = 0; i < count; i++) {
                    into[i] = piece.get(at + i) & 0xff;
                }
            }
            case 4 -> {
                for (int i = 0; i < count; i++) {
                    into[i] = piece.getShort((at + i) << 1) & 0xffff;
                }
            }
            case 5 -> {
                for (int i = 0; i < count; i++) {
                    into[i] = piece.getInt((at + i) << 2) & 0xffff_ffffL;
                }
            }
            case 6 -> {
                for (int i = 0; i < count; i++) {
                    into[i] = piece.getLong((at + i) << 3);
                }
            }
            default -> {
                for (int i = 0; i < count; i++) {
                    into[i] = lowBits(piece.get((at + i) << order >>> 3), at + i);
                }
            }
        }
    }

    /** Returns the refcount of one cluster whose block is not unreadable. */
    long of(long cluster) throws IOException {
        if (state(cluster) == State.ABSENT) {
            return 0;
        }
        long index = cluster & ((1L << blockBits) - 1);
        long offset = (table[(int) (cluster >>> blockBits)] & OFFSET_MASK) + (index << order >>> 3);
        if (offset >= fileSize) {
            return 0;
        }
        single.clear().limit(Math.max(1, 1 << order >>> 3));
        file.readPadded(offset, single);
        return switch (order) {
            case 3 -> single.get(0) & 0xff;
            case 4 -> single.getShort(0) & 0xffff;
            case 5 -> single.getInt(0) & 0xffff_ffffL;
            case 6 -> single.getLong(0);
            default -> lowBits(single.get(0), (int) index);
        };
    }

    /** Widths below a byte: the entry with the lowest index is in the lowest bits. */
    private int lowBits(byte packed, int index) {
        int width = 1 << order;
        return (packed & 0xff) >>> ((index << order) & 7) & ((1 << width) - 1);
    }

    /** Returns the refcount with an index in a part of a block; -1 stands for 2^64-1. */
    static long get(ByteBuffer part, int index, int order) {
        return switch (order) {
            case 3 -> part.get(index) & 0xff;
            case 4 -> part.getShort(index << 1) & 0xffff;
            case 5 -> part.getInt(index << 2) & 0xffff_ffffL;
            case 6 -> part.getLong(index << 3);
            default -> (part.get(index << order >>> 3) & 0xff) >>> ((index << order) & 7) & ((1 << (1 << order)) - 1);
        };
    }

    /** Puts the refcount with an index into a part of a block. */
    static void put(ByteBuffer part, int index, int order, long value) {
        switch (order) {
            case 3 -> part.put(index, (byte) value);
            case 4 -> part.putShort(index << 1, (short) value);
            case 5 -> part.putInt(index << 2, (int) value);
            case 6 -> part.putLong(index << 3, value);
            default -> {
                int at = index << order >>> 3;
                int shift = (index << order) & 7;
                int mask = ((1 << (1 << order)) - 1) << shift;
                part.put(at, (byte) ((part.get(at) & ~mask) | (value << shift & mask)));
            }
        }
    }

    private void load(long number) throws IOException {
        if (number == loadedPiece) {
            return;
        }
        loadedPiece = -1;
        long block = table[(int) (number >>> (blockBits - pieceBits))] & OFFSET_MASK;
        long inBlock = (number & ((1L << (blockBits - pieceBits)) - 1)) * piece.capacity();
        piece.clear();
        if (block < fileSize) {
            file.readPadded(block + inBlock, piece);
        } else {
            HostFile.fillZeros(piece, piece.capacity());
        }
        loadedPiece = number;
    }
}
