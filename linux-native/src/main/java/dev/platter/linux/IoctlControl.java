package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A device that was connected by ioctl. The kernel borrows a thread for as long as it lives: NBD_DO_IT returns when it ends.
 * Source: linux/nbd.h, drivers/block/nbd.c.
 */
final class IoctlControl implements NbdControl {
    private static final long SET_SOCK = 0xAB00;
    private static final long SET_BLKSIZE = 0xAB01;
    private static final long DO_IT = 0xAB03;
    private static final long CLEAR_SOCK = 0xAB04;
    private static final long CLEAR_QUE = 0xAB05;
    private static final long SET_SIZE_BLOCKS = 0xAB07;
    private static final long DISCONNECT = 0xAB08;
    private static final long SET_TIMEOUT = 0xAB09;
    private static final long SET_FLAGS = 0xAB0A;

    private static final long BLKRRPART = 0x125F;

    private static final long START_MILLIS = 10_000;
    private static final Duration PATIENCE = Duration.ofSeconds(5);

    private final int index;
    private final Descriptor device;
    private final Thread thread;
    private volatile @Nullable SystemCallException failure;

    private IoctlControl(int index, Descriptor device) {
        this.index = index;
        this.device = device;
        this.thread = new Thread(this::serve, "nbd" + index);
        thread.setDaemon(true);
    }

    /**
     * Connects a device.
     *
     * @param wanted its number, or -1 for one that is free
     */
    static IoctlControl connect(int wanted, NbdGeometry geometry, List<Descriptor> sockets, NbdDeviceOptions options)
            throws IOException {
        for (int index : wanted >= 0 ? List.of(wanted) : NbdNodes.free()) {
            if (NbdNodes.isConnected(index)) {
                // the thread that connected it could add a socket to it: the kernel asks who comes, not for what
                continue;
            }
            Descriptor device = Descriptor.open(NbdNodes.node(index), LibC.O_RDWR);
            if (configure(index, device, geometry, sockets, options)) {
                return new IoctlControl(index, device).start();
            }
            // somebody else was faster
            device.close();
        }
        throw new BlockIOException(
                Kind.BUSY,
                wanted >= 0
                        ? NbdNodes.node(wanted) + ": is connected already; choose another or disconnect it"
                        : "all nbd devices are connected; disconnect one, or load the module with more: modprobe nbd"
                                + " nbds_max=64",
                null);
    }

    /** Returns whether the device was free; if it was, it is ours now. */
    private static boolean configure(
            int index, Descriptor device, NbdGeometry geometry, List<Descriptor> sockets, NbdDeviceOptions options)
            throws IOException {
        boolean ours = false;
        try {
            for (Descriptor socket : sockets) {
                device.ioctl("NBD_SET_SOCK", SET_SOCK, socket.number());
                ours = true;
            }
            device.ioctl("NBD_SET_BLKSIZE", SET_BLKSIZE, geometry.blockSize());
            device.ioctl("NBD_SET_SIZE_BLOCKS", SET_SIZE_BLOCKS, geometry.size() / geometry.blockSize());
            device.ioctl("NBD_SET_FLAGS", SET_FLAGS, geometry.flags());
            device.ioctl("NBD_SET_TIMEOUT", SET_TIMEOUT, options.timeout().toSeconds());
            return true;
        } catch (SystemCallException e) {
            // a device that was connected by netlink takes no socket either, and says that it is a wrong one
            boolean wrong = e.errno() == Errno.EINVAL && NbdNodes.isConnected(index);
            if (!ours && (wrong || e.errno() == Errno.EBUSY)) {
                return false;
            }
            clear(device, ours, e);
            throw e;
        }
    }

    private static void clear(Descriptor device, boolean ours, IOException reason) {
        try (device) {
            if (ours) {
                device.ioctl("NBD_CLEAR_SOCK", CLEAR_SOCK, 0L);
            }
        } catch (SystemCallException e) {
            reason.addSuppressed(e);
        }
    }

    /** From here on the descriptor is the thread's. */
    private IoctlControl start() throws IOException {
        thread.start();
        Path node = NbdNodes.node(index);
        boolean started = Waiting.until(() -> SysBlock.size(node) > 0 || !thread.isAlive(), START_MILLIS);
        if (started && thread.isAlive()) {
            findPartitions();
            return this;
        }
        if (thread.isAlive()) {
            disconnect();
        }
        SystemCallException reason = failure;
        throw new BlockIOException(
                Kind.IO,
                node + ": NBD_DO_IT did not begin to serve" + (reason == null ? "" : ": " + reason.getMessage()),
                reason);
    }

    /** The kernel promises itself to look for partitions only after the device has a size: an open in between finds none. */
    private void findPartitions() throws IOException {
        try (Descriptor open = Descriptor.open(NbdNodes.node(index), LibC.O_RDONLY)) {
            open.ioctl("BLKRRPART", BLKRRPART, 0L);
        } catch (SystemCallException e) {
            // a kernel that was told to have none (max_part=0), or a table that cannot be read: there is a device all
            // the same
            if (e.errno() != Errno.EINVAL && e.errno() != Errno.EIO) {
                throw e;
            }
        }
    }

    private void serve() {
        try {
            device.ioctl("NBD_DO_IT", DO_IT, 0L);
        } catch (SystemCallException e) {
            failure = e;
        }
        try {
            device.ioctl("NBD_CLEAR_QUE", CLEAR_QUE, 0L);
            device.ioctl("NBD_CLEAR_SOCK", CLEAR_SOCK, 0L);
        } catch (SystemCallException e) {
            failure = e;
        } finally {
            device.close();
        }
    }

    @Override
    public int index() {
        return index;
    }

    @Override
    public boolean isConnected() {
        return thread.isAlive();
    }

    @Override
    public void reconnect(List<Descriptor> sockets) throws IOException {
        throw new BlockIOException(
                Kind.NOT_SUPPORTED,
                NbdNodes.node(index) + ": was connected by ioctl, which knows no other sockets later; use netlink",
                null);
    }

    @Override
    public void disconnect() throws IOException {
        // a descriptor of its own: the thread closes the other when it leaves the call
        try (Descriptor own = Descriptor.open(NbdNodes.node(index), LibC.O_RDWR)) {
            own.ioctl("NBD_DISCONNECT", DISCONNECT, 0L);
            if (!ends()) {
                own.ioctl("NBD_CLEAR_SOCK", CLEAR_SOCK, 0L);
                if (!ends()) {
                    throw new BlockIOException(
                            Kind.TIMEOUT,
                            NbdNodes.node(index) + ": the kernel did not end it in " + PATIENCE.toSeconds() + " s",
                            null);
                }
            }
        }
    }

    private boolean ends() throws IOException {
        return Waiting.until(() -> !thread.isAlive(), PATIENCE.toMillis());
    }

    /** Ends a device that anybody connected in either way, as {@code qemu-nbd -d} does. */
    static void disconnect(Path node) throws IOException {
        try (Descriptor device = Descriptor.open(node, LibC.O_RDWR)) {
            device.ioctl("NBD_CLEAR_QUE", CLEAR_QUE, 0L);
            device.ioctl("NBD_DISCONNECT", DISCONNECT, 0L);
            device.ioctl("NBD_CLEAR_SOCK", CLEAR_SOCK, 0L);
        }
    }
}
