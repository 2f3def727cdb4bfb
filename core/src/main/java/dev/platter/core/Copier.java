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
 * several threads and written in order; plain data are read by the thread that calls.
 *
 * <p>Memory is bounded: {@code 2 * threads * chunkSize} bytes outside the heap, or one chunk while only plain data have
 * been met. Whatever happens, no thread of the copy is left when {@code to} returns. The options are not safe for use by
 * several threads.
 */
public final class Copier {
    private static final int MOST_THREADS = 64;

    private final BlockDevice from;
    private int chunkSize = 2 << 20;
    private int threads;
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
        if (count < 1 || count > MOST_THREADS) {
            throw new IllegalArgumentException("count: " + count + " is not from 1 to " + MOST_THREADS);
        }
        threads = count;
        return this;
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
     * @param bytes a multiple of 512 from 512 to 16 MiB
     */
    public Copier zeroBlock(int bytes) {
        if (bytes < 512 || bytes > 16 << 20 || bytes % 512 != 0) {
            throw new IllegalArgumentException("bytes: " + bytes + " is no multiple of 512 up to 16 MiB");
        }
        zeroBlock = bytes;
        return this;
    }

    /**
     * Sets whether only what the topmost image of the source holds itself is copied, because the target shows what lies
     * below already; false if not set.
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
        run(new DeviceSink(target, sparse, targetIsZeroed, zeroBlock));
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
        run(new ChannelSink(target));
    }

    private void run(CopySink sink) throws IOException {
        try (CopySource source = new CopySource(from, chunkSize, threads, topOnly)) {
            long total = from.size();
            report(0, total);
            for (CopySource.Piece piece = source.next(); piece != null; piece = source.next()) {
                if (piece.isLeftOut()) {
                    report(piece.end(), total);
                } else if (piece.isZero()) {
                    copyZeros(sink, piece, total);
                } else {
                    sink.data(piece.offset(), source.bytesOf(piece));
                    source.release(piece);
                    report(piece.end(), total);
                }
            }
        }
    }

    /** Cut into steps, so that the listener is asked now and then. */
    private void copyZeros(CopySink sink, CopySource.Piece piece, long total) throws IOException {
        for (long at = piece.offset(); at < piece.end(); ) {
            long step = Math.min(sink.zeroStep(), piece.end() - at);
            sink.zeros(at, step);
            at += step;
            report(at, total);
        }
    }

    private void report(long done, long total) {
        if (!progress.copied(done, total)) {
            throw new CancellationException(from.description() + ": the copy was stopped at " + done);
        }
    }

    /** Writes bytes to a device, zeros by the means that it has. */
    private static final class DeviceSink implements CopySink {
        private static final ByteBuffer ZEROS =
                ByteBuffer.allocateDirect(64 * 1024).asReadOnlyBuffer();

        private final BlockDevice target;
        private final boolean sparse;
        private final boolean zeroed;
        private final int block;

        DeviceSink(BlockDevice target, boolean sparse, boolean zeroed, int block) {
            this.target = target;
            this.sparse = sparse;
            this.zeroed = zeroed;
            this.block = block;
        }

        @Override
        public long zeroStep() {
            return sparse && zeroed ? Long.MAX_VALUE : sparse ? 1L << 30 : ZEROS.capacity();
        }

        @Override
        public void zeros(long offset, long length) throws IOException {
            if (!sparse) {
                target.write(offset, ZEROS.slice(0, (int) length), Durability.NONE);
            } else if (!zeroed) {
                target.writeZeroes(offset, length, ZeroMode.MAY_UNMAP, Durability.NONE);
            }
        }

        @Override
        public void data(long offset, ByteBuffer bytes) throws IOException {
            int end = bytes.limit();
            while (bytes.hasRemaining()) {
                int start = bytes.position();
                int stop = blockEnd(offset, start, end);
                boolean zero = sparse && isZero(bytes, start, stop);
                while (stop < end) {
                    int next = blockEnd(offset + (stop - start), stop, end);
                    if (sparse && isZero(bytes, stop, next) != zero) {
                        break;
                    }
                    stop = next;
                }
                if (zero) {
                    zeros(offset, stop - start);
                    bytes.position(stop);
                } else {
                    target.write(offset, bytes.limit(stop), Durability.NONE);
                    bytes.limit(end);
                }
                offset += stop - start;
            }
        }

        private int blockEnd(long offset, int start, int end) {
            return (int) Math.min(end, start + (block - offset % block));
        }

        private static boolean isZero(ByteBuffer bytes, int start, int end) {
            for (int at = start; at < end; at += ZEROS.capacity()) {
                int length = Math.min(ZEROS.capacity(), end - at);
                if (bytes.slice(at, length).mismatch(ZEROS.slice(0, length)) >= 0) {
                    return false;
                }
            }
            return true;
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
