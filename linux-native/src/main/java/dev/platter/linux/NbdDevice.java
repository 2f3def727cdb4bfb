package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.nbd.client.NbdUri;
import java.io.Closeable;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * A network block device of the kernel, {@code /dev/nbd0}, whose bytes come from a server: one in this process, for any
 * device of Platter, or one elsewhere.
 *
 * <pre>{@code
 * try (NbdDevice disk = NbdDevice.connect(image, NbdDeviceOptions.defaults())) {
 *     disk.partitions();   // [/dev/nbd0p1, …], found by the kernel
 * }                        // unmounted before, or this throws and nothing changed
 * }</pre>
 *
 * <p>It needs root (CAP_SYS_ADMIN) and the kernel's module {@code nbd}, which is loaded if it is not there.
 *
 * <p>When the server dies, what is asked of the device from then on fails (EIO); what was asked before, and all of it when the
 * server stops answering, fails after {@link NbdDeviceOptions#timeout}. Mounts and nodes stay until they are taken away: {@link
 * #disconnect} does that also for a process that is gone.
 *
 * <p>The kernel looks for partitions by itself and makes nodes for them, also for physical volumes of LVM, which this host's
 * own LVM then sees. Where that must not be, connect each logical volume as a device of its own.
 *
 * <p>A process that serves its own device must not wait for it: no thread of this process should read, map or swap to the
 * device or to what is mounted from it. Reading it from here is safe as long as the memory of this process is not full.
 *
 * <p>Safe for many threads.
 */
public final class NbdDevice implements Closeable {
    private static final long NODE_MILLIS = 5_000;
    private static final long GONE_MILLIS = 5_000;
    private static final long STEP_MILLIS = 100;

    private final NbdPeer peer;
    private final NbdGeometry geometry;
    private final NbdControl control;
    private final int connections;
    private boolean closed;

    private NbdDevice(NbdPeer peer, NbdGeometry geometry, NbdControl control, int connections) {
        this.peer = peer;
        this.geometry = geometry;
        this.control = control;
        this.connections = connections;
    }

    /**
     * An nbd device that somebody connected.
     *
     * @param path its node
     * @param size bytes
     * @param readOnly whether the kernel refuses writes
     * @param backend what was noted with it, {@code platter-} and more by us; null if nothing was, or the kernel is older than
     *     5.14, or the device was connected by ioctl
     */
    public record Connected(
            Path path,
            long size,
            boolean readOnly,
            @Nullable String backend) {}

    /**
     * Connects a device to a server in this process. The bytes stay the caller's: they are to be closed after this device.
     *
     * @param bytes what the device shows; written if they can be and the options do not forbid it
     * @throws BlockIOException if the kernel has no nbd devices, none is free, or the one named is in use; nothing is left
     */
    public static NbdDevice connect(BlockDevice bytes, NbdDeviceOptions options) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        NbdNodes.requireDriver();
        boolean view = options.readOnly() && !bytes.features().readOnly();
        OwnServer server = OwnServer.of(view ? BlockDevices.readOnly(bytes) : bytes);
        return connect(server, server.geometry(), options);
    }

    /**
     * Connects a device to a server elsewhere. This process does the handshake only: afterwards the kernel talks to the server
     * itself, and the device stays when this process ends.
     *
     * @param server address of an export; not with TLS, which the kernel does not speak: open the export in this process and
     *     connect to that
     */
    public static NbdDevice connect(NbdUri server, NbdDeviceOptions options) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.MAKE);
        NbdNodes.requireDriver();
        RemoteServer remote = RemoteServer.of(server);
        NbdGeometry geometry = options.readOnly() ? remote.geometry().asReadOnly() : remote.geometry();
        return connect(remote, geometry, options);
    }

    private static NbdDevice connect(NbdPeer peer, NbdGeometry geometry, NbdDeviceOptions options) throws IOException {
        try {
            int wanted = options.device() == null ? -1 : NbdNodes.index(options.device());
            int connections = geometry.connections(options.connections());
            NbdControl control = connect(peer, geometry, wanted, connections, options);
            NbdDevice device = new NbdDevice(peer, geometry, control, connections);
            try {
                device.findPartitions();
                return device;
            } catch (IOException | RuntimeException e) {
                control.disconnect();
                throw e;
            }
        } catch (IOException | RuntimeException e) {
            peer.close();
            throw e;
        }
    }

    private static NbdControl connect(
            NbdPeer peer, NbdGeometry geometry, int wanted, int connections, NbdDeviceOptions options)
            throws IOException {
        List<Descriptor> sockets = sockets(peer, connections);
        try {
            NbdNetlink netlink = options.by() == NbdDeviceOptions.Interface.IOCTL ? null : NbdNetlink.open();
            if (netlink == null) {
                if (options.by() == NbdDeviceOptions.Interface.NETLINK) {
                    NbdNodes.requireNetlink().close();
                }
                return IoctlControl.connect(wanted, geometry, sockets, options);
            }
            try (netlink) {
                String backend = "platter-" + UUID.randomUUID();
                return NetlinkControl.connect(netlink, wanted, geometry, sockets, options, backend);
            }
        } finally {
            // the kernel holds them by itself
            sockets.forEach(Descriptor::close);
        }
    }

    private static List<Descriptor> sockets(NbdPeer peer, int count) throws IOException {
        List<Descriptor> sockets = new ArrayList<>();
        try {
            for (int i = 0; i < count; i++) {
                sockets.add(peer.connect());
            }
            return sockets;
        } catch (IOException | RuntimeException e) {
            sockets.forEach(Descriptor::close);
            throw e;
        }
    }

    /** The kernel reads the partition table when the device is opened for the first time, and not before. */
    private void findPartitions() throws IOException {
        Path node = path();
        SysBlock.requireNode(node, SysBlock.of(node), NODE_MILLIS);
        Descriptor.open(node, LibC.O_RDONLY).close();
    }

    /** Returns the node: {@code /dev/nbd0}. */
    public Path path() {
        return NbdNodes.node(control.index());
    }

    /** Returns the size in bytes. */
    public long size() {
        return geometry.size();
    }

    /** Returns whether the kernel refuses writes. */
    public boolean isReadOnly() {
        return geometry.isReadOnly();
    }

    /** Returns the nodes of the partitions that the kernel has of it, by their numbers. */
    public List<Path> partitions() throws IOException {
        List<Path> folders = new ArrayList<>(SysBlock.partitions(path()));
        folders.sort(java.util.Comparator.comparingLong(
                folder -> SysBlock.number(folder.resolve("partition"), Long.MAX_VALUE)));
        return folders.stream()
                .map(folder -> path().resolveSibling(SysBlock.nameOf(folder)))
                .toList();
    }

    /** Returns whether the device is still there, and still this one. */
    public boolean isConnected() throws IOException {
        return control.isConnected();
    }

    /**
     * Gives the device new connections to its server in place of those that died. Requests that waited for that go on.
     *
     * @throws BlockIOException if no connection is dead, the server cannot be reached, or the device was connected by ioctl
     */
    public void reconnect() throws IOException {
        List<Descriptor> sockets = sockets(peer, connections);
        try {
            control.reconnect(sockets);
        } finally {
            sockets.forEach(Descriptor::close);
        }
    }

    /** Waits until the device is gone: until somebody disconnects it, {@code platter nbd -d} for instance. */
    public void awaitEnd() throws IOException, InterruptedException {
        while (control.isConnected()) {
            Thread.sleep(STEP_MILLIS);
        }
    }

    /**
     * Writes back what the kernel holds, takes the device away and ends the server. Does nothing if the device is gone already.
     *
     * @throws BlockIOException of kind BUSY, if the device is mounted or in use otherwise: it says by whom, and nothing
     *     changed, so that this can be called again. Any other failure is thrown after the device is gone: what was written
     *     last did not reach the server
     */
    @Override
    public synchronized void close() throws IOException {
        if (closed) {
            return;
        }
        IOException unwritten = null;
        if (control.isConnected()) {
            unwritten = takeAway(path(), control::disconnect);
        }
        closed = true;
        try {
            peer.close();
        } catch (IOException e) {
            if (unwritten == null) {
                throw e;
            }
            unwritten.addSuppressed(e);
        }
        if (unwritten != null) {
            throw unwritten;
        }
    }

    /**
     * Takes a device away that anybody connected: another process, or one that is gone. If the kernel has ended it by itself,
     * nodes of partitions that it left are taken away.
     *
     * @param device its node, {@code /dev/nbd0}
     * @throws BlockIOException of kind BUSY, if it is mounted or in use otherwise: it says by whom, and nothing changed; of
     *     another kind, if it is no nbd device or not connected. What could not be written back is thrown after it is gone
     */
    public static void disconnect(Path device) throws IOException {
        LinuxSystem.require(LinuxSystem.Purpose.TAKE_AWAY);
        int index = NbdNodes.index(device);
        if (!NbdNodes.isConnected(index)) {
            removeStale(device, NbdNodes.node(index));
            return;
        }
        IOException unwritten = takeAway(NbdNodes.node(index), () -> NbdNodes.disconnect(index));
        if (unwritten != null) {
            throw unwritten;
        }
    }

    private static void removeStale(Path device, Path node) throws IOException {
        if (SysBlock.partitions(node).isEmpty()) {
            throw new BlockIOException(Kind.NOT_SUPPORTED, device + ": is not connected", null);
        }
        requireUnused(node);
        try (Descriptor open = Descriptor.open(node, LibC.O_RDONLY)) {
            DevicePartitions.removeAll(node, open);
        }
    }

    /** Tells the kernel to end a device. */
    private interface Ending {
        void end() throws IOException;
    }

    /** Returns why not all was written back, or null if it was. */
    private static @Nullable IOException takeAway(Path node, Ending ending) throws IOException {
        requireUnused(node);
        IOException unwritten;
        try (Descriptor open = Descriptor.open(node, LibC.O_RDONLY)) {
            unwritten = isReadOnly(node) ? null : writeBack(node, open);
            // kernels up to 6.1 at least forget them when the device is opened next, and not before
            DevicePartitions.removeAll(node, open);
        }
        ending.end();
        if (!Waiting.until(() -> SysBlock.size(node) == 0, GONE_MILLIS)) {
            List<String> programs = Holders.programs(node);
            throw new BlockIOException(
                    Kind.BUSY,
                    node + ": is disconnected, and goes away when it is closed by "
                            + (programs.isEmpty() ? "those who have it open" : String.join(", ", programs)),
                    unwritten);
        }
        return unwritten;
    }

    private static @Nullable IOException writeBack(Path node, Descriptor open) {
        try {
            open.sync();
            return null;
        } catch (SystemCallException e) {
            return new BlockIOException(
                    e.kind(),
                    node + ": is gone; what was written last may not have reached the server: " + e.getMessage(),
                    e);
        }
    }

    private static void requireUnused(Path node) throws IOException {
        List<String> holders = Holders.of(node);
        if (!holders.isEmpty()) {
            throw Holders.busy(node, holders);
        }
        try {
            // refused to all but one of those that need it to themselves: mounts of other namespaces, swap, RAID
            Descriptor.open(node, LibC.O_RDONLY | LibC.O_EXCL).close();
        } catch (SystemCallException e) {
            if (e.errno() == Errno.EBUSY) {
                throw Holders.busy(node, List.of());
            }
            throw e;
        }
    }

    private static boolean isReadOnly(Path node) {
        return SysBlock.number(SysBlock.of(node).resolve("ro"), 0) != 0;
    }

    /** Returns the devices that are connected, by whomever, in the order of their numbers. */
    public static List<Connected> list() throws IOException {
        List<Connected> found = new ArrayList<>();
        for (int index : NbdNodes.all()) {
            Path node = NbdNodes.node(index);
            long size = SysBlock.size(node);
            if (size > 0) {
                found.add(new Connected(node, size, isReadOnly(node), NbdNodes.backend(index)));
            }
        }
        return found;
    }

    /** Returns who serves the device, and the device: {@code /dev/nbd0 (web.qcow2)}. */
    @Override
    public String toString() {
        return path() + " (" + peer.name() + ")";
    }
}
