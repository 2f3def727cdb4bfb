package dev.platter.core;

import java.io.IOException;
import java.nio.channels.ClosedChannelException;

/** A view that can be closed by itself: afterwards it refuses, and its base lives on. */
abstract class ViewDevice implements BlockDevice {
    private volatile boolean closed;

    /** Refuses when closed, and checks the range. */
    final void begin(long offset, long length) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        Bounds.check(this, offset, length);
    }

    final boolean isClosed() {
        return closed;
    }

    @Override
    public void close() throws IOException {
        closed = true;
    }
}
