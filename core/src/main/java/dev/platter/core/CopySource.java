package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a device for a {@link Copier}, piece by piece in ascending order, read ahead by several threads where that
 * pays. Used by one thread; the readers are its own.
 */
final class CopySource implements Closeable {
    private static final int SLOW = Extent.COMPRESSED | Extent.ENCRYPTED;

    private final BlockDevice from;
    private final CopyPlan plan;
    private final int chunkSize;
    private final int statedThreads;
    private final int lent;
    private final ArrayDeque<Piece> ahead = new ArrayDeque<>();
    private final ArrayDeque<ByteBuffer> spare = new ArrayDeque<>();

    private int buffers;
    private int mostBuffers;
    private @Nullable CopyThreads readers;

    /**
     * Makes a source.
     *
     * @param unit what {@link CopyPlan} cuts at
     * @param statedThreads number of threads that read, or 0 to choose by what is met
     * @param lent how many pieces are not released before the next is asked for
     * @param topOnly whether what the layers below hold is left out
     */
    CopySource(BlockDevice from, int chunkSize, int unit, int statedThreads, int lent, boolean topOnly) {
        this.from = from;
        this.chunkSize = Math.min(Math.max(chunkSize, unit), from.features().maximumTransfer());
        this.statedThreads = statedThreads;
        this.lent = lent;
        this.mostBuffers = 1 + lent;
        this.plan = new CopyPlan(from, this.chunkSize, unit, topOnly);
        if (statedThreads > 1) {
            startReaders(statedThreads);
        }
    }

    /** A range to be copied. */
    static final class Piece {
        private final long offset;
        private final long length;
        private final boolean zero;
        private final boolean leftOut;
        private @Nullable ByteBuffer buffer;
        private @Nullable Future<ByteBuffer> reading;

        Piece(long offset, long length, boolean zero, boolean leftOut) {
            this.offset = offset;
            this.length = length;
            this.zero = zero;
            this.leftOut = leftOut;
        }

        long offset() {
            return offset;
        }

        long end() {
            return offset + length;
        }

        boolean isZero() {
            return zero;
        }

        boolean isLeftOut() {
            return leftOut;
        }
    }

    /** Returns the next piece, or null at the end. */
    @Nullable
    Piece next() throws IOException {
        while (plan.hasNext() && ahead.size() < 2 * mostBuffers && (!plan.isData() || hasRoom())) {
            if ((plan.facts() & SLOW) != 0 && readers == null && statedThreads == 0) {
                startReaders(Copier.defaultThreads());
            }
            Piece piece = plan.next();
            if (!piece.zero && !piece.leftOut) {
                ByteBuffer buffer = buffer().clear().limit((int) piece.length);
                piece.buffer = buffer;
                if (readers != null) {
                    piece.reading = readers.submit(() -> {
                        from.read(piece.offset, buffer);
                        return buffer;
                    });
                }
            }
            ahead.add(piece);
        }
        return ahead.poll();
    }

    private boolean hasRoom() {
        return !spare.isEmpty() || buffers < mostBuffers;
    }

    /** Returns the bytes of a piece of data, waiting for them where they are still being read. */
    ByteBuffer bytesOf(Piece piece) throws IOException {
        ByteBuffer buffer = piece.buffer;
        if (buffer == null) {
            throw new IllegalStateException("the piece at " + piece.offset + " has no bytes");
        }
        Future<ByteBuffer> reading = piece.reading;
        if (reading == null) {
            from.read(piece.offset, buffer);
        } else {
            CopyThreads.await(reading);
        }
        return buffer.flip();
    }

    /** Gives the bytes of a piece back. */
    void release(Piece piece) {
        if (piece.buffer != null) {
            spare.push(piece.buffer);
            piece.buffer = null;
        }
    }

    private ByteBuffer buffer() {
        ByteBuffer buffer = spare.poll();
        if (buffer != null) {
            return buffer;
        }
        buffers++;
        return DirectBuffers.allocate((int) Math.min(chunkSize, Math.max(1, from.size())));
    }

    private void startReaders(int count) {
        mostBuffers = 2 * count + lent;
        readers = new CopyThreads(count);
    }

    @Override
    public void close() {
        if (readers != null) {
            readers.close();
        }
    }
}
