package dev.platter.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import dev.platter.core.FileFacts;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;

/** What Linux knows of files. Without JNA, or elsewhere, it says that it is not supported. */
public final class LinuxFileFacts implements FileFacts {
    private static final int AT_FDCWD = -100;
    private static final int STATX_BLOCKS = 0x400;

    /** {@code struct statx}. Source: linux/stat.h. */
    static final int STATX_BYTES = 256;

    static final int STX_BLOCKS = 48;

    /** Makes the service; for {@link java.util.ServiceLoader}. */
    public LinuxFileFacts() {}

    @Override
    public boolean isSupported() {
        return LinuxSystem.missing() == null;
    }

    @Override
    public OptionalLong allocatedSize(Path file) throws IOException {
        if (!LateLibC.isAvailable()) {
            return OptionalLong.empty();
        }
        Memory facts = new Memory(STATX_BYTES);
        facts.clear();
        if (LateLibC.statx(AT_FDCWD, file.toAbsolutePath().toString(), 0, STATX_BLOCKS, facts) != 0) {
            int errno = Native.getLastError();
            if (errno == Errno.ENOSYS || errno == Errno.EPERM) {
                // a kernel before 4.11, or a container that knows no such call
                return OptionalLong.empty();
            }
            throw new SystemCallException(file + ": statx", errno);
        }
        boolean told = (facts.getInt(0) & STATX_BLOCKS) != 0;
        return told ? OptionalLong.of(facts.getLong(STX_BLOCKS) * SysBlock.SECTOR) : OptionalLong.empty();
    }

    @Override
    public Holes openHoles(Path file) throws IOException {
        return LinuxHoles.open(file);
    }

    @Override
    public @Nullable Geometry geometry(Path file) throws IOException {
        int mode = (Integer) Files.getAttribute(file, "unix:mode");
        if ((mode & 0170000) != 0060000) {
            return null;
        }
        try (Descriptor device = Descriptor.open(file, LibC.O_RDONLY | LibC.O_NONBLOCK)) {
            return new Geometry(
                    BlockIoctls.longOf(device, "BLKGETSIZE64", BlockIoctls.BLKGETSIZE64),
                    BlockIoctls.intOf(device, "BLKSSZGET", BlockIoctls.BLKSSZGET),
                    BlockIoctls.intOf(device, "BLKPBSZGET", BlockIoctls.BLKPBSZGET));
        }
    }

    @Override
    public Changes openChanges(Path file) throws IOException {
        return LinuxChanges.open(file);
    }
}
