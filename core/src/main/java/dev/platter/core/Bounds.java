package dev.platter.core;

/** Range checks that cannot overflow. */
public final class Bounds {

    private Bounds() {}

    /**
     * Checks that {@code offset} and {@code length} lie in a device.
     *
     * @throws IndexOutOfBoundsException if they do not
     */
    public static void check(BlockDevice device, long offset, long length) {
        if ((offset | length) < 0 || length > device.size() - offset) {
            throw outside(device, offset, length);
        }
    }

    /** Returns whether {@code length} bytes at {@code offset} lie in the first {@code size} bytes. */
    public static boolean inside(long offset, long length, long size) {
        return (offset | length) >= 0 && length <= size - offset;
    }

    private static IndexOutOfBoundsException outside(BlockDevice device, long offset, long length) {
        return new IndexOutOfBoundsException(device.description() + ": " + length + " bytes at " + offset
                + " leave the device (" + device.size() + " bytes)");
    }
}
