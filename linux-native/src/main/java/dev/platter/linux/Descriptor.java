package dev.platter.linux;

import com.sun.jna.Native;
import com.sun.jna.Pointer;
import java.io.Closeable;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * An open file descriptor of our own, never inherited by programs that this process starts. Closing it twice does nothing;
 * it must not be closed while another thread is inside a call on it.
 */
final class Descriptor implements Closeable {
    private static final int LOCK_EX = 2;
    private static final int LOCK_NB = 4;

    private final String name;
    private int number;

    private Descriptor(String name, int number) {
        this.name = name;
        this.number = number;
    }

    /**
     * Opens a file.
     *
     * @param flags of open(2); {@code O_CLOEXEC} is added
     */
    static Descriptor open(Path path, int flags) throws SystemCallException {
        // Java's current folder need not be that of the process
        String absolute = path.toAbsolutePath().toString();
        while (true) {
            int number = LibC.open(absolute, flags | LibC.O_CLOEXEC, 0);
            if (number >= 0) {
                return new Descriptor(path.toString(), number);
            }
            int errno = Native.getLastError();
            if (errno != Errno.EINTR) {
                throw new SystemCallException("cannot open " + path, errno);
            }
        }
    }

    /** Takes a descriptor that a call returned. */
    static Descriptor of(String name, int number) {
        return new Descriptor(name, number);
    }

    /** Returns the number, for calls that take it. */
    int number() {
        return number;
    }

    String name() {
        return name;
    }

    /**
     * Makes a request of the device.
     *
     * @param what the request's name, for messages
     * @return what the kernel returned, 0 or more
     */
    int ioctl(String what, long request, @Nullable Pointer argument) throws SystemCallException {
        while (true) {
            int result = LibC.ioctl(number, request, argument);
            if (result >= 0) {
                return result;
            }
            retryOrThrow(what);
        }
    }

    /** Makes a request that takes a number where others take a pointer. */
    int ioctl(String what, long request, long argument) throws SystemCallException {
        while (true) {
            int result = LibC.ioctl(number, request, argument);
            if (result >= 0) {
                return result;
            }
            retryOrThrow(what);
        }
    }

    /** Takes the lock of flock(2) for this descriptor alone, until it is closed; returns false if another one has it. */
    boolean tryLock() throws SystemCallException {
        while (LibC.flock(number, LOCK_EX | LOCK_NB) != 0) {
            int errno = Native.getLastError();
            if (errno == Errno.EAGAIN) {
                return false;
            }
            if (errno != Errno.EINTR) {
                throw new SystemCallException(name + ": flock", errno);
            }
        }
        return true;
    }

    /** Makes what was written durable, and says what could not be. */
    void sync() throws SystemCallException {
        while (LibC.fsync(number) != 0) {
            retryOrThrow("fsync");
        }
    }

    /** Makes what was written to the file system durable that this lies on, and says what could not be. */
    void syncFileSystem() throws SystemCallException {
        while (LibC.syncfs(number) != 0) {
            retryOrThrow("syncfs");
        }
    }

    private void retryOrThrow(String what) throws SystemCallException {
        int errno = Native.getLastError();
        if (errno != Errno.EINTR) {
            throw new SystemCallException(name + ": " + what, errno);
        }
    }

    @Override
    public void close() {
        if (number >= 0) {
            // after an error of close(2) the descriptor is gone as well, and nothing of ours waits for its writes
            LibC.close(number);
            number = -1;
        }
    }
}
