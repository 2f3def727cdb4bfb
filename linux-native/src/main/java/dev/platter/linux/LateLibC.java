package dev.platter.linux;

import com.sun.jna.Native;
import com.sun.jna.Platform;
import com.sun.jna.Pointer;

/** Calls that older C libraries do not have by name: {@code statx} came with glibc 2.28, {@code mknod} with 2.33. */
final class LateLibC {
    private static final boolean AVAILABLE = register();

    private LateLibC() {}

    /** Returns whether both can be called. */
    static boolean isAvailable() {
        return AVAILABLE;
    }

    static native int statx(int folder, String path, int flags, int mask, Pointer buffer);

    static native int mknod(String path, int mode, long device);

    private static boolean register() {
        if (!LibC.isAvailable()) {
            return false;
        }
        try {
            Native.register(LateLibC.class, Platform.C_LIBRARY_NAME);
            return true;
        } catch (UnsatisfiedLinkError e) {
            return false;
        }
    }
}
