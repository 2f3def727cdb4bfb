package dev.platter.linux;

import dev.platter.linux.NetlinkAttributes.Attribute;
import java.io.Closeable;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The kernel's nbd driver, spoken to by generic netlink. Source: linux/nbd-netlink.h, drivers/block/nbd.c. */
final class NbdNetlink implements Closeable {
    static final int CMD_CONNECT = 1;
    static final int CMD_DISCONNECT = 2;
    static final int CMD_RECONFIGURE = 3;
    static final int CMD_STATUS = 5;

    static final int ATTR_INDEX = 1;
    static final int ATTR_SIZE_BYTES = 2;
    static final int ATTR_BLOCK_SIZE_BYTES = 3;
    static final int ATTR_TIMEOUT = 4;
    static final int ATTR_SERVER_FLAGS = 5;
    static final int ATTR_SOCKETS = 7;
    static final int ATTR_DEAD_CONN_TIMEOUT = 8;
    static final int ATTR_DEVICE_LIST = 9;
    static final int ATTR_BACKEND_IDENTIFIER = 10;

    static final int SOCK_ITEM = 1;
    static final int SOCK_FD = 1;
    static final int DEVICE_ITEM = 1;
    static final int DEVICE_INDEX = 1;
    static final int DEVICE_CONNECTED = 2;

    private final GenericNetlink netlink;
    private final int family;

    private NbdNetlink(GenericNetlink netlink, int family) {
        this.netlink = netlink;
        this.family = family;
    }

    /** Returns the way to the driver, or null if it is not loaded or too old. */
    static @Nullable NbdNetlink open() throws IOException {
        GenericNetlink netlink = GenericNetlink.open();
        try {
            return new NbdNetlink(netlink, netlink.family("nbd"));
        } catch (SystemCallException e) {
            netlink.close();
            if (e.errno() == Errno.ENOENT) {
                return null;
            }
            throw e;
        } catch (IOException | RuntimeException e) {
            netlink.close();
            throw e;
        }
    }

    /**
     * What the driver says of a device.
     *
     * @param connected whether somebody connected it
     */
    record Status(int index, boolean connected) {}

    /**
     * Connects a device.
     *
     * @param index its number, or -1 for one that is free
     * @param backend noted with the device by kernels from 5.14 on
     * @return its number
     */
    int connect(int index, NbdGeometry geometry, List<Descriptor> sockets, NbdDeviceOptions options, String backend)
            throws IOException {
        String what = (index < 0 ? "a free nbd device" : "/dev/nbd" + index) + ": NBD_CMD_CONNECT";
        for (List<Attribute> reply :
                request(what, CMD_CONNECT, connectMessage(index, geometry, sockets, options, backend))) {
            Attribute chosen = NetlinkAttributes.find(reply, ATTR_INDEX);
            if (chosen != null) {
                return (int) chosen.number();
            }
        }
        if (index < 0) {
            throw new SystemCallException(what + ": the kernel did not say which", Errno.EIO);
        }
        return index;
    }

    static NetlinkAttributes connectMessage(
            int index, NbdGeometry geometry, List<Descriptor> sockets, NbdDeviceOptions options, String backend) {
        NetlinkAttributes attributes = new NetlinkAttributes();
        if (index >= 0) {
            attributes.putInt(ATTR_INDEX, index);
        }
        attributes
                .putLong(ATTR_SIZE_BYTES, geometry.size())
                .putLong(ATTR_BLOCK_SIZE_BYTES, geometry.blockSize())
                .putLong(ATTR_SERVER_FLAGS, geometry.flags());
        if (!options.timeout().isZero()) {
            attributes.putLong(ATTR_TIMEOUT, options.timeout().toSeconds());
        }
        if (!options.reconnect().isZero()) {
            attributes.putLong(ATTR_DEAD_CONN_TIMEOUT, options.reconnect().toSeconds());
        }
        return attributes.putText(ATTR_BACKEND_IDENTIFIER, backend).putNested(ATTR_SOCKETS, socketList(sockets));
    }

    private static NetlinkAttributes socketList(List<Descriptor> sockets) {
        NetlinkAttributes list = new NetlinkAttributes();
        for (Descriptor socket : sockets) {
            list.putNested(SOCK_ITEM, new NetlinkAttributes().putInt(SOCK_FD, socket.number()));
        }
        return list;
    }

    /** Gives a device other sockets in place of those that are dead. */
    void reconfigure(int index, List<Descriptor> sockets, String backend) throws IOException {
        NetlinkAttributes attributes = new NetlinkAttributes()
                .putInt(ATTR_INDEX, index)
                .putText(ATTR_BACKEND_IDENTIFIER, backend)
                .putNested(ATTR_SOCKETS, socketList(sockets));
        request("/dev/nbd" + index + ": NBD_CMD_RECONFIGURE", CMD_RECONFIGURE, attributes);
    }

    void disconnect(int index) throws IOException {
        request(
                "/dev/nbd" + index + ": NBD_CMD_DISCONNECT",
                CMD_DISCONNECT,
                new NetlinkAttributes().putInt(ATTR_INDEX, index));
    }

    /** Returns all devices. */
    List<Status> status() throws IOException {
        List<Status> found = new ArrayList<>();
        for (List<Attribute> reply : request("NBD_CMD_STATUS", CMD_STATUS, new NetlinkAttributes())) {
            Attribute list = NetlinkAttributes.find(reply, ATTR_DEVICE_LIST);
            if (list == null) {
                continue;
            }
            for (Attribute item : list.nested()) {
                List<Attribute> facts = item.nested();
                Attribute index = NetlinkAttributes.find(facts, DEVICE_INDEX);
                Attribute connected = NetlinkAttributes.find(facts, DEVICE_CONNECTED);
                if (index != null && connected != null) {
                    found.add(new Status((int) index.number(), connected.number() != 0));
                }
            }
        }
        return found;
    }

    private List<List<Attribute>> request(String what, int command, NetlinkAttributes attributes) throws IOException {
        return netlink.request(what, family, command, attributes);
    }

    @Override
    public void close() {
        netlink.close();
    }
}
