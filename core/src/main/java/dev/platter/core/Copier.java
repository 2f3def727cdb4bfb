package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.CancellationException;

/**
 * Copies a device to another device or to a channel:
 *
 * <pre>{@code
 * Copier.of(image).targetIsZeroed(true).to(target);
 * }</pre>
 *
 * <p>Zeros are not copied byte by byte: ranges that are known to read as zeros are not read, and blocks of 64 KiB that
 * turn out to be zero are treated the same. What costs more than copying (decompression, decryption) is read ahead by
 * several threads and written in order; plain data are read by the thread that calls. A target that says that its {@linkplain
 * Features#slowWrites writes are slow} is written by several threads too, in whole blocks of the size that it prefers.
 *
 * <p>Memory is bounded: {@code 2 * threads * chunkSize} bytes outside the heap, or one chunk while only plain data have
 * been met; with several writers, {@code 4 * writers * chunkSize} more. Whatever happens, no thread of the copy is left when {@code to} returns. The options are not safe for use by
 * several threads.
 */
public final class Copier {
    private static final int MOST_THREADS = 64;
    private static final int MOST_UNIT = 64 << 20;

    private final BlockDevice from;
    private int chunkSize = 2 << 20;
    private int threads;
    private int writers;
    private boolean inOrder = true;
    private boolean sparse = true;
    private boolean targetIsZeroed;
    private boolean topOnly;
    private int zeroBlock = 64 << 10;
    private Progress progress = (done, total) -> true;

    private Copier(BlockDevice from) {
        this.from = from;
    }

    /** Watches a copy and can stop it. Called by the thread that copies. */
    @FunctionalInterface
    public interface Progress {
        /**
         * Takes the progress.
         *
         * @param done bytes that are copied, from 0 to {@code total}
         * @param total bytes of the source
         * @return whether to go on
         */
        boolean copied(long done, long total);
    }

    /** Returns a copier of all bytes of {@code from}, which stays open. */
    public static Copier of(BlockDevice from) {
        return new Copier(from);
    }

    /**
     * Sets the size of one read; 2 MiB if not set.
     *
     * @param bytes a power of two from 4 KiB to 64 MiB
     */
    public Copier chunkSize(int bytes) {
        if (bytes < 4096 || bytes > 64 << 20 || Integer.bitCount(bytes) != 1) {
            throw new IllegalArgumentException("bytes: " + bytes + " is no power of two from 4 KiB to 64 MiB");
        }
        chunkSize = bytes;
        return this;
    }

    /**
     * Sets how many threads read. If not set, the thread that calls reads alone until it meets compressed or encrypted
     * data; from there on there are two to four, as the computer has processors.
     *
     * @param count 1 to 64; with 1, no thread is ever started
     */
    public Copier threads(int count) {
        threads = requireThreads(count);
        return this;
    }

    /**
     * Sets how many threads write to a device. If not set, there are two to four, as the computer has processors, where the
     * target says that its writes are slow; else the thread that calls writes alone.
     *
     * @param count 1 to 64; with 1, no thread is ever started for writing
     */
    public Copier writers(int count) {
        writers = requireThreads(count);
        return this;
    }

    /**
     * Sets whether several writers write in ascending order (so if not set), or each as soon as it can. In order, they do no
     * more than what a {@link PreparingDevice} can prepare.
     */
    public Copier inOrder(boolean ascending) {
        inOrder = ascending;
        return this;
    }

    private static int requireThreads(int count) {
        if (count < 1 || count > MOST_THREADS) {
            throw new IllegalArgumentException("count: " + count + " is not from 1 to " + MOST_THREADS);
        }
        return count;
    }

    /** Returns how many threads to use for what costs more than copying. */
    static int defaultThreads() {
        return Math.max(2, Math.min(4, Runtime.getRuntime().availableProcessors()));
    }

    /** Sets whether zeros may be left out or made by {@link BlockDevice#writeZeroes} (so if not set), or are written. */
    public Copier sparse(boolean leaveOutZeros) {
        sparse = leaveOutZeros;
        return this;
    }

    /** Sets whether the target is known to read as zeros, so that zeros need not be written; false if not set. */
    public Copier targetIsZeroed(boolean zeroed) {
        targetIsZeroed = zeroed;
        return this;
    }

    /**
     * Sets the size of the aligned blocks that are looked at for zeros; 64 KiB if not set.
     *
     * @param bytes a multiple of 512 up to 16 MiB; with 0, what is read is written, and only ranges that are known to read as
     *     zeros are treated as such
     */
    public Copier zeroBlock(int bytes) {
        if (bytes < 0 || bytes > 16 << 20 || bytes % 512 != 0) {
            throw new IllegalArgumentException("bytes: " + bytes + " is no multiple of 512 up to 16 MiB");
        }
        zeroBlock = bytes;
        return this;
    }

