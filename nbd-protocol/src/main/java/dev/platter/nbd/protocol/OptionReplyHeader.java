package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;

/**
 * What begins a reply to an option: 20 bytes.
 *
 * @param option the option that this answers
 * @param reply one of {@link OptionReplies}, or any other number
 * @param length bytes of data that follow, 0 to 2^32-1
 */
public record OptionReplyHeader(int option, int reply, long length) {
    /** Length on the wire. */
    public static final int BYTES = 20;

    /**
     * Takes a header from a buffer that holds one.
     *
     * @throws ProtocolException if it is none
     */
    public static OptionReplyHeader take(ByteBuffer from) throws ProtocolException {
        long magic = from.getLong();
        if (magic != Magic.OPTION_REPLY) {
            throw new ProtocolException(String.format("0x%016x where the reply to an option should begin", magic));
        }
        return new OptionReplyHeader(from.getInt(), from.getInt(), Integer.toUnsignedLong(from.getInt()));
    }

    /** Puts this header. */
    public void put(ByteBuffer into) {
        into.putLong(Magic.OPTION_REPLY).putInt(option).putInt(reply).putInt((int) length);
    }

    /** Returns a whole reply with data, ready to be sent. */
    public static ByteBuffer message(int option, int reply, byte[] data) {
        ByteBuffer out = ByteBuffer.allocate(BYTES + data.length);
        new OptionReplyHeader(option, reply, data.length).put(out);
        return out.put(data).flip();
    }

    /** Returns a whole reply that says what is wrong; a text that is too long is cut. */
    public static ByteBuffer error(int option, int reply, String text) {
        return message(option, reply, WireText.clipped(text));
    }
}
