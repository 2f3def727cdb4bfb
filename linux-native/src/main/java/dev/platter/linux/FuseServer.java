package dev.platter.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/**
 * One thread that answers the kernel's requests for the one file, with one buffer for all of them: a reply is put together
 * over the request that it answers. On the way of a read or a write nothing is allocated here.
 */
final class FuseServer implements Runnable {
    /** Longest request; the kernel may send a little more before the bytes of a write. */
    static final int TRANSFER = 1 << 20;

    private static final int BUFFER = TRANSFER + 4096;
    private static final int S_IFREG = 0100000;
    private static final int ATTRIBUTES_SECONDS = 3600;
    private static final int EPROTO = 71;

    /** Requests that the kernel has waiting at once, and from which number on it calls the device congested. */
    private static final short BACKGROUND = 64;

    private static final short CONGESTION = 48;
    private static final int SEEK_DATA = 3;
    private static final int SEEK_HOLE = 4;
    private static final int PR_SET_IO_FLUSHER = 57;

    private final Descriptor connection;
    private final BlockDevice device;
    private final boolean readOnly;
    private final Consumer<? super IOException> onError;
    private final Runnable onFailure;
    private final Memory memory = new Memory(BUFFER);
    private final ByteBuffer buffer = memory.getByteBuffer(0, BUFFER).order(ByteOrder.nativeOrder());
    private final ByteBuffer payload = buffer.duplicate();

    /** When the request that is worked on came, or 0. */
    private volatile long busySince;

    /**
     * @param onError told of requests that failed; the kernel only gets a number
     * @param onFailure run if this ends although the file is still mounted
     */
    FuseServer(
            Descriptor connection,
            BlockDevice device,
            boolean readOnly,
            Consumer<? super IOException> onError,
            Runnable onFailure) {
        this.connection = connection;
        this.device = device;
        this.readOnly = readOnly;
        this.onError = onError;
        this.onFailure = onFailure;
    }

    /** Returns whether one request has been worked on for longer than that. */
    boolean isStuck(long nanos) {
        long since = busySince;
        return since != 0 && System.nanoTime() - since > nanos;
    }

    @Override
    public void run() {
        boolean orderly = false;
        try {
            // memory that is reclaimed for this thread must not be written to the very device that it serves
            LibC.prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
            orderly = serve();
        } finally {
            if (!orderly) {
                onFailure.run();
            }
        }
    }

    /** Returns whether the end was that of the mount. */
    private boolean serve() {
        while (true) {
            long length = LibC.read(connection.number(), memory, BUFFER);
            if (length >= FuseProtocol.IN_HEADER) {
                // 0 stands for idle
                busySince = System.nanoTime() | 1;
                answer((int) length);
                busySince = 0;
            } else if (length < 0) {
                int errno = Native.getLastError();
                if (errno == Errno.ENODEV || errno == Errno.ECONNABORTED) {
                    return true;
                }
                // ENOENT: the request was taken back before it could be read
                if (errno != Errno.EINTR && errno != Errno.EAGAIN && errno != Errno.ENOENT) {
                    onError.accept(new SystemCallException(connection.name() + ": read of a request", errno));
                    return false;
                }
            }
        }
    }

    private void answer(int length) {
        long unique = buffer.getLong(FuseProtocol.IN_UNIQUE);
        int opcode = buffer.getInt(FuseProtocol.IN_OPCODE);
        if (opcode == FuseProtocol.FORGET || opcode == FuseProtocol.BATCH_FORGET || opcode == FuseProtocol.INTERRUPT) {
            return; // none of these is answered
        }
        int result;
        try {
            result = work(opcode, length);
        } catch (IOException e) {
            result = -errnoOf(e);
            onError.accept(e);
        } catch (RuntimeException e) {
            // a mistake in a device must not leave the kernel waiting
            result = -Errno.EIO;
            onError.accept(new IOException(device.description() + ": request failed: " + e, e));
        }
        reply(unique, result);
    }

