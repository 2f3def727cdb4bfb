package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * A device whose writes cost more than copying, most of which does not depend on the order: several threads can prepare
 * writes at once, and one finishes them in the order that is wanted in the file below.
 */
public interface PreparingDevice extends BlockDevice {

    /**
     * Does of a {@linkplain #write write} what can be done before its bytes get their place. Nothing is written yet.
     *
     * @param offset offset of the first byte, {@code 0 <= offset <= size() - from.remaining()}
     * @param from the bytes, from its position to its limit; they do not change before {@link Prepared#write} has returned.
     *     About as much memory is held until then
     * @throws IndexOutOfBoundsException if the range leaves the device
     * @throws ReadOnlyDeviceException if the device is read-only
     */
    Prepared prepare(long offset, ByteBuffer from) throws IOException;

    /** A write that is prepared. It can be left as it is, and nothing was written. */
    @FunctionalInterface
    interface Prepared {
        /** Writes. Called once. */
        void write() throws IOException;
    }
}
