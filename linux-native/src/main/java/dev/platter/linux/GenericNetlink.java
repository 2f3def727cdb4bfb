package dev.platter.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import dev.platter.core.BlockIOException;
import dev.platter.linux.NetlinkAttributes.Attribute;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

/**
 * A socket to the parts of the kernel that are spoken to by generic netlink. Not for many threads at a time. Documents:
 * linux/netlink.h, linux/genetlink.h.
 */
final class GenericNetlink implements Closeable {
    private static final int NETLINK_GENERIC = 16;
    private static final int ADDRESS_BYTES = 12;
    private static final int CONTROL_FAMILY = 16;
    private static final int CONTROL_GETFAMILY = 3;
    private static final int CONTROL_ATTR_FAMILY_ID = 1;
    private static final int CONTROL_ATTR_FAMILY_NAME = 2;
    private static final int BUFFER_BYTES = 64 << 10;

    /** The kernel answers before the sending returns; a wait this long means that nothing will come. */
    private static final Duration PATIENCE = Duration.ofSeconds(10);

    private final Descriptor socket;
    private int sequence;

    private GenericNetlink(Descriptor socket) {
        this.socket = socket;
    }

    static GenericNetlink open() throws IOException {
        int number = SocketCalls.socket(
                SocketCalls.AF_NETLINK, SocketCalls.SOCK_RAW | SocketCalls.SOCK_CLOEXEC, NETLINK_GENERIC);
        if (number < 0) {
            throw new SystemCallException("cannot make a netlink socket", Native.getLastError());
        }
        Descriptor socket = Descriptor.of("netlink", number);
        try {
            ByteBuffer address = ByteBuffer.allocate(ADDRESS_BYTES).order(ByteOrder.nativeOrder());
            try (Memory memory = NativeSocket.copy(address.putShort(0, (short) SocketCalls.AF_NETLINK))) {
                if (SocketCalls.bind(number, memory, ADDRESS_BYTES) != 0) {
                    throw new SystemCallException("netlink: bind", Native.getLastError());
                }
            }
            ByteBuffer yes = NativeSocket.integer(1);
            NativeSocket.option(socket, SocketCalls.SOL_NETLINK, SocketCalls.NETLINK_EXT_ACK, yes);
            NativeSocket.option(socket, SocketCalls.SOL_NETLINK, SocketCalls.NETLINK_CAP_ACK, yes);
            NativeSocket.option(socket, SocketCalls.SOL_SOCKET, SocketCalls.SO_RCVTIMEO, NativeSocket.time(PATIENCE));
            return new GenericNetlink(socket);
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    /**
     * Returns the number of a family.
     *
     * @throws SystemCallException with {@link Errno#ENOENT} if the kernel has none of that name
     */
    int family(String name) throws IOException {
        NetlinkAttributes attributes = new NetlinkAttributes().putText(CONTROL_ATTR_FAMILY_NAME, name);
        for (List<Attribute> reply : request("family " + name, CONTROL_FAMILY, CONTROL_GETFAMILY, attributes)) {
            Attribute id = NetlinkAttributes.find(reply, CONTROL_ATTR_FAMILY_ID);
            if (id != null) {
                return (int) id.number();
            }
        }
        throw new SystemCallException("netlink: family " + name, Errno.ENOENT);
    }

    /**
     * Makes a request.
     *
     * @param what its name, for messages
     * @return the attributes of each reply
     * @throws SystemCallException if the kernel says no, with its number and its words if it has any
     */
    List<List<Attribute>> request(String what, int family, int command, NetlinkAttributes attributes)
            throws IOException {
        sequence++;
        send(what, ByteBuffer.wrap(NetlinkMessage.request(family, sequence, command, attributes)));
        List<List<Attribute>> replies = new ArrayList<>();
        while (true) {
            for (NetlinkMessage message : receive(what)) {
                if (message.sequence() != sequence) {
                    continue;
                }
                if (message.type() == NetlinkMessage.ERROR) {
                    requireSuccess(what, message);
                    return replies;
                }
                if (message.type() != NetlinkMessage.DONE) {
                    replies.add(message.attributes());
                }
            }
        }
    }

    private static void requireSuccess(String what, NetlinkMessage answer) throws SystemCallException {
        if (answer.errno() != 0) {
            String words = answer.errorText();
            throw new SystemCallException(words.isEmpty() ? what : what + ": " + words, answer.errno());
        }
    }

    private void send(String what, ByteBuffer message) throws IOException {
        try (Memory memory = NativeSocket.copy(message)) {
            while (LibC.write(socket.number(), memory, message.limit()) < 0) {
                int errno = Native.getLastError();
                if (errno != Errno.EINTR) {
                    throw new SystemCallException(what, errno);
                }
            }
        }
    }

    private List<NetlinkMessage> receive(String what) throws IOException {
        try (Memory memory = new Memory(BUFFER_BYTES)) {
            while (true) {
                long count = LibC.read(socket.number(), memory, BUFFER_BYTES);
                if (count >= 0) {
                    ByteBuffer copy = ByteBuffer.allocate((int) count);
                    copy.put(memory.getByteBuffer(0, count)).flip();
                    return NetlinkMessage.parse(copy);
                }
                int errno = Native.getLastError();
                if (errno == Errno.EAGAIN) {
                    throw new BlockIOException(
                            BlockIOException.Kind.TIMEOUT,
                            what + ": the kernel did not answer in " + PATIENCE.toSeconds() + " s",
                            null);
                }
                if (errno != Errno.EINTR) {
                    throw new SystemCallException(what, errno);
                }
            }
        }
    }

    @Override
    public void close() {
        socket.close();
    }
}
