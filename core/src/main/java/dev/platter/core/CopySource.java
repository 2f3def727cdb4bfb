package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
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
    private final ArrayDeque<Piece> ahead = new ArrayDeque<>();
    private final ArrayDeque<ByteBuffer> spare = new ArrayDeque<>();

    private int buffers;
    private int mostBuffers = 1;
    private final List<Thread> threads = new ArrayList<>();
    private @Nullable ExecutorService readers;
    private volatile boolean closed;

    /**
     * Begins.
     *
     * @param statedThreads number of threads that read, or 0 to choose by what is met
     * @param topOnly whether what the layers below hold is left out
     */
    CopySource(BlockDevice from, int chunkSize, int statedThreads, boolean topOnly) {
        this.from = from;
        this.chunkSize = Math.min(chunkSize, from.features().maximumTransfer());
        this.statedThreads = statedThreads;
        this.plan = new CopyPlan(from, this.chunkSize, topOnly);
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
        private @Nullable Future<?> reading;

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
                startReaders(Math.max(2, Math.min(4, Runtime.getRuntime().availableProcessors())));
            }
            Piece piece = plan.next();
            if (!piece.zero && !piece.leftOut) {
                ByteBuffer buffer = buffer().clear().limit((int) piece.length);
                piece.buffer = buffer;
                if (readers != null) {
                    piece.reading = readers.submit(() -> {
                        read(piece, buffer);
                        return null;
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
        Future<?> reading = piece.reading;
        if (reading == null) {
            read(piece, buffer);
        } else {
            await(reading);
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

    private void read(Piece piece, ByteBuffer into) throws IOException {
        if (closed) {
            throw new InterruptedIOException("the copy has ended");
        }
        from.read(piece.offset, into);
    }

    private static void await(Future<?> reading) throws IOException {
        try {
            reading.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            ClosedByInterruptException interrupted = new ClosedByInterruptException();
            interrupted.initCause(e);
            throw interrupted;
        } catch (ExecutionException e) {
            throw failure(e.getCause());
        }
    }

    /** What a reader threw, for the thread that copies. */
    private static IOException failure(@Nullable Throwable cause) {
        if (cause instanceof IOException thrown) {
            return thrown;
        }
        if (cause instanceof RuntimeException thrown) {
            throw thrown;
        }
        if (cause instanceof Error thrown) {
            throw thrown;
        }
        throw new IllegalStateException(cause);
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
        mostBuffers = 2 * count;
        readers = Executors.newFixedThreadPool(count, task -> {
            Thread thread = new Thread(task, "platter-copy");
            thread.setDaemon(true);
            threads.add(thread);
            return thread;
        });
    }

    /** Waits for the readers. They are not interrupted: that would close the channel they read from. */
    @Override
    public void close() {
        closed = true;
        ExecutorService running = readers;
        if (running == null) {
            return;
        }
        running.shutdown();
        boolean interrupted = false;
        // a pool that has terminated may still have threads that are on their way out
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
