package dev.platter.lvm;

/** Extents to bytes, without overflow. */
final class ExtentMath {
    private ExtentMath() {}

    /** Returns the bytes of {@code extents}, or -1 if they are 2^63 or more. Neither argument is negative. */
    static long bytes(long extents, long extentSize) {
        return Math.multiplyHigh(extents, extentSize) == 0 && extents * extentSize >= 0 ? extents * extentSize : -1;
    }
}
