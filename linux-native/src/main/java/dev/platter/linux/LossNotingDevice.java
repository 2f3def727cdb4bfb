package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReference;

/**
 * A device that is served to the kernel, and remembers that a write failed: the kernel writes when it likes, and whoever wrote
 * may be told nothing, or only by a later call that he does not make. Safe for many threads.
 */
final class LossNotingDevice extends ForwardingDevice {
    private final AtomicReference<IOException> first = new AtomicReference<>();

    LossNotingDevice(BlockDevice device) {
        super(device);
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        try {
            super.write(offset, from, durability);
        } catch (IOException e) {
            first.compareAndSet(null, e);
            throw e;
        }
    }

    /** Whoever wants zeros, or gives space back, waits for the answer, and has other ways; only a failed flush is a loss. */
    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        super.writeZeroes(offset, length, mode, Durability.NONE);
        if (durability == Durability.FUA) {
            flush();
        }
    }

    @Override
    public void flush() throws IOException {
        try {
            super.flush();
        } catch (IOException e) {
            first.compareAndSet(null, e);
            throw e;
        }
    }

    /**
     * Makes all durable that was written.
     *
     * @throws BlockIOException if that fails, or a write failed before: the first failure. Not of kind {@code BUSY}, after which
     *     it would be tried again
     */
    void finish() throws BlockIOException {
        if (first.get() == null) {
            tryFlush();
        }
        IOException lost = first.get();
        if (lost != null) {
            boolean full = lost instanceof BlockIOException block && block.kind() == Kind.NO_SPACE;
            throw new BlockIOException(full ? Kind.NO_SPACE : Kind.IO, String.valueOf(lost.getMessage()), lost);
        }
    }

    private void tryFlush() {
        try {
            flush();
        } catch (IOException e) {
            first.compareAndSet(null, e);
        }
    }
}
