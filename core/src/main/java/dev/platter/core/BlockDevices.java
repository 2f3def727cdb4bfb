package dev.platter.core;

import java.io.Closeable;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.SeekableByteChannel;
import java.util.List;

/**
 * Views of devices. A view is closed without closing what it looks at, unless it was made by {@link #owning}. Views pass
 * reads, writes and features through; on the plain path they neither copy nor allocate. A slice, and what {@link #owning}
 * returns, is a {@link PreparingDevice} if what it looks at is one.
 */
public final class BlockDevices {

    private BlockDevices() {}

    /**
     * Returns a part of a device.
     *
     * @param name what this part is, appended to the description of {@code device}: {@code "partition 2"}
     * @param offset first byte of the part in {@code device}
     * @param length size of the part in bytes
     * @throws IndexOutOfBoundsException if the part leaves the device
     */
    public static BlockDevice slice(BlockDevice device, String name, long offset, long length) {
        return SliceDevice.of(device, name, offset, length);
    }

    /**
     * Returns several devices one after the other.
     *
     * @throws IllegalArgumentException if there are none, or their sizes add up to more than 2^63-1 bytes
     */
    public static BlockDevice concat(String description, List<? extends BlockDevice> devices) {
        return new ConcatDevice(description, devices);
    }

    /** Returns a view that refuses writes. */
    public static BlockDevice readOnly(BlockDevice device) {
        return new ReadOnlyView(device);
    }

    /** Returns a device whose bytes are those between the buffer's position and limit; they are not copied. */
    public static BlockDevice ofBytes(String description, ByteBuffer bytes) {
        return new BytesDevice(description, bytes);
    }

    /**
     * Returns a view that closes {@code device} and then {@code alsoClosed}, in that order, when it is closed.
     */
    public static BlockDevice owning(BlockDevice device, Closeable... alsoClosed) {
        return OwningDevice.of(device, List.of(alsoClosed));
    }

    /** Returns a channel over a device with a position of its own. The size of the device cannot be changed by it. */
    public static SeekableByteChannel asChannel(BlockDevice device) {
        return new DeviceChannel(device);
    }

    /** Returns a stream of all bytes of a device, from its beginning. */
    public static InputStream asInputStream(BlockDevice device) {
        return new DeviceInputStream(device);
    }
}
