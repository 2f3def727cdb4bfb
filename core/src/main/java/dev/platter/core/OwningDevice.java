package dev.platter.core;

import com.google.common.io.Closer;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/** A device that closes others with itself. */
class OwningDevice extends ForwardingDevice {
    private final List<Closeable> alsoClosed;
    private final AtomicBoolean closed = new AtomicBoolean();

    OwningDevice(BlockDevice device, List<Closeable> alsoClosed) {
        super(device);
        this.alsoClosed = alsoClosed;
    }

    /** Makes one that prepares writes if {@code device} does. */
    static OwningDevice of(BlockDevice device, List<Closeable> alsoClosed) {
        return device instanceof PreparingDevice preparing
                ? new Preparing(preparing, alsoClosed)
                : new OwningDevice(device, alsoClosed);
    }

    /** Of a device that prepares writes. */
    private static final class Preparing extends OwningDevice implements PreparingDevice {
        private final PreparingDevice preparing;

        Preparing(PreparingDevice device, List<Closeable> alsoClosed) {
            super(device, alsoClosed);
            this.preparing = device;
        }

        @Override
        public Prepared prepare(long offset, ByteBuffer from) throws IOException {
            return preparing.prepare(offset, from);
        }
    }

    @Override
    public void close() throws IOException {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        // a Closer closes the last one registered first
        Closer closer = Closer.create();
        for (int i = alsoClosed.size() - 1; i >= 0; i--) {
            closer.register(alsoClosed.get(i));
        }
        closer.register(device);
        closer.close();
    }
}
