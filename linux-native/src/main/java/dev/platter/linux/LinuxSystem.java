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

    /** What is to be done with devices of the kernel, as messages say it. */
    enum Purpose {
        MAKE(
                "devices of the kernel cannot be made",
                "; reading and serving work without (platter inspect, platter nbd)"),
        TAKE_AWAY("devices of the kernel cannot be taken away", ""),
        LIST("what is bound cannot be listed", "");

        private final String impossible;
        private final String without;

        Purpose(String impossible, String without) {
            this.impossible = impossible;
            this.without = without;
        }
    }

    /**
     * Checks that the kernel can be asked for something.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED}: what is missing, and what works without it
     */
    static void require(Purpose purpose) throws IOException {
        String missing = missing();
        if (missing == null && !hasCapability(CAP_SYS_ADMIN)) {
            missing = "the capability CAP_SYS_ADMIN is missing, run as root";
        }
        if (missing != null) {
            throw new BlockIOException(Kind.NOT_SUPPORTED, purpose.impossible + ": " + missing + purpose.without, null);
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
