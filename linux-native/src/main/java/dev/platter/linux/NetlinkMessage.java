package dev.platter.linux;

import dev.platter.linux.NetlinkAttributes.Attribute;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * A message of netlink. Layout: linux/netlink.h ({@code nlmsghdr}, {@code nlmsgerr}) and linux/genetlink.h ({@code
 * genlmsghdr}).
 *
 * @param type number of a family, or one of the types below
 * @param flags what the sender adds
 * @param sequence that of the request that it answers
 * @param body what follows the header, in the byte order of the machine
 */
record NetlinkMessage(int type, int flags, int sequence, ByteBuffer body) {
    /** An answer: yes if its error is 0. */
    static final int ERROR = 2;

    static final int DONE = 3;

    static final int REQUEST = 1;
    static final int ACK = 4;
    private static final int CAPPED = 0x100;
    private static final int ACK_TLVS = 0x200;

    private static final int HEAD_BYTES = 16;
    private static final int GENERIC_HEAD_BYTES = 4;
    private static final int ERROR_TEXT = 1;

    /** Returns the bytes of a request to a family of generic netlink. */
    static byte[] request(int family, int sequence, int command, NetlinkAttributes attributes) {
        byte[] payload = attributes.bytes();
        int length = HEAD_BYTES + GENERIC_HEAD_BYTES + payload.length;
        return ByteBuffer.allocate(length)
                .order(ByteOrder.nativeOrder())
                .putInt(length)
                .putShort((short) family)
                .putShort((short) (REQUEST | ACK))
                .putInt(sequence)
                .putInt(0)
                .put((byte) command)
                .put((byte) 1)
                .putShort((short) 0)
                .put(payload)
                .array();
    }

    /** Takes apart what one read gave; what is behind a message that cannot be is left out. */
    static List<NetlinkMessage> parse(ByteBuffer received) {
        ByteBuffer in = received.duplicate().order(ByteOrder.nativeOrder());
        List<NetlinkMessage> messages = new ArrayList<>();
        while (in.remaining() >= HEAD_BYTES) {
            int start = in.position();
            int length = in.getInt(start);
            if (length < HEAD_BYTES || length > in.remaining()) {
                break;
            }
            ByteBuffer body = in.slice(start + HEAD_BYTES, length - HEAD_BYTES).order(ByteOrder.nativeOrder());
            int type = Short.toUnsignedInt(in.getShort(start + 4));
            int flags = Short.toUnsignedInt(in.getShort(start + 6));
            messages.add(new NetlinkMessage(type, flags, in.getInt(start + 8), body));
            in.position(start + Math.min(NetlinkAttributes.padded(length), in.remaining()));
        }
        return messages;
    }

    /** Returns the number of the error that an answer tells, 0 for none. */
    int errno() {
        return body.remaining() < Integer.BYTES ? Errno.EIO : -body.getInt(0);
    }

    /** Returns what the kernel says about the error in words; empty if nothing. */
    String errorText() {
        if ((flags & ACK_TLVS) == 0 || body.remaining() < Integer.BYTES + HEAD_BYTES) {
            return "";
        }
        // an error repeats the whole request, unless it says that it kept only the header
        int request = (flags & CAPPED) != 0 ? HEAD_BYTES : NetlinkAttributes.padded(body.getInt(Integer.BYTES));
        int at = Integer.BYTES + request;
        if (request < HEAD_BYTES || at > body.remaining()) {
            return "";
        }
        List<Attribute> attributes = NetlinkAttributes.parse(body.slice(at, body.remaining() - at));
        Attribute text = NetlinkAttributes.find(attributes, ERROR_TEXT);
        return text == null ? "" : text.text();
    }

    /** Returns the attributes of a message of a family. */
    List<Attribute> attributes() {
        int head = Math.min(GENERIC_HEAD_BYTES, body.remaining());
        return NetlinkAttributes.parse(body.slice(head, body.remaining() - head));
    }
}
