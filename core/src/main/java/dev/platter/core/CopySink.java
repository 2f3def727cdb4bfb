package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where a {@link Copier} puts bytes; called in ascending order, without gaps, unless it may be called out of order. */
interface CopySink {

    /** Returns the most bytes that one call of {@link #zeros} takes; {@link Long#MAX_VALUE} if it does nothing. */
    long zeroStep();

    /** Takes zeros. */
    void zeros(long offset, long length) throws IOException;

    /** Takes bytes, from position to limit. */
    void data(long offset, ByteBuffer bytes) throws IOException;

    /** Does what can be done before it is the turn of these bytes; safe for many threads. */
    default PreparingDevice.Prepared prepare(long offset, ByteBuffer bytes) throws IOException {
        return () -> data(offset, bytes);
    }
}
