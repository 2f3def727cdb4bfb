package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Writes what a {@link Copier} reads to a device, zeros by the means that it has. Safe for many threads. */
final class DeviceSink implements CopySink {
    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(64 * 1024).asReadOnlyBuffer();

    private final BlockDevice target;
    private final boolean sparse;
    private final boolean zeroed;
    private final int block;

    /** @param block bytes that are looked at for zeros together; 0 to look at none */
    DeviceSink(BlockDevice target, boolean sparse, boolean zeroed, int block) {
        this.target = target;
        this.sparse = sparse;
        this.zeroed = zeroed;
        this.block = block;
    }

    private interface RunVisitor {
        void run(long offset, ByteBuffer bytes, boolean zero) throws IOException;
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
        eachRun(offset, bytes, (at, run, zero) -> {
            if (zero) {
                zeros(at, run.remaining());
            } else {
                target.write(at, run, Durability.NONE);
            }
        });
    }

    @Override
    public PreparingDevice.Prepared prepare(long offset, ByteBuffer bytes) throws IOException {
        if (!(target instanceof PreparingDevice preparing)) {
            return () -> data(offset, bytes);
        }
        List<PreparingDevice.Prepared> steps = new ArrayList<>();
        eachRun(
                offset,
                bytes,
                (at, run, zero) -> steps.add(zero ? () -> zeros(at, run.remaining()) : preparing.prepare(at, run)));
        return () -> {
            for (PreparingDevice.Prepared step : steps) {
                step.write();
            }
        };
    }

    /** Visits runs of blocks that are zero, or are not. */
    private void eachRun(long offset, ByteBuffer bytes, RunVisitor visitor) throws IOException {
        int first = bytes.position();
        int end = bytes.limit();
        if (block == 0) {
            visitor.run(offset, bytes, false);
            return;
        }
        for (int start = first; start < end; ) {
            long at = offset + (start - first);
            int stop = blockEnd(at, start, end);
            boolean zero = sparse && isZero(bytes, start, stop);
            while (stop < end) {
                int next = blockEnd(at + (stop - start), stop, end);
                if (sparse && isZero(bytes, stop, next) != zero) {
                    break;
                }
                stop = next;
            }
            visitor.run(at, bytes.slice(start, stop - start), zero);
            start = stop;
        }
    }

    private int blockEnd(long offset, int start, int end) {
        return (int) Math.min(end, start + (block - offset % block));
    }

    private static boolean isZero(ByteBuffer bytes, int start, int end) {
        if (start < end && bytes.get(start) != 0) {
            return false;
        }
        for (int at = start; at < end; at += ZEROS.capacity()) {
            int length = Math.min(ZEROS.capacity(), end - at);
            if (bytes.slice(at, length).mismatch(ZEROS.slice(0, length)) >= 0) {
                return false;
            }
        }
        return true;
    }
}