    private void reply(long unique, int result) {
        int length = FuseProtocol.OUT_HEADER + Math.max(result, 0);
        buffer.putInt(0, length);
        buffer.putInt(FuseProtocol.OUT_ERROR, Math.min(result, 0));
        buffer.putLong(FuseProtocol.OUT_UNIQUE, unique);
        // it can only fail if the request was taken back or the mount has ended: the next read tells
        LibC.write(connection.number(), memory, length);
    }

    /** Returns the bytes of the reply after its header, which are in place then, or a negative error. */
    private int work(int opcode, int length) throws IOException {
        return switch (opcode) {
            case FuseProtocol.READ -> read();
            case FuseProtocol.WRITE -> write(length);
            case FuseProtocol.FSYNC -> flush();
            case FuseProtocol.FALLOCATE -> fallocate();
            case FuseProtocol.INIT -> init();
            case FuseProtocol.GETATTR -> attributes();
            case FuseProtocol.SETATTR -> setAttributes();
            case FuseProtocol.OPEN -> open();
            case FuseProtocol.LSEEK -> seek();
            case FuseProtocol.STATFS -> statistics();
            case FuseProtocol.FLUSH, FuseProtocol.RELEASE, FuseProtocol.DESTROY -> 0;
            default -> -Errno.ENOSYS; // the kernel does not ask again
        };
    }

    private int read() throws IOException {
        long offset = buffer.getLong(FuseProtocol.IO_OFFSET);
        int size = buffer.getInt(FuseProtocol.IO_SIZE);
        if (offset < 0 || size < 0 || size > TRANSFER) {
            return -Errno.EINVAL;
        }
        int run = (int) Math.max(0, Math.min(size, device.size() - offset));
        if (run > 0) {
            payload.limit(FuseProtocol.OUT_HEADER + run).position(FuseProtocol.OUT_HEADER);
            device.read(offset, payload);
        }
        return run;
    }

    private int write(int length) throws IOException {
        long offset = buffer.getLong(FuseProtocol.IO_OFFSET);
        int size = buffer.getInt(FuseProtocol.IO_SIZE);
        if (readOnly) {
            return -Errno.EROFS;
        }
        if (offset < 0 || size < 0 || size > length - FuseProtocol.WRITE_DATA) {
            return -Errno.EINVAL;
        }
        if (size > device.size() - offset) {
            return -Errno.ENOSPC;
        }
        payload.limit(FuseProtocol.WRITE_DATA + size).position(FuseProtocol.WRITE_DATA);
        device.write(offset, payload, Durability.NONE);
        clear(FuseProtocol.WRITE_OUT);
        buffer.putInt(FuseProtocol.OUT_HEADER, size);
        return FuseProtocol.WRITE_OUT;
    }

    /** A loop device that was asked to discard promises zeros afterwards, so nothing less is done. */
    private int fallocate() throws IOException {
        long offset = buffer.getLong(FuseProtocol.FALLOCATE_OFFSET);
        long length = buffer.getLong(FuseProtocol.FALLOCATE_LENGTH);
        int mode = buffer.getInt(FuseProtocol.FALLOCATE_MODE);
        if (readOnly) {
            return -Errno.EROFS;
        }
        boolean zeros = mode == (Fallocate.PUNCH_HOLE | Fallocate.KEEP_SIZE)
                || (mode & ~Fallocate.KEEP_SIZE) == Fallocate.ZERO_RANGE;
        if (!zeros) {
            return -Errno.EOPNOTSUPP;
        }
        if (offset < 0 || length < 0 || length > device.size() - offset) {
            return -Errno.EINVAL;
        }
        device.writeZeroes(offset, length, ZeroMode.MAY_UNMAP, Durability.NONE);
        return 0;
    }

    private int flush() throws IOException {
        device.flush();
        return 0;
    }

    /** The kernel's own cache of the file would be a second one below that of the loop device. */
    private int open() {
        clear(FuseProtocol.OPEN_OUT);
        buffer.putInt(FuseProtocol.OUT_HEADER + FuseProtocol.OPEN_FLAGS, FuseProtocol.FOPEN_DIRECT_IO);
        return FuseProtocol.OPEN_OUT;
    }

    private int statistics() {
        clear(FuseProtocol.STATFS_OUT);
        return FuseProtocol.STATFS_OUT;
    }