    /**
     * Sets whether only what the topmost image of the source holds itself is copied, because the target shows what lies
     * below already; false if not set. For devices only.
     */
    public Copier topOnly(boolean only) {
        topOnly = only;
        return this;
    }

    /** Sets what watches the copy. */
    public Copier onProgress(Progress listener) {
        progress = listener;
        return this;
    }

    /**
     * Copies to the beginning of a device, and flushes it. What it has beyond the size of the source is left as it is.
     *
     * @throws IllegalArgumentException if {@code target} is smaller than the source; nothing was written
     * @throws CancellationException if the listener asked to stop; part of the target is written
     * @throws java.nio.channels.ClosedByInterruptException if the thread is interrupted; its flag stays set
     * @throws IOException if a read or write fails; part of the target is written
     */
    public void to(BlockDevice target) throws IOException {
        if (target.size() < from.size()) {
            throw new IllegalArgumentException(
                    "target: has " + target.size() + " bytes, the source has " + from.size());
        }
        Features features = target.features();
        int preferred = features.preferredTransfer();
        boolean inUnits = features.slowWrites() && preferred <= MOST_UNIT && Integer.bitCount(preferred) == 1;
        int unit = inUnits ? preferred : 1;
        int count = writers > 0 ? writers : features.slowWrites() ? defaultThreads() : 1;
        run(
                new DeviceSink(target, sparse, targetIsZeroed, unit == 1 || zeroBlock == 0 ? zeroBlock : unit),
                unit,
                count);
        target.flush();
    }

    /**
     * Writes all bytes to a channel, in order, zeros included.
     *
     * @param target a channel that blocks until it has taken all that is written
     * @throws CancellationException if the listener asked to stop
     * @throws java.nio.channels.ClosedByInterruptException if the thread is interrupted; its flag stays set
     * @throws IOException if a read or write fails
     */
    public void to(WritableByteChannel target) throws IOException {
        if (topOnly) {
            throw new IllegalStateException("topOnly: a channel shows nothing below");
        }
        run(new ChannelSink(target), 1, 1);
    }

    private void run(CopySink sink, int unit, int count) throws IOException {
        int lent = count == 1 ? 0 : CopyWriters.underWay(count);
        try (CopySource source = new CopySource(from, chunkSize, unit, threads, lent, topOnly)) {
            report(0);
            if (count == 1) {
                copyAlone(source, sink);
                return;
            }
            try (CopyWriters several = new CopyWriters(sink, source, count, inOrder, this::report)) {
                copyBySeveral(source, sink, several);
            }
        }
    }

    private void copyAlone(CopySource source, CopySink sink) throws IOException {
        for (CopySource.Piece piece = source.next(); piece != null; piece = source.next()) {
            if (piece.isLeftOut()) {
                report(piece.end());
            } else if (piece.isZero()) {
                // cut into steps, so that the listener is asked now and then
                for (long at = piece.offset(); at < piece.end(); ) {
                    long step = Math.min(sink.zeroStep(), piece.end() - at);
                    sink.zeros(at, step);
                    at += step;
                    report(at);
                }
            } else {
                sink.data(piece.offset(), source.bytesOf(piece));
                source.release(piece);
                report(piece.end());
            }
        }
    }

    private static void copyBySeveral(CopySource source, CopySink sink, CopyWriters several) throws IOException {
        for (CopySource.Piece piece = source.next(); piece != null; piece = source.next()) {
            if (piece.isLeftOut()) {
                several.leaveOut(piece.end());
            } else if (piece.isZero()) {
                for (long at = piece.offset(); at < piece.end(); ) {
                    long step = Math.min(sink.zeroStep(), piece.end() - at);
                    several.zeros(at, step);
                    at += step;
                }
            } else {
                several.data(piece, source.bytesOf(piece));
            }
        }
        several.finish();
    }

    private void report(long done) {
        if (!progress.copied(done, from.size())) {
            throw new CancellationException(from.description() + ": the copy was stopped at " + done);
        }
    }

    /** Writes bytes to a channel, which has no holes. */
    private static final class ChannelSink implements CopySink {
        private static final ByteBuffer ZEROS =
                ByteBuffer.allocateDirect(256 * 1024).asReadOnlyBuffer();

        private final WritableByteChannel target;

        ChannelSink(WritableByteChannel target) {
            this.target = target;
        }

        @Override
        public long zeroStep() {
            return ZEROS.capacity();
        }

        @Override
        public void zeros(long offset, long length) throws IOException {
            data(offset, ZEROS.slice(0, (int) length));
        }

        @Override
        public void data(long offset, ByteBuffer bytes) throws IOException {
            while (bytes.hasRemaining()) {
                if (target.write(bytes) == 0) {
                    throw new BlockIOException(
                            BlockIOException.Kind.NOT_SUPPORTED,
                            "the target of the copy took no bytes at " + offset + ": it does not block",
                            null);
                }
            }
        }
    }
}
