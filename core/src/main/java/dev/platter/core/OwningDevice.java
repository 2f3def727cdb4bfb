package dev.platter.core;

import com.google.common.io.Closer;
import java.io.Closeable;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;

/** A device that closes others with itself. */
final class OwningDevice extends ForwardingDevice {
    private final List<Closeable> alsoClosed;
    private final AtomicBoolean closed = new AtomicBoolean();

    OwningDevice(BlockDevice device, List<Closeable> alsoClosed) {
        super(device);
        this.alsoClosed = alsoClosed;
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
