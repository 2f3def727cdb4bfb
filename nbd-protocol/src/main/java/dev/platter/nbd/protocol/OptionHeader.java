package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;

/**
 * What begins an option of a client: 16 bytes.
 *
 * @param option one of {@link Options}, or any other number
 * @param length bytes of data that follow, 0 to 2^32-1
 */
public record OptionHeader(int option, long length) {
    /** Length on the wire. */
    public static final int BYTES = 16;

    /**
     * Takes a header from a buffer that holds one.
     *
     * @throws ProtocolException if it is none
     */
    public static OptionHeader take(ByteBuffer from) throws ProtocolException {
        long magic = from.getLong();
        if (magic != Magic.OPTION) {
            throw new ProtocolException(String.format("0x%016x where an option should begin", magic));
        }
        return new OptionHeader(from.getInt(), Integer.toUnsignedLong(from.getInt()));
    }

    /** Puts this header. */
    public void put(ByteBuffer into) {
        into.putLong(Magic.OPTION).putInt(option).putInt((int) length);
    }
}
