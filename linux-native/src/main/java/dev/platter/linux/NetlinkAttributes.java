package dev.platter.linux;

import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Attributes of a netlink message: length and type of 16 bits each, the value, and padding to 4 bytes, all in the byte order
 * of the machine. Layout: linux/netlink.h, {@code struct nlattr}.
 */
final class NetlinkAttributes {
    private static final int HEAD_BYTES = 4;
    private static final int NESTED = 0x8000;
    private static final int TYPE_MASK = 0x3fff;

    private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();

    /**
     * An attribute that was received.
     *
     * @param value in the byte order of the machine
     */
    record Attribute(int type, ByteBuffer value) {
        /** Returns the number in it, of 8 to 64 bits. */
        long number() {
            return switch (value.remaining()) {
                case 1 -> Byte.toUnsignedLong(value.get(value.position()));
                case 2 -> Short.toUnsignedLong(value.getShort(value.position()));
                case 4 -> Integer.toUnsignedLong(value.getInt(value.position()));
                case 8 -> value.getLong(value.position());
                default -> throw new IllegalArgumentException("attribute " + type + ": no number in " + value);
            };
        }

        /** Returns the text in it, without the NUL at its end. */
        String text() {
            String text = StandardCharsets.UTF_8.decode(value.duplicate()).toString();
            int end = text.indexOf(0);
            return end < 0 ? text : text.substring(0, end);
        }

        /** Returns the attributes in it. */
        List<Attribute> nested() {
            return parse(value);
        }
    }

    NetlinkAttributes putInt(int type, int value) {
        byte[] bytes = new byte[Integer.BYTES];
        ordered(bytes).putInt(value);
        return put(type, bytes);
    }

    NetlinkAttributes putLong(int type, long value) {
        byte[] bytes = new byte[Long.BYTES];
        ordered(bytes).putLong(value);
        return put(type, bytes);
    }

    NetlinkAttributes putText(int type, String value) {
        return put(type, (value + '\0').getBytes(StandardCharsets.UTF_8));
    }

    NetlinkAttributes putNested(int type, NetlinkAttributes inner) {
        return put(type | NESTED, inner.bytes());
    }

    private NetlinkAttributes put(int type, byte[] value) {
        int length = HEAD_BYTES + value.length;
        if (length > 0xffff) {
            throw new IllegalArgumentException("attribute " + type + ": " + value.length + " bytes do not fit");
        }
        byte[] head = new byte[HEAD_BYTES];
        ordered(head).putShort((short) length).putShort((short) type);
        bytes.writeBytes(head);
        bytes.writeBytes(value);
        bytes.writeBytes(new byte[padded(length) - length]);
        return this;
    }

    byte[] bytes() {
        return bytes.toByteArray();
    }

    /** Takes attributes apart; what is behind one that cannot be is left out. */
    static List<Attribute> parse(ByteBuffer received) {
        ByteBuffer in = received.duplicate().order(ByteOrder.nativeOrder());
        List<Attribute> attributes = new ArrayList<>();
        while (in.remaining() >= HEAD_BYTES) {
            int length = Short.toUnsignedInt(in.getShort(in.position()));
            int type = in.getShort(in.position() + Short.BYTES) & TYPE_MASK;
            if (length < HEAD_BYTES || length > in.remaining()) {
                break;
            }
            ByteBuffer value = in.slice(in.position() + HEAD_BYTES, length - HEAD_BYTES);
            attributes.add(new Attribute(type, value.order(ByteOrder.nativeOrder())));
            in.position(in.position() + Math.min(padded(length), in.remaining()));
        }
        return attributes;
    }

    /** Returns the first attribute of a type, or null. */
    static @Nullable Attribute find(List<Attribute> attributes, int type) {
        for (Attribute attribute : attributes) {
            if (attribute.type() == type) {
                return attribute;
            }
        }
        return null;
    }

    static int padded(int length) {
        return (length + 3) & ~3;
    }

    private static ByteBuffer ordered(byte[] bytes) {
        return ByteBuffer.wrap(bytes).order(ByteOrder.nativeOrder());
    }
}
