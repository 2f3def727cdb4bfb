package dev.platter.linux;

import com.sun.jna.Native;
import dev.platter.core.BlockIOException.Kind;

/** Error numbers of Linux, the same on x86_64 and aarch64. Source: asm-generic/errno-base.h, asm-generic/errno.h. */
final class Errno {
    static final int EPERM = 1;
    static final int ENOENT = 2;
    static final int EINTR = 4;
    static final int EIO = 5;
    static final int ENXIO = 6;
    static final int EBADF = 9;
    static final int EAGAIN = 11;
    static final int EACCES = 13;
    static final int EBUSY = 16;
    static final int EEXIST = 17;
    static final int ENODEV = 19;
    static final int EINVAL = 22;
    static final int ENOTTY = 25;
    static final int ENOSPC = 28;
    static final int EROFS = 30;
    static final int ENOSYS = 38;
    static final int EOPNOTSUPP = 95;
    static final int ECONNABORTED = 103;
    static final int ENOTCONN = 107;
    static final int ETIMEDOUT = 110;
    static final int EDQUOT = 122;

    private Errno() {}

    /** Returns the words of the C library: {@code Device or resource busy}. */
    static String text(int errno) {
        return Text.of(errno);
    }

    static Kind kind(int errno) {
        return switch (errno) {
            case ENOSPC, EDQUOT -> Kind.NO_SPACE;
            case EINVAL, ENOTTY, ENOSYS, EOPNOTSUPP -> Kind.NOT_SUPPORTED;
            case EBUSY -> Kind.BUSY;
            case ETIMEDOUT -> Kind.TIMEOUT;
            default -> Kind.IO;
        };
    }

    /** Apart, so that the numbers can be used where there is no C library. */
    private static final class Text {
        static {
            Native.register(Text.class, "c");
        }

        static native String strerror(int errno);

        static String of(int errno) {
            return strerror(errno);
        }
    }
}
