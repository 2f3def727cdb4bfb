package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/**
 * Anything that has bytes: a file, a guest disk, a partition, a logical volume, a snapshot, a remote export.
 *
 * <p>A device is positional: it has no cursor, and every request names its offset. All offsets and lengths are bytes.
 * A request either does exactly what was asked or throws. Devices are safe for use by many threads at once; requests of
 * different threads that touch the same bytes are not ordered against each other.
 *
 * <p>A thread that is interrupted during a request gets {@link java.nio.channels.ClosedByInterruptException} and keeps
 * its interrupt flag; the device stays open for all other threads. After {@link #close()} every request throws {@link
 * java.nio.channels.ClosedChannelException}.
 *
 * <p>Ranges that leave the device are a mistake of the caller and throw {@link IndexOutOfBoundsException} before
 * anything is read or written. What is wrong with the bytes of an image is a {@link DiskImageException}; what the
 * operating system or a peer did is any other {@link IOException}.
 */
public interface BlockDevice extends Closeable {

    /** Returns the size in bytes, 0 or more. It does not change while the device is open. */
    long size();

    /**
     * Returns where these bytes come from, in words for a person: {@code web.qcow2 > partition 2 > vg0/root}. It begins
     * every message about this device and never contains control characters.
     */
    String description();

    /** Returns what this device can do. A view passes on the features of what it looks at. */
    Features features();

    /**
     * Reads bytes into a buffer.
     *
     * @param offset offset of the first byte, {@code 0 <= offset <= size() - into.remaining()}
     * @param into filled from its position to its limit, the position ends at the limit; its contents and position are
     *     unspecified if this throws
     * @throws IndexOutOfBoundsException if the range leaves the device; nothing was read
     * @throws java.nio.ReadOnlyBufferException if the buffer is read-only
     * @throws DiskImageException if the image is damaged in that range or cannot be read there; other ranges stay
     *     readable
     * @throws IOException if the operating system or a peer fails
     */
    void read(long offset, ByteBuffer into) throws IOException;

    /**
     * Tells what is known of a range without reading its contents. The extents reported are in ascending order, do not
     * overlap, have no gaps between them, and cover the range exactly, unless the visitor stops early. Neighbours that
     * could be merged need not be; {@link Extents} does that.
     *
     * @param offset offset of the first byte, {@code 0 <= offset <= size() - length}
     * @param length bytes to report on, 0 or more
     * @throws IndexOutOfBoundsException if the range leaves the device
     * @throws DiskImageException if the mapping of the range is damaged
     */
    void extents(long offset, long length, ExtentVisitor visitor) throws IOException;

    /**
     * Writes bytes.
     *
     * @param offset offset of the first byte, {@code 0 <= offset <= size() - from.remaining()}
     * @param from written from its position to its limit, the position ends at the limit
     * @throws IndexOutOfBoundsException if the range leaves the device; nothing was written
     * @throws ReadOnlyDeviceException if the device is read-only
     */
    void write(long offset, ByteBuffer from, Durability durability) throws IOException;

    /**
     * Makes a range read as zeros.
     *
     * @throws IndexOutOfBoundsException if the range leaves the device; nothing was written
     * @throws ReadOnlyDeviceException if the device is read-only
     * @throws NotFasterException if {@code mode} demands speed and writing zeros would be the only way; nothing was
     *     written
     */
    void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException;

    /**
     * Says that the contents of a range are no longer needed. They are undefined afterwards; the device may do nothing.
     * Whoever must read zeros afterwards uses {@link #writeZeroes}.
     *
     * @throws IndexOutOfBoundsException if the range leaves the device
     * @throws ReadOnlyDeviceException if the device is read-only
     */
    void discard(long offset, long length) throws IOException;

    /** Makes all writes that returned before this call durable. Does nothing on a read-only device. */
    void flush() throws IOException;

    /**
     * Copies a range to a channel, in order.
     *
     * @param offset offset of the first byte, {@code 0 <= offset <= size() - length}
     * @return {@code length}; fewer only if {@code to} is non-blocking and takes no more
     */
    default long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        return Transfers.copyTo(this, offset, length, to);
    }

    /** Hints that a range will be read soon. A device may ignore it; a range that leaves the device is ignored. */
    default void prefetch(long offset, long length) {}
}
