package dev.platter.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;

/**
 * The locks by which qemu's programs keep off each other's images. Each permission has a number; who uses it holds a shared
 * lock on byte 100 plus that number, who does not let others use it one on byte 200 plus it. After taking its own, a program
 * looks at the bytes of the opposite kind. The locks belong to the open file, not to the process, and go with it alone. Source:
 * QEMU, block/file-posix.c, "raw_apply_lock_bytes" and "raw_check_lock_bytes"; fcntl_locking(2).
 */
final class WriterLocks {
    private static final int F_OFD_GETLK = 36;
    private static final int F_OFD_SETLK = 37;

    /** {@code struct flock}. */
    static final int FLOCK_BYTES = 32;

    static final int L_START = 8;
    static final int L_LEN = 16;

    private static final short F_RDLCK = 0;
    private static final short F_WRLCK = 1;
    private static final short F_UNLCK = 2;

    private static final int USED = 100;
    private static final int NOT_SHARED = 200;

    /** None of qemu's: held while all are taken, so that of two of ours who come at once one gets them. */
    private static final int TAKING = 300;

    private static final long TAKING_MILLIS = 5_000;

    private static final int CONSISTENT_READ = 0;
    private static final int WRITE = 1;
    private static final int RESIZE = 3;

    private static final int[] OWN = {
        USED + CONSISTENT_READ, USED + WRITE, USED + RESIZE, NOT_SHARED + WRITE, NOT_SHARED + RESIZE
    };
    private static final int[] OPPOSITE = {
        NOT_SHARED + CONSISTENT_READ, NOT_SHARED + WRITE, NOT_SHARED + RESIZE, USED + WRITE, USED + RESIZE
    };

    private WriterLocks() {}

    /**
     * Takes the locks of one who reads, writes and resizes, and lets others read. If that fails, some are held until the file
     * is closed.
     *
     * @throws BlockIOException of kind {@code BUSY} if others write or resize, or do not let others do it; the message says
     *     who, as far as this user may see
     */
    static void take(Path path, Descriptor file) throws IOException {
        if (!Waiting.until(() -> lock(file, F_WRLCK, TAKING), TAKING_MILLIS)) {
            throw busy(path);
        }
        takeAll(path, file);
        lock(file, F_UNLCK, TAKING);
    }

    private static void takeAll(Path path, Descriptor file) throws IOException {
        for (int at : OWN) {
            if (!lock(file, F_RDLCK, at)) {
                throw busy(path);
            }
        }
        for (int at : OPPOSITE) {
            if (isLocked(file, at)) {
                throw busy(path);
            }
        }
    }

    private static boolean lock(Descriptor file, short type, int at) throws SystemCallException {
        Memory lock = flock(type, at);
        while (LibC.fcntl(file.number(), F_OFD_SETLK, lock) != 0) {
            int errno = Native.getLastError();
            if (errno == Errno.EAGAIN || errno == Errno.EACCES) {
                return false;
            }
            if (errno != Errno.EINTR) {
                throw new SystemCallException(file.name() + ": lock of byte " + at, errno);
            }
        }
        return true;
    }

    private static boolean isLocked(Descriptor file, int at) throws SystemCallException {
        Memory lock = flock(F_WRLCK, at);
        if (LibC.fcntl(file.number(), F_OFD_GETLK, lock) != 0) {
            throw new SystemCallException(file.name() + ": look at the lock of byte " + at, Native.getLastError());
        }
        return lock.getShort(0) != F_UNLCK;
    }

    private static Memory flock(short type, int at) {
        Memory lock = new Memory(FLOCK_BYTES);
        lock.clear();
        lock.setShort(0, type);
        lock.setLong(L_START, at);
        lock.setLong(L_LEN, 1);
        return lock;
    }

    private static BlockIOException busy(Path path) throws IOException {
        List<String> programs = Holders.programs(Set.of(path.toRealPath().toString()), "lock:");
        programs.removeIf(program ->
                program.endsWith("(process " + ProcessHandle.current().pid() + ")"));
        return new BlockIOException(
                Kind.BUSY,
                path + ": cannot be opened for writing: "
                        + (programs.isEmpty() ? "another program" : String.join(", ", programs))
                        + " holds a lock on it",
                null);
    }
}
