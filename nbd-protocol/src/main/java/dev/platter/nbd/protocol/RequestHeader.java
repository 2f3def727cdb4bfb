package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;

/**
 * What begins a request; section "Request message" and, for the extended form, "Extended requests". One object is used
 * again and again, so that a request costs no allocation. Not safe for several threads.
 */
public final class RequestHeader {
    /** Length on the wire. */
    public static final int BYTES = 28;

    /** Length on the wire of the extended form. */
    public static final int EXTENDED_BYTES = 32;

    private int flags;
    private int type;
    private long cookie;
    private long offset;
    private long length;

    /** Makes a header, to be filled by {@link #take} or {@link #set}. */
    public RequestHeader() {}

    /** Returns the length on the wire. */
    public static int bytes(boolean extended) {
        return extended ? EXTENDED_BYTES : BYTES;
    }

    /** Sets all fields; returns this. */
    public RequestHeader set(int newFlags, int newType, long newCookie, long newOffset, long newLength) {
        flags = newFlags;
        type = newType;
        cookie = newCookie;
        offset = newOffset;
        length = newLength;
        return this;
    }

    /**
     * Takes a header from a buffer that holds one.
     *
     * @throws ProtocolException if it is none
     */
    public void take(ByteBuffer from, boolean extended) throws ProtocolException {
        int magic = from.getInt();
        if (magic != (extended ? Magic.EXTENDED_REQUEST : Magic.REQUEST)) {
            throw new ProtocolException(String.format("0x%08x where a request should begin", magic));
        }
        flags = Short.toUnsignedInt(from.getShort());
        type = Short.toUnsignedInt(from.getShort());
        cookie = from.getLong();
        offset = from.getLong();
        length = extended ? from.getLong() : Integer.toUnsignedLong(from.getInt());
    }

    /** Puts this header. */
    public void put(ByteBuffer into, boolean extended) {
        into.putInt(extended ? Magic.EXTENDED_REQUEST : Magic.REQUEST);
        into.putShort((short) flags).putShort((short) type).putLong(cookie).putLong(offset);
        if (extended) {
            into.putLong(length);
        } else {
            into.putInt((int) length);
        }
    }

    /** Returns the {@link CommandFlags}, 16 bits. */
    public int flags() {
        return flags;
    }

    /** Returns which of {@link Commands} this is, or another number of 16 bits. */
    public int type() {
        return type;
    }

    /** Returns what its reply will carry. */
    public long cookie() {
        return cookie;
    }

    /** Returns the first byte; unsigned, so that a negative number is one far behind the end of any disk. */
    public long offset() {
        return offset;
    }

    /** Returns the length in bytes; unsigned in the extended form. */
    public long length() {
        return length;
    }

    /** Returns whether a flag is set. */
    public boolean has(int flag) {
        return (flags & flag) != 0;
    }

    @Override
    public String toString() {
        return Commands.name(type) + " of " + Long.toUnsignedString(length) + " bytes at "
                + Long.toUnsignedString(offset);
    }
}
