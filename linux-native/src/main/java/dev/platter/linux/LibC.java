package dev.platter.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;
import org.jspecify.annotations.Nullable;

/**
 * The calls of the C library that this module makes, on 64-bit Linux, where {@code size_t}, {@code off_t} and {@code long}
 * have 64 bits. Each returns what the C function returns; -1 means that {@link Native#getLastError()}, asked at once on the
 * same thread, tells why. {@link Descriptor} and its callers turn that into exceptions.
 */
final class LibC {
    static final int O_RDONLY = 0;
    static final int O_RDWR = 2;
    static final int O_EXCL = 0x80;
    static final int O_NONBLOCK = 0x800;
    static final int O_CLOEXEC = 0x80000;

    private static final boolean AVAILABLE = register();

    private LibC() {}

    /** Returns whether the calls can be made here; everything else in this class may be touched only then. */
    static boolean isAvailable() {
        return AVAILABLE;
    }

    static native int open(String path, int flags, int mode);

    static native int close(int descriptor);

    /** Only the pointer is ever passed, or a number in its place: variadic integers go the way of named ones on Linux. */
    static native int ioctl(int descriptor, long request, @Nullable Pointer argument);

    static native int ioctl(int descriptor, long request, long argument);

    static native long read(int descriptor, Pointer buffer, long count);

    static native long write(int descriptor, Pointer buffer, long count);

    static native long lseek(int descriptor, long offset, int whence);

    static native int fallocate(int descriptor, int mode, long offset, long length);

    static native int fsync(int descriptor);

    static native int syncfs(int descriptor);

    static native int flock(int descriptor, int operation);

    /** Only with a pointer, as {@link #ioctl}. */
    static native int fcntl(int descriptor, int command, Pointer argument);

    static native int mount(String source, String target, String type, long flags, String options);

    static native int umount2(String target, int flags);

    static native int prctl(int option, long second, long third, long fourth, long fifth);

    private static boolean register() {
        boolean known = Platform.isLinux() && Native.POINTER_SIZE == 8 && (Platform.isIntel() || Platform.isARM());
        if (!known) {
            return false;
        }
        Native.register(LibC.class, Platform.C_LIBRARY_NAME);
        return true;
    }
}
