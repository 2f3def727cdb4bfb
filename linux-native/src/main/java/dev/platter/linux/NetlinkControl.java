package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.io.IOException;
import java.util.List;

/** A device that was connected by netlink. The kernel holds its sockets; nothing of this process is needed for it. */
final class NetlinkControl implements NbdControl {
    private final int index;
    private final String backend;

    private NetlinkControl(int index, String backend) {
        this.index = index;
        this.backend = backend;
    }

    static NetlinkControl connect(
            NbdNetlink netlink,
            int index,
            NbdGeometry geometry,
            List<Descriptor> sockets,
            NbdDeviceOptions options,
            String backend)
            throws IOException {
        try {
            return new NetlinkControl(netlink.connect(index, geometry, sockets, options, backend), backend);
        } catch (SystemCallException e) {
            if (e.errno() == Errno.EBUSY && index >= 0) {
                throw new BlockIOException(
                        Kind.BUSY, NbdNodes.node(index) + ": is connected already; choose another or disconnect it", e);
            }
            throw e;
        }
    }

    @Override
    public int index() {
        return index;
    }

    @Override
    public boolean isConnected() {
        String noted = NbdNodes.backend(index);
        return SysBlock.size(NbdNodes.node(index)) > 0 && (noted == null || noted.equals(backend));
    }

    @Override
    public void reconnect(List<Descriptor> sockets) throws IOException {
        try (NbdNetlink netlink = NbdNodes.requireNetlink()) {
            netlink.reconfigure(index, sockets, backend);
        }
    }

    @Override
    public void disconnect() throws IOException {
        NbdNodes.disconnect(index);
    }
}
