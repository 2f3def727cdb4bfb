package dev.platter.linux;

import com.sun.jna.Native;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A device as one file, served to the kernel by threads of this process over {@code /dev/fuse}: the root of the mount is the
 * file itself, so there are no names and no folders. A loop device over it makes a block device of anything that has bytes,
 * where the kernel has no nbd.
 *
 * <p><b>If the process dies</b> the kernel ends the connection, because nobody has it open any more: who waits for the file
 * gets an error at once, and the mount stays, empty. <b>If it hangs</b>, stopped by a signal or by its own memory, nobody in it
 * can help, and whoever waits for the device would wait for ever. So there can be a watchdog: a shell of a few lines that gets
 * a byte from this process every so often. Without one in time, it ends the connection; at the end of its input, it unmounts.
 * It is a process because it must not share the fate of this one, and a shell because it must not take memory for itself: it
 * is started only if it is asked for. A single request that takes longer than that time ends the connection, too.
 *
 * <p>Source: linux/fuse.h, Documentation/filesystems/fuse.rst.
 */
final class FuseFile implements Closeable {
    private static final Path DEVICE = Path.of("/dev/fuse");
    private static final long MS_RDONLY = 1;
    private static final long MS_NOSUID = 2;
    private static final long MS_NODEV = 4;
    private static final int MNT_FORCE = 1;
    private static final int MNT_DETACH = 2;
    private static final int UMOUNT_NOFOLLOW = 8;
    private static final long END_MILLIS = 10_000;
    private static final long UNMOUNT_MILLIS = 3_000;

    private final Path file;
    private final Descriptor connection;
    private final List<FuseServer> servers = new ArrayList<>();
    private final List<Thread> threads = new ArrayList<>();
    private int number;
    private @Nullable FuseWatchdog watchdog;
    private boolean unmounted;

    private FuseFile(Path file, Descriptor connection) {
        this.file = file;
        this.connection = connection;
    }

    /**
     * Mounts a device on an empty file, in a folder that others cannot change.
     *
     * @param threads that answer, at least 1
     * @param limit after which a request, or this process, counts as stuck; null for no watchdog
     * @param onError told of each request that failed; called by the threads that answer
     */
    static FuseFile mount(
            BlockDevice device,
            Path file,
            boolean readOnly,
            int threads,
            @Nullable Duration limit,
            Consumer<? super IOException> onError)
            throws IOException {
        Descriptor connection = openDevice();
        FuseFile mounted = null;
        try {
            String options = "fd=" + connection.number()
                    + ",rootmode=100000,user_id=0,group_id=0,allow_other,default_permissions,max_read="
                    + FuseServer.TRANSFER;
            long flags = MS_NOSUID | MS_NODEV | (readOnly ? MS_RDONLY : 0);
            if (LibC.mount("platter", file.toString(), "fuse.platter", flags, options) != 0) {
                throw new SystemCallException(file + ": mount", Native.getLastError());
            }
            mounted = new FuseFile(file, connection);
            mounted.start(device, readOnly, threads, limit, onError);
            return mounted;
        } catch (IOException | RuntimeException e) {
            if (mounted != null) {
                mounted.giveUp(e);
            }
            connection.close();
            throw e;
        }
    }

    /** Before any thread has begun to answer. */
    private void giveUp(Exception reason) {
        try {
            if (watchdog != null) {
                watchdog.close();
            }
            unmountLazily(file);
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    private static Descriptor openDevice() throws IOException {
        String refusal = KernelModule.loadFor(DEVICE, "fuse");
        try {
            return Descriptor.open(DEVICE, LibC.O_RDWR);
        } catch (SystemCallException e) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    "this system has no FUSE: " + e.getMessage()
                            + (refusal == null ? "" : ", and its module cannot be loaded: " + refusal),
                    e);
        }
    }

    private void start(
            BlockDevice device,
            boolean readOnly,
            int count,
            @Nullable Duration limit,
            Consumer<? super IOException> onError)
            throws IOException {
        number = connectionNumber(file);
        for (int i = 0; i < count; i++) {
            FuseServer server = new FuseServer(connection, device, readOnly, onError, this::abort);
            Thread thread = new Thread(server, "fuse " + i + " of " + file);
            thread.setDaemon(true);
            servers.add(server);
            threads.add(thread);
        }
        if (limit != null) {
            watchdog = FuseWatchdog.start(file, number, limit, () -> isStuck(limit), this::abort);
        }
        threads.forEach(Thread::start);
    }

