package dev.platter.linux;

import com.sun.jna.Native;
import dev.platter.core.FileFacts;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** The holes of an open file, by lseek(2). A block device has none that can be asked for. */
final class LinuxHoles implements FileFacts.Holes {
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;

    private final Path file;
    private final Descriptor descriptor;
    private final ReentrantReadWriteLock closing = new ReentrantReadWriteLock();
    private boolean closed;

    private LinuxHoles(Path file, Descriptor descriptor) {
        this.file = file;
        this.descriptor = descriptor;
    }

    static LinuxHoles open(Path file) throws IOException {
        return new LinuxHoles(file, Descriptor.open(file, LibC.O_RDONLY));
    }

    @Override
    public long nextData(long offset) throws IOException {
        long found = seek(offset, SEEK_DATA);
        return found >= 0 ? found : found == -Errno.ENXIO ? end(offset) : offset;
    }

    @Override
    public long nextHole(long offset) throws IOException {
        long found = seek(offset, SEEK_HOLE);
        return found >= 0 ? found : end(offset);
    }

    /** A hole that reaches the end has no data behind it, and what lies beyond the end is neither. */
    private long end(long offset) throws IOException {
        return Math.max(offset, Files.size(file));
    }

    /** Returns a negative error where the file has no answer. */
    private long seek(long offset, int whence) throws IOException {
        closing.readLock().lock();
        try {
            if (closed) {
                throw new ClosedChannelException();
            }
            while (true) {
                long found = LibC.lseek(descriptor.number(), offset, whence);
                if (found >= 0) {
                    return found;
                }
                int errno = Native.getLastError();
                if (errno == Errno.ENXIO || errno == Errno.EINVAL || errno == Errno.EOPNOTSUPP) {
                    return -errno;
                }
                if (errno != Errno.EINTR) {
                    throw new SystemCallException(descriptor.name() + ": lseek to data or a hole", errno);
                }
            }
        } finally {
            closing.readLock().unlock();
        }
    }

    @Override
    public void close() {
        closing.writeLock().lock();
        try {
            closed = true;
            descriptor.close();
        } finally {
            closing.writeLock().unlock();
        }
    }
}
