package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/**
 * What image formats stand on: a positional store of bytes that can grow and shrink. A file, a block device, or any
 * {@link BlockDevice}. Safe for many threads; the rules for interrupts and closing are those of {@link BlockDevice}.
 */
public interface Storage extends Closeable {

    /** Returns the name that begins messages about this storage; never contains control characters. */
    String name();

    /** Returns a value that equals another storage's if and only if both are the same bytes: two names of one file. */
    Object identity();

    /** Returns the file that this is, against which relative names in it are resolved; null where it is none. */
    @Nullable
    Path path();

    /**
     * Returns whether these bytes are a disk as its guest sees it, such as another host exports: then nothing that the guest
     * wrote decides how it is read, and it is raw unless the caller states another format.
     */
    default boolean isDisk() {
        return false;
    }

    /** Returns whether writes are refused. */
    boolean isReadOnly();

    /** Returns the current size in bytes. */
    long size() throws IOException;

    /**
     * Changes the size; new bytes read as zeros.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if this storage has a fixed size; of another kind if the
     *     medium cannot be given that size
     * @throws ReadOnlyDeviceException if it is read-only
     */
    void setSize(long size) throws IOException;

    /**
     * Reads bytes, and says where the storage ends by reading fewer than asked.
     *
     * @param offset first byte, 0 or more; it may lie beyond the end
     * @param into filled from its position on
     * @return bytes read; fewer than {@code into} had room for only if the storage ends there, 0 at or beyond its end
     * @throws BlockIOException if the medium cannot be read there: a bad sector
     */
    int read(long offset, ByteBuffer into) throws IOException;

    /**
     * Hands bytes to a channel without copying them through this process, where that can be done: by {@code sendfile}. What
     * was sent to a socket but not yet taken from it changes when the file does, so only read-only storages do it.
     *
     * @param offset first byte, 0 or more
     * @param length bytes that are wanted
     * @param to blocking
     * @return bytes that went, from the first on; fewer than asked where the storage ends, 0 where they have to be copied
     */
    default long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        return 0;
    }

    /**
     * Writes all of {@code from}; the storage grows where it can.
     *
     * @throws ReadOnlyDeviceException if it is read-only
     */
    void write(long offset, ByteBuffer from) throws IOException;

    /** Makes a range of existing bytes read as zeros; see {@link BlockDevice#writeZeroes}. */
    void writeZeroes(long offset, long length, ZeroMode mode) throws IOException;

    /** Says that the contents of a range are no longer needed; see {@link BlockDevice#discard}. */
    void discard(long offset, long length) throws IOException;

    /** Makes all writes that returned before durable, the size included. */
    void flush() throws IOException;

    /** Returns the bytes that this takes on its medium, where that can be asked; see {@link FileFacts}. */
    OptionalLong allocatedSize() throws IOException;

    /** Tells which parts hold data and which read as zeros; the range lies inside the current size. */
    void extents(long offset, long length, ExtentVisitor visitor) throws IOException;

    /** Returns what a device of these bytes can do. */
    Features features();
}
