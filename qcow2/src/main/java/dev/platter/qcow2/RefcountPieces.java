package dev.platter.qcow2;

import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Iterator;
import java.util.Map;
import java.util.TreeMap;

/**
 * Parts of refcount blocks in memory, with what was changed and is not in the file yet. Guarded by whoever changes the
 * image. Source: qcow2.rst, "Host cluster management".
 */
final class RefcountPieces {
    private static final int PIECE_BYTES = 64 << 10;
    private static final int KEPT = 64;

    private final HostFile file;
    private final int order;
    private final int blockBits;
    private final int pieceBits;
    private final Map<Long, Piece> pieces = new HashMap<>();

    /** A part of a block, and where it lies in the file. */
    private static final class Piece {
        final ByteBuffer raw;
        final long offset;
        boolean dirty;

        Piece(ByteBuffer raw, long offset) {
            this.raw = raw;
            this.offset = offset;
        }
    }

    RefcountPieces(Qcow2Header header, HostFile file) {
        this.file = file;
        this.order = header.refcountOrder();
        this.blockBits = header.clusterBits() + 3 - order;
        this.pieceBits = Math.min(blockBits, Integer.numberOfTrailingZeros(PIECE_BYTES) + 3 - order);
    }

    /**
     * Returns a refcount.
     *
     * @param block where the block lies that holds it
     * @param mayWrite whether changed pieces may be written to make room
     */
    long get(long cluster, long block, boolean mayWrite) throws IOException {
        return Refcounts.get(piece(cluster, block, mayWrite).raw, inPiece(cluster), order);
    }

    /** Changes a refcount; see {@link #get}. */
    void put(long cluster, long block, long value, boolean mayWrite) throws IOException {
        Piece piece = piece(cluster, block, mayWrite);
        Refcounts.put(piece.raw, inPiece(cluster), order, value);
        piece.dirty = true;
    }

    /** Returns whether a cluster from {@code first} to before {@code end}, all of one block, has a refcount but 0. */
    boolean isUsed(long first, long end, long block, boolean mayWrite) throws IOException {
        for (long at = first; at < end; ) {
            // whole bytes are compared together
            if ((at << order & 7) != 0) {
                if (get(at++, block, mayWrite) != 0) {
                    return true;
                }
                continue;
            }
            ByteBuffer raw = piece(at, block, mayWrite).raw.duplicate().clear();
            raw.position((int) ((long) inPiece(at) << order >>> 3));
            if (raw.mismatch(HostFile.ZEROS.duplicate().limit(raw.remaining())) >= 0) {
                return true;
            }
            at = ((at >>> pieceBits) + 1) << pieceBits;
        }
        return false;
    }

    /** Gives a block another place, to which all of it is to be written. */
    void move(int index, long from, long to) throws IOException {
        long first = (long) index << (blockBits - pieceBits);
        for (long i = first; i < first + (1L << (blockBits - pieceBits)); i++) {
            pieces.remove(i);
            makeRoom(true);
            long inBlock = (i - first) << (pieceBits + order) >>> 3;
            Piece piece = new Piece(newBuffer(), to + inBlock);
            if (from != 0) {
                file.readPadded(from + inBlock, piece.raw);
                piece.raw.clear();
            }
            piece.dirty = true;
            pieces.put(i, piece);
        }
    }

    /** Returns whether refcounts are not in the file yet. */
    boolean isDirty() {
        for (Piece piece : pieces.values()) {
            if (piece.dirty) {
                return true;
            }
        }
        return false;
    }

    /** Returns whether so many refcounts wait that they should be written. */
    boolean isFull() {
        return pieces.size() >= KEPT && pieces.values().stream().allMatch(piece -> piece.dirty);
    }

    /** Writes what is not in the file yet; making it durable is left to the caller. */
    void write() throws IOException {
        Map<Long, Piece> dirty = new TreeMap<>();
        pieces.forEach((number, piece) -> {
            if (piece.dirty) {
                dirty.put(number, piece);
            }
        });
        for (Piece piece : dirty.values()) {
            file.write(piece.offset, piece.raw.duplicate().clear());
            piece.dirty = false;
        }
    }

    /** Forgets what was changed. */
    void clear() {
        pieces.clear();
    }

    private Piece piece(long cluster, long block, boolean mayWrite) throws IOException {
        long number = cluster >>> pieceBits;
        Piece piece = pieces.get(number);
        if (piece == null) {
            makeRoom(mayWrite);
            long inBlock = number & ((1L << (blockBits - pieceBits)) - 1);
            piece = new Piece(newBuffer(), block + (inBlock << (pieceBits + order) >>> 3));
            file.readPadded(piece.offset, piece.raw);
            piece.raw.clear();
            pieces.put(number, piece);
        }
        return piece;
    }

    private ByteBuffer newBuffer() {
        return DirectBuffers.allocate(1 << (pieceBits + order) >>> 3);
    }

    private int inPiece(long cluster) {
        return (int) cluster & ((1 << pieceBits) - 1);
    }

    private void makeRoom(boolean mayWrite) throws IOException {
        if (pieces.size() < KEPT) {
            return;
        }
        if (mayWrite) {
            // they go where nothing in the file leads yet
            write();
        }
        for (Iterator<Piece> i = pieces.values().iterator(); i.hasNext() && pieces.size() >= KEPT; ) {
            if (!i.next().dirty) {
                i.remove();
            }
        }
    }
}
