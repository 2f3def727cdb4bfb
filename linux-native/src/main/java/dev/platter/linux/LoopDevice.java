package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A file as a block device of the kernel, {@code /dev/loop3}, until this is closed. Needs the capability CAP_SYS_ADMIN. Safe
 * for many threads.
 *
 * <p>Source: linux/loop.h, drivers/block/loop.c, util-linux lib/loopdev.c.
 */
public final class LoopDevice implements Closeable {
    private static final Path CONTROL = Path.of("/dev/loop-control");
    private static final int TRIES = 200;
    private static final long NODE_MILLIS = 5_000;
    private static final long DETACH_MILLIS = 10_000;
    private static final long LOCK_MILLIS = 20_000;

    private final Path path;
    private final long sequence;
    private final @Nullable Descriptor held;
    private boolean closed;

    /** @param held what keeps a device with autoclear; null for others, which others may take away without asking us */
    private LoopDevice(Path path, @Nullable Descriptor held) {
        this.path = path;
        this.sequence = SysBlock.sequence(path);
        this.held = held;
    }

    /**
     * Binds a file, or a block device, to a loop device that is free.
     *
     * @throws java.nio.file.NoSuchFileException if there is no such file
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if a size or an offset is none that a device can have, or this
     *     system has no loop devices; of kind {@code BUSY} if the range is bound already, and one of both can be written to:
     *     two devices over the same bytes have two caches, and destroy each other's writes
     */
    public static LoopDevice attach(Path file, LoopOptions options) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        long size = sizeOf(file);
        requireWhole(file, size, options);
        try (Descriptor backing = Descriptor.open(file, options.readOnly() ? LibC.O_RDONLY : LibC.O_RDWR);
                Descriptor control = openControl()) {
            lock(control);
            requireUnbound(file, size, options);
            for (int i = 0; i < TRIES; i++) {
                LoopDevice attached = tryAttach(control, backing, file, options);
                if (attached != null) {
                    return attached;
                }
            }
        }
        throw new BlockIOException(
                Kind.BUSY, CONTROL + ": other programs took each of " + TRIES + " free loop devices first", null);
    }

    private static Descriptor openControl() throws IOException {
        String refusal = KernelModule.loadFor(CONTROL, "loop");
        try {
            return Descriptor.open(CONTROL, LibC.O_RDWR);
        } catch (SystemCallException e) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    "this system has no loop devices: " + e.getMessage()
                            + (refusal == null ? "" : ", and their module cannot be loaded: " + refusal),
                    e);
        }
    }

    /** From the look at what is bound until this is: of two who bind one file at once, one has to see the other. */
    private static void lock(Descriptor control) throws IOException {
        if (!Waiting.until(control::tryLock, LOCK_MILLIS)) {
            throw new BlockIOException(
                    Kind.BUSY,
                    CONTROL + ": another process has been binding a loop device for " + LOCK_MILLIS + " ms: "
                            + String.join(", ", Holders.programs(Set.of(CONTROL.toString()), "lock:")),
                    null);
        }
    }

    /** Returns null if somebody else was faster. */
    private static @Nullable LoopDevice tryAttach(
            Descriptor control, Descriptor backing, Path file, LoopOptions options) throws IOException {
        int number = control.ioctl("LOOP_CTL_GET_FREE", LoopIoctls.LOOP_CTL_GET_FREE, null);
        Path path = Path.of("/dev/loop" + number);
        SysBlock.requireNode(path, SysBlock.of(path), NODE_MILLIS);
        Descriptor device;
        try {
            device = Descriptor.open(path, options.readOnly() ? LibC.O_RDONLY : LibC.O_RDWR);
        } catch (SystemCallException e) {
            return again(e);
        }
        try {
            removeStale(path, device);
            byte[] name = file.toAbsolutePath().toString().getBytes(StandardCharsets.UTF_8);
            configure(device, backing, options, name);
            if (options.autoclear()) {
                return new LoopDevice(path, device);
            }
            device.close();
            return new LoopDevice(path, null);
        } catch (SystemCallException e) {
            device.close();
            return again(e);
        } catch (IOException | RuntimeException e) {
            device.close();
            throw e;
        }
    }

    private static @Nullable LoopDevice again(SystemCallException e) throws IOException {
        if (e.errno() != Errno.EBUSY && e.errno() != Errno.EAGAIN && e.errno() != Errno.ENXIO) {
            throw e;
        }
        Waiting.pause();
        return null;
    }

    /** Partitions that somebody added to an earlier file of this number, and left there. */
    private static void removeStale(Path path, Descriptor device) throws IOException {
        if (LoopStatus.of(path) == null) {
            DevicePartitions.removeAll(path, device);
        }
    }

    private static void configure(Descriptor device, Descriptor backing, LoopOptions options, byte[] name)
            throws SystemCallException {
        try {
            device.ioctl(
                    "LOOP_CONFIGURE", LoopIoctls.LOOP_CONFIGURE, LoopIoctls.config(backing.number(), options, name));
        } catch (SystemCallException e) {
            // kernels before 5.8 do not know it; after a mistake in the options the other way says so, too
            if (e.errno() != Errno.EINVAL && e.errno() != Errno.ENOTTY && e.errno() != Errno.ENOSYS) {
                throw e;
            }
            configureInSteps(device, backing, options, name);
        }
    }

    /** As kernels before 5.8 want it. A device that is open for reading only becomes read-only by that. */
    static void configureInSteps(Descriptor device, Descriptor backing, LoopOptions options, byte[] name)
            throws SystemCallException {
        device.ioctl("LOOP_SET_FD", LoopIoctls.LOOP_SET_FD, backing.number());
        try {
            if (options.blockSize() != 0) {
                device.ioctl("LOOP_SET_BLOCK_SIZE", LoopIoctls.LOOP_SET_BLOCK_SIZE, options.blockSize());
            }
            setStatus(device, options, name);
            if (options.directIo()) {
                setDirectIo(device);
            }
        } catch (SystemCallException e) {
            try {
                device.ioctl("LOOP_CLR_FD", LoopIoctls.LOOP_CLR_FD, null);
            } catch (SystemCallException second) {
                e.addSuppressed(second);
            }
            throw e;
        }
    }

    private static void setStatus(Descriptor device, LoopOptions options, byte[] name) throws SystemCallException {
        for (int i = 0; ; i++) {
            try {
                device.ioctl("LOOP_SET_STATUS64", LoopIoctls.LOOP_SET_STATUS64, LoopIoctls.info(options, name));
                return;
            } catch (SystemCallException e) {
                // its cache is being written back
                if (e.errno() != Errno.EAGAIN || i == TRIES) {
                    throw e;
                }
                java.util.concurrent.locks.LockSupport.parkNanos(2_000_000);
            }
        }
    }

    private static void setDirectIo(Descriptor device) throws SystemCallException {
        try {
            device.ioctl("LOOP_SET_DIRECT_IO", LoopIoctls.LOOP_SET_DIRECT_IO, 1);
        } catch (SystemCallException e) {
            // a file that cannot: it goes on through the cache, as with LOOP_CONFIGURE
            if (e.errno() != Errno.EINVAL) {
                throw e;
            }
        }
    }

    private static long sizeOf(Path file) throws IOException {
        int mode = (Integer) Files.getAttribute(file, "unix:mode");
        if ((mode & 0170000) == 0100000) {
            return Files.size(file);
        }
        if ((mode & 0170000) != 0060000) {
            throw new BlockIOException(Kind.NOT_SUPPORTED, file + ": is neither a file nor a block device", null);
        }
        try (Descriptor device = Descriptor.open(file, LibC.O_RDONLY)) {
            return BlockIoctls.longOf(device, "BLKGETSIZE64", BlockIoctls.BLKGETSIZE64);
        }
    }

    /** The kernel would round down, and nobody would see the rest. */
    private static void requireWhole(Path file, long size, LoopOptions options) throws IOException {
        int unit = Math.max(SysBlock.SECTOR, options.blockSize());
        requireMultiple(file, "the offset", options.offset(), SysBlock.SECTOR);
        requireMultiple(file, "the length", options.sizeLimit(), unit);
        if (options.offset() >= size) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    file + ": the offset " + options.offset() + " lies at or beyond the end, at " + size,
                    null);
        }
        if (options.sizeLimit() > size - options.offset()) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    file + ": the length " + options.sizeLimit() + " from " + options.offset()
                            + " on leads beyond the end, at " + size,
                    null);
        }
        if (options.sizeLimit() == 0) {
            requireMultiple(file, "the size", size - options.offset(), unit);
        }
    }

    private static void requireMultiple(Path file, String what, long number, int unit) throws BlockIOException {
        if (number % unit != 0) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    file + ": " + what + ", " + number + " bytes, is no multiple of " + unit
                            + ", and devices have whole sectors only",
                    null);
        }
    }

    private static void requireUnbound(Path file, long size, LoopOptions options) throws IOException {
        long length = options.sizeLimit() == 0 ? size - options.offset() : options.sizeLimit();
        for (LoopStatus other : find(file)) {
            if ((!other.readOnly() || !options.readOnly()) && other.overlaps(options.offset(), length)) {
                throw new BlockIOException(
                        Kind.BUSY,
                        file + ": is bound to " + other.device() + " already"
                                + (other.readOnly() ? "" : ", for writing")
                                + "; a second device over the same bytes would not see its writes",
                        null);
            }
        }
    }

    /** Returns the loop devices that are bound now, those of other programs included. */
    public static List<LoopStatus> list() throws IOException {
        List<LoopStatus> bound = new ArrayList<>();
        for (Path folder : SysBlock.entries(SysBlock.FOLDER, "loop*", false)) {
            LoopStatus status = LoopStatus.of(Path.of("/dev").resolve(SysBlock.nameOf(folder)));
            if (status != null) {
                bound.add(status);
            }
        }
        return bound;
    }

    /** Returns the loop devices that are bound to a file now, under whatever name. */
    public static List<LoopStatus> find(Path file) throws IOException {
        List<LoopStatus> found = new ArrayList<>();
        for (LoopStatus status : list()) {
            if (status.isOn(file)) {
                found.add(status);
            }
        }
        return found;
    }

    /** Returns the node: {@code /dev/loop3}. */
    public Path path() {
        return path;
    }

    /** Returns what the kernel says of it now; null if it is not bound any more, or to something else. */
    public @Nullable LoopStatus status() {
        LoopStatus status = LoopStatus.of(path);
        return status != null && status.sequence() == sequence ? status : null;
    }

    /**
     * Takes the device away, and waits until it is gone. Does nothing if it is gone already. If somebody uses it, it stays as
     * it was, and this can be called again.
     *
     * @throws BlockIOException of kind {@code BUSY} if somebody uses it; the message says who. Of kind {@code IO} if it is gone,
     *     but not all that was written could be stored
     */
    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        SystemCallException lost = status() == null ? null : detach(path, sequence, held);
        leave();
        if (lost != null) {
            throw loss(path, lost);
        }
    }

    /** Leaves the device to those who have it open or mounted: with {@code autoclear} it goes away with the last of them. */
    public synchronized void leave() {
        closed = true;
        if (held != null) {
            held.close();
        }
    }

    /**
     * Takes a loop device away, whoever made it, and waits until it is gone. Does nothing if it is not bound.
     *
     * @throws BlockIOException of kind {@code BUSY} if somebody uses it; the message says who, and nothing was changed. Of kind
     *     {@code IO} if it is gone, but not all that was written could be stored
     */
    public static void detach(Path device) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.TAKE_AWAY);
        SystemCallException lost = tryDetach(device);
        if (lost != null) {
            throw loss(device, lost);
        }
    }

    /** Returns why not all that was written could be stored, or null. */
    static @Nullable SystemCallException tryDetach(Path device) throws IOException {
        return LoopStatus.of(device) == null ? null : detach(device, SysBlock.sequence(device), null);
    }

    private static BlockIOException loss(Path path, SystemCallException cause) {
        return new BlockIOException(
                Kind.IO,
                path + ": is gone, but what was written last could not be stored: " + cause.getMessage(),
                cause);
    }

    private static @Nullable SystemCallException detach(Path path, long sequence, @Nullable Descriptor held)
            throws IOException {
        Holders.requireUnused(List.of(path));
        SystemCallException lost = null;
        try (Descriptor exclusive = openExclusively(path)) {
            if (SysBlock.sequence(path) != sequence) {
                // it went away by itself meanwhile, and the number is somebody else's; now it can no more
                return null;
            }
            lost = sync(path, exclusive);
            DevicePartitions.removeAll(path, exclusive);
            if (held != null) {
                // with another descriptor open, the kernel would only promise
                held.close();
            }
            exclusive.ioctl("LOOP_CLR_FD", LoopIoctls.LOOP_CLR_FD, null);
        } catch (SystemCallException e) {
            if (e.errno() != Errno.ENXIO) {
                throw e;
            }
        }
        awaitGone(path, sequence);
        return lost;
    }

    /** Returns why not all of it could be stored, or null. */
    static @Nullable SystemCallException sync(Path path, Descriptor device) {
        if (SysBlock.number(SysBlock.of(path).resolve("ro"), 1) == 1) {
            return null;
        }
        try {
            device.sync();
            return null;
        } catch (SystemCallException e) {
            return e;
        }
    }

    private static void awaitGone(Path path, long sequence) throws IOException {
        boolean gone =
                Waiting.until(() -> LoopStatus.of(path) == null || SysBlock.sequence(path) != sequence, DETACH_MILLIS);
        if (!gone) {
            List<String> holders = new ArrayList<>(Holders.of(path));
            holders.addAll(Holders.programs(path));
            throw new BlockIOException(
                    Kind.BUSY,
                    path + ": goes away when the last user closes it: "
                            + (holders.isEmpty() ? "nobody can be seen" : String.join(", ", holders)),
                    null);
        }
    }

    /** Opens a device as the only user; mounts and other devices count. */
    static Descriptor openExclusively(Path path) throws IOException {
        try {
            return Descriptor.open(path, LibC.O_RDONLY | LibC.O_EXCL);
        } catch (SystemCallException e) {
            if (e.errno() == Errno.EBUSY) {
                throw Holders.busy(path, Holders.programs(path));
            }
            throw e;
        }
    }
}
