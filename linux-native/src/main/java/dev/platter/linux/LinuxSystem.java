package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/** What has to be there before anything can be bound, and what to say where it is not. */
final class LinuxSystem {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final int CAP_SYS_ADMIN = 21;
    private static final String WITHOUT = "; reading and serving work without (platter inspect, platter nbd)";

    private LinuxSystem() {}

    /** Returns why the C library cannot be called here, or null if it can. JNA may be absent altogether. */
    static @Nullable String missing() {
        try {
            return LibC.isAvailable() ? null : "this is no 64-bit Linux on x86 or ARM";
        } catch (NoClassDefFoundError e) {
            return "JNA is not on the path, or could not be loaded before: " + e.getMessage();
        } catch (LinkageError e) {
            return "JNA cannot load its native library: " + e.getMessage();
        }
    }

    /**
     * Checks that devices of the kernel can be made.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED}: what is missing, and what works without it
     */
    static void requireDevices() throws IOException {
        String missing = missing();
        if (missing != null) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED, "devices of the kernel cannot be made: " + missing + WITHOUT, null);
        }
        if (!hasCapability(CAP_SYS_ADMIN)) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    "devices of the kernel cannot be made: the capability CAP_SYS_ADMIN is missing, run as root"
                            + WITHOUT,
                    null);
        }
    }

    private static boolean hasCapability(int bit) throws IOException {
        for (String line : Files.readAllLines(STATUS)) {
            if (line.startsWith("CapEff:")) {
                return (Long.parseUnsignedLong(line.substring(7).strip(), 16) >>> bit & 1) != 0;
            }
        }
        return false;
    }
}
