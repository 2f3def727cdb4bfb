package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;

/** Where a {@link Copier} puts bytes; called in ascending order, without gaps. */
interface CopySink {

    /** Returns the most bytes that one call of {@link #zeros} takes. */
    long zeroStep();

    /** Takes zeros. */
    void zeros(long offset, long length) throws IOException;

    /** Takes bytes, from position to limit. */
    void data(long offset, ByteBuffer bytes) throws IOException;
}