    private boolean isStuck(Duration limit) {
        for (FuseServer server : servers) {
            if (server.isStuck(limit.toNanos())) {
                return true;
            }
        }
        return false;
    }

    /** The number of the device that the kernel makes up for the mount is the connection's, too. */
    private static int connectionNumber(Path file) throws IOException {
        MountTable.Mount mount = MountTable.at(file);
        if (mount == null) {
            throw new BlockIOException(Kind.IO, file + ": is not in the table of mounts", null);
        }
        return mount.minor();
    }

    /** Ends the connection: who waits for the file gets an error. Does nothing if it has ended. */
    private void abort() {
        try {
            // its number may be another mount's by now
            if (isMounted(file)) {
                Files.writeString(FuseWatchdog.abortFile(number), "1", StandardOpenOption.WRITE);
            }
        } catch (IOException e) {
            // no fusectl: a forced unmount begins with the same, and may fail after that
            LibC.umount2(file.toString(), MNT_FORCE | UMOUNT_NOFOLLOW);
        }
    }

    /** Returns whether the file is still served. */
    boolean isServed() {
        for (Thread thread : threads) {
            if (thread.isAlive()) {
                return true;
            }
        }
        return false;
    }

    /**
     * Unmounts the file and ends the threads. Changes nothing if somebody has it open, and can be called again then.
     *
     * @throws BlockIOException of kind {@code BUSY} if somebody has it open; the message says who
     */
    @Override
    public synchronized void close() throws IOException {
        if (!unmounted) {
            unmount(file);
            unmounted = true;
        }
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(END_MILLIS);
        for (Thread thread : threads) {
            join(thread, end);
        }
        if (watchdog != null) {
            watchdog.close();
        }
        if (isServed()) {
            // a read of the device hangs; its thread must not find another file behind the number later
            throw new BlockIOException(
                    Kind.TIMEOUT, file + ": is unmounted, but a request of the device does not come to its end", null);
        }
        connection.close();
    }

    private static void join(Thread thread, long end) throws IOException {
        Waiting.until(() -> !thread.isAlive(), Math.max(0, TimeUnit.NANOSECONDS.toMillis(end - System.nanoTime())));
    }

    /**
     * Unmounts a file of ours, whoever serves it. Does nothing if it is not mounted.
     *
     * @throws BlockIOException of kind {@code BUSY} if somebody has it open; the message says who
     */
    static void unmount(Path file) throws IOException {
        if (!isMounted(file)) {
            return;
        }
        // the kernel closes the file of a loop device that has gone a moment after it
        boolean[] busy = {false};
        Waiting.until(
                () -> {
                    busy[0] = !tryUnmount(file, 0);
                    return !busy[0] || !loopsOn(file).isEmpty();
                },
                UNMOUNT_MILLIS);
        if (busy[0]) {
            List<String> holders = loopsOn(file);
            holders.addAll(Holders.programs(Set.of(file.toString()), ""));
            throw Holders.busy(file, holders);
        }
    }

    /** Takes the mount out of sight, whoever has the file open; it goes away with the last of them. */
    static void unmountLazily(Path file) throws IOException {
        if (isMounted(file)) {
            tryUnmount(file, MNT_DETACH);
        }
    }

    static boolean isMounted(Path file) throws IOException {
        MountTable.Mount mount = MountTable.at(file);
        return mount != null && mount.type().startsWith("fuse");
    }

    private static boolean tryUnmount(Path file, int flags) throws IOException {
        if (LibC.umount2(file.toString(), flags | UMOUNT_NOFOLLOW) == 0) {
            return true;
        }
        int errno = Native.getLastError();
        if (errno == Errno.EBUSY) {
            return false;
        }
        if (errno == Errno.EINVAL && !isMounted(file)) {
            return true; // somebody else was faster
        }
        throw new SystemCallException(file + ": umount", errno);
    }

    private static List<String> loopsOn(Path file) throws IOException {
        List<String> loops = new ArrayList<>();
        for (LoopStatus loop : LoopDevice.list()) {
            if (loop.backingFile().equals(file.toString())) {
                loops.add("in use by " + loop.device());
            }
        }
        return loops;
    }
}
