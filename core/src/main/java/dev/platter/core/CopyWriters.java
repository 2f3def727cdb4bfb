package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/**
 * Threads that write for a {@link Copier}, or prepare what is then written in order. A few pieces are under way at a time;
 * they are finished in order, by the thread that copies.
 */
final class CopyWriters implements Closeable {
    private static final PreparingDevice.Prepared NOTHING_LEFT = () -> {};

    private final CopySink sink;
    private final CopySource source;
    private final boolean inOrder;
    private final Finished finished;
    private final int most;
    private final CopyThreads threads;
    private final ArrayDeque<Write> underWay = new ArrayDeque<>();

    /** Called for each piece when it is written. */
    interface Finished {
        void upTo(long end);
    }

    /** A piece that is being written; without work, one that there is nothing to do for. */
    private record Write(
            long end,
            CopySource.@Nullable Piece piece,
            @Nullable Future<PreparingDevice.Prepared> work) {}

    CopyWriters(CopySink sink, CopySource source, int count, boolean inOrder, Finished finished) {
        this.sink = sink;
        this.source = source;
        this.inOrder = inOrder;
        this.finished = finished;
        this.most = underWay(count);
        this.threads = new CopyThreads(count);
    }

    /** Returns how many pieces so many writers have under way: one each, and one that waits for it. */
    static int underWay(int count) {
        return 2 * count;
    }

    void data(CopySource.Piece piece, ByteBuffer bytes) throws IOException {
        add(piece.end(), piece, () -> {
            if (inOrder) {
                return sink.prepare(piece.offset(), bytes);
            }
            sink.data(piece.offset(), bytes);
            return NOTHING_LEFT;
        });
    }

    void leaveOut(long end) throws IOException {
        add(end, null, null);
    }

    void zeros(long offset, long length) throws IOException {
        if (sink.zeroStep() == Long.MAX_VALUE) {
            leaveOut(offset + length);
            return;
        }
        add(offset + length, null, () -> {
            if (inOrder) {
                return () -> sink.zeros(offset, length);
            }
            sink.zeros(offset, length);
            return NOTHING_LEFT;
        });
    }

    private void add(long end, CopySource.@Nullable Piece piece, @Nullable Callable<PreparingDevice.Prepared> work)
            throws IOException {
        Write oldest = underWay.peek();
        while (oldest != null && (underWay.size() >= most || oldest.work == null || oldest.work.isDone())) {
            finishOldest();
            oldest = underWay.peek();
        }
        underWay.add(new Write(end, piece, work == null ? null : threads.submit(work)));
    }

    /** Waits until all is written. */
    void finish() throws IOException {
        while (!underWay.isEmpty()) {
            finishOldest();
        }
    }

    private void finishOldest() throws IOException {
        Write oldest = underWay.remove();
        if (oldest.work != null) {
            CopyThreads.await(oldest.work).write();
        }
        if (oldest.piece != null) {
            source.release(oldest.piece);
        }
        finished.upTo(oldest.end);
    }

    @Override
    public void close() {
        threads.close();
    }
}