    private int init() {
        int major = buffer.getInt(FuseProtocol.IN_HEADER);
        int minor = buffer.getInt(FuseProtocol.INIT_MINOR);
        int readahead = buffer.getInt(FuseProtocol.INIT_READAHEAD);
        int flags = buffer.getInt(FuseProtocol.INIT_FLAGS);
        if (major != FuseProtocol.MAJOR) {
            return -EPROTO;
        }
        clear(FuseProtocol.INIT_OUT);
        int at = FuseProtocol.OUT_HEADER;
        buffer.putInt(at, FuseProtocol.MAJOR);
        buffer.putInt(at + 4, Math.min(minor, FuseProtocol.MINOR));
        buffer.putInt(at + FuseProtocol.INIT_OUT_READAHEAD, readahead);
        buffer.putInt(
                at + FuseProtocol.INIT_OUT_FLAGS,
                flags
                        & (FuseProtocol.ASYNC_READ
                                | FuseProtocol.BIG_WRITES
                                | FuseProtocol.ASYNC_DIO
                                | FuseProtocol.MAX_PAGES));
        buffer.putShort(at + FuseProtocol.INIT_OUT_BACKGROUND, BACKGROUND);
        buffer.putShort(at + FuseProtocol.INIT_OUT_CONGESTION, CONGESTION);
        buffer.putInt(at + FuseProtocol.INIT_OUT_WRITE, TRANSFER);
        buffer.putInt(at + FuseProtocol.INIT_OUT_TIME, 1);
        buffer.putShort(at + FuseProtocol.INIT_OUT_PAGES, (short) (TRANSFER / 4096));
        return FuseProtocol.INIT_OUT;
    }

    private int attributes() {
        clear(FuseProtocol.ATTR_OUT);
        int at = FuseProtocol.OUT_HEADER;
        buffer.putLong(at, ATTRIBUTES_SECONDS);
        buffer.putLong(at + FuseProtocol.ATTR_INO, 1);
        buffer.putLong(at + FuseProtocol.ATTR_SIZE, device.size());
        buffer.putLong(at + FuseProtocol.ATTR_BLOCKS, device.size() / SysBlock.SECTOR);
        buffer.putInt(at + FuseProtocol.ATTR_MODE, S_IFREG | (readOnly ? 0400 : 0600));
        buffer.putInt(at + FuseProtocol.ATTR_NLINK, 1);
        buffer.putInt(at + FuseProtocol.ATTR_BLKSIZE, 4096);
        return FuseProtocol.ATTR_OUT;
    }

    private int setAttributes() {
        boolean resizes = (buffer.getInt(FuseProtocol.SETATTR_VALID) & FuseProtocol.FATTR_SIZE) != 0
                && buffer.getLong(FuseProtocol.SETATTR_SIZE) != device.size();
        return resizes ? -Errno.EOPNOTSUPP : attributes();
    }

    private int seek() {
        long offset = buffer.getLong(FuseProtocol.LSEEK_OFFSET);
        int whence = buffer.getInt(FuseProtocol.LSEEK_WHENCE);
        if (whence != SEEK_DATA && whence != SEEK_HOLE) {
            return -Errno.EINVAL;
        }
        if (offset < 0 || offset >= device.size()) {
            return -Errno.ENXIO;
        }
        buffer.putLong(FuseProtocol.OUT_HEADER, whence == SEEK_DATA ? offset : device.size());
        return Long.BYTES;
    }

    private void clear(int body) {
        for (int at = FuseProtocol.OUT_HEADER; at < FuseProtocol.OUT_HEADER + body; at += Long.BYTES) {
            buffer.putLong(at, 0);
        }
    }

    private static int errnoOf(IOException e) {
        if (e instanceof ReadOnlyDeviceException) {
            return Errno.EROFS;
        }
        if (e instanceof BlockIOException block) {
            return switch (block.kind()) {
                case NO_SPACE -> Errno.ENOSPC;
                case TIMEOUT -> Errno.ETIMEDOUT;
                case IO, NOT_SUPPORTED, SHUTDOWN, BUSY -> Errno.EIO;
            };
        }
        return Errno.EIO;
    }
}
