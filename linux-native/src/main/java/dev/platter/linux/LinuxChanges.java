package dev.platter.linux;

import com.sun.jna.Native;
import dev.platter.core.FileFacts;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/** Holes and zeros made by fallocate(2), under the locks of a writer. */
final class LinuxChanges implements FileFacts.Changes {
    private final Descriptor file;
    private final boolean isDevice;
    private final int unit;
    private final boolean punches;
    private final boolean discards;
    private final ReentrantReadWriteLock closing = new ReentrantReadWriteLock();
    private boolean closed;

    private LinuxChanges(Descriptor file, boolean isDevice, int unit, boolean punches, boolean discards) {
        this.file = file;
        this.isDevice = isDevice;
        this.unit = unit;
        this.punches = punches;
        this.discards = discards;
    }

    static LinuxChanges open(Path path) throws IOException {
        Descriptor file = Descriptor.open(path, LibC.O_RDWR);
        try {
            WriterLocks.take(path, file);
            int mode = (Integer) Files.getAttribute(path, "unix:mode");
            return (mode & 0170000) == 0060000 ? ofDevice(path, file) : ofFile(path, file);
        } catch (IOException | RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** Nothing lies behind the end, so nothing is lost by making a hole there. */
    private static LinuxChanges ofFile(Path path, Descriptor file) throws IOException {
        boolean punches = LibC.fallocate(
                        file.number(), Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE, Files.size(path), SysBlock.SECTOR)
                == 0;
        return new LinuxChanges(file, false, 1, punches, punches);
    }

    private static LinuxChanges ofDevice(Path path, Descriptor file) throws IOException {
        long numbers = (Long) Files.getAttribute(path, "unix:rdev");
        long major = (numbers >>> 8 & 0xfff) | (numbers >>> 32 & ~0xfffL);
        long minor = (numbers & 0xff) | (numbers >>> 12 & 0xffffff00L);
        Path folder = Path.of("/sys/dev/block", major + ":" + minor);
        Path queue = Files.exists(folder.resolve("queue")) ? folder.resolve("queue") : folder.resolve("../queue");
        return new LinuxChanges(
                file,
                true,
                BlockIoctls.intOf(file, "BLKSSZGET", BlockIoctls.BLKSSZGET),
                SysBlock.number(queue.resolve("write_zeroes_max_bytes"), 0) > 0,
                SysBlock.number(queue.resolve("discard_max_bytes"), 0) > 0);
    }

    @Override
    public boolean freesSpace() {
        return discards;
    }

    @Override
    public boolean zeroesFast() {
        return punches;
    }

    @Override
    public boolean zero(long offset, long length, ZeroMode mode) throws IOException {
        if (length == 0) {
            return true;
        }
        if (offset % unit != 0 || length % unit != 0) {
            return false;
        }
        if (mode.mayUnmap() && punches && allocate(Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE, offset, length)) {
            return true;
        }
        if (!isDevice) {
            return allocate(Fallocate.ZERO_RANGE | Fallocate.KEEP_SIZE, offset, length);
        }
        // the kernel may have to write the zeros itself
        return !mode.isFast() && request("BLKZEROOUT", BlockIoctls.BLKZEROOUT, offset, length);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        // what cannot be given back is kept
        if (!discards || length == 0) {
            return;
        }
        if (!isDevice) {
            allocate(Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE, offset, length);
            return;
        }
        long first = (offset + unit - 1) / unit * unit;
        long end = (offset + length) / unit * unit;
        if (end > first) {
            request("BLKDISCARD", BlockIoctls.BLKDISCARD, first, end - first);
        }
    }

    /** Returns false if the file system or the device cannot do this. */
    private boolean allocate(int mode, long offset, long length) throws IOException {
        closing.readLock().lock();
        try {
            requireOpen();
            while (LibC.fallocate(file.number(), mode, offset, length) != 0) {
                int errno = Native.getLastError();
                if (errno == Errno.EOPNOTSUPP || errno == Errno.ENOSYS || errno == Errno.EINVAL) {
                    return false;
                }
                if (errno != Errno.EINTR) {
                    throw new SystemCallException(
                            file.name() + ": fallocate of " + length + " at " + offset + " (mode " + mode + ")", errno);
                }
            }
            return true;
        } finally {
            closing.readLock().unlock();
        }
    }

    private boolean request(String what, long request, long offset, long length) throws IOException {
        closing.readLock().lock();
        try {
            requireOpen();
            file.ioctl(what, request, BlockIoctls.range(offset, length));
            return true;
        } catch (SystemCallException e) {
            if (e.errno() == Errno.EOPNOTSUPP || e.errno() == Errno.ENOTTY || e.errno() == Errno.EINVAL) {
                return false;
            }
            throw e;
        } finally {
            closing.readLock().unlock();
        }
    }

    private void requireOpen() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }

    @Override
    public void close() {
        closing.writeLock().lock();
        try {
            closed = true;
            // and with the descriptor the locks
            file.close();
        } finally {
            closing.writeLock().unlock();
        }
    }
}
