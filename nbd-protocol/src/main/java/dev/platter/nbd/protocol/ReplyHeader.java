package dev.platter.nbd.protocol;

import java.nio.ByteBuffer;

/**
 * What begins a reply, or a chunk of one; sections "Simple reply message", "Structured reply chunk message" and "Extended
 * reply". One object is used again and again, so that a reply costs no allocation. Not safe for several threads.
 */
public final class ReplyHeader {
    /** Length on the wire of a simple reply. */
    public static final int SIMPLE_BYTES = 16;

    /** Length on the wire of a chunk. */
    public static final int CHUNK_BYTES = 20;

    /** Length on the wire of a chunk with an extended header. */
    public static final int EXTENDED_BYTES = 32;

    /** The forms a reply can have. */
    public enum Form {
        SIMPLE,
        STRUCTURED,
        EXTENDED
    }

    private Form form = Form.SIMPLE;
    private int error;
    private int flags;
    private int type;
    private long cookie;
    private long offset;
    private long length;

    /** Makes a header, to be filled by {@link #take}. */
    public ReplyHeader() {}

    /** Puts a simple reply, without data. */
    public static void putSimple(ByteBuffer into, int error, long cookie) {
        into.putInt(Magic.SIMPLE_REPLY).putInt(error).putLong(cookie);
    }

    /** Puts the header of a chunk, {@value #CHUNK_BYTES} bytes. */
    public static void putChunk(ByteBuffer into, int flags, int type, long cookie, int length) {
        into.putInt(Magic.STRUCTURED_REPLY).putShort((short) flags).putShort((short) type);
        into.putLong(cookie).putInt(length);
    }

    /**
     * Puts the extended header of a chunk, {@value #EXTENDED_BYTES} bytes.
     *
     * @param offset offset of the request that this answers
     */
    public static void putExtended(ByteBuffer into, int flags, int type, long cookie, long offset, long length) {
        into.putInt(Magic.EXTENDED_REPLY).putShort((short) flags).putShort((short) type);
        into.putLong(cookie).putLong(offset).putLong(length);
    }

    /**
     * Returns how many bytes the header takes that begins with this magic.
     *
     * @throws ProtocolException if no reply begins so
     */
    public static int bytes(int magic) throws ProtocolException {
        return switch (magic) {
            case Magic.SIMPLE_REPLY -> SIMPLE_BYTES;
            case Magic.STRUCTURED_REPLY -> CHUNK_BYTES;
            case Magic.EXTENDED_REPLY -> EXTENDED_BYTES;
            default -> throw new ProtocolException(String.format("0x%08x where a reply should begin", magic));
        };
    }

    /**
     * Takes a header from a buffer that holds one, whatever its form.
     *
     * @throws ProtocolException if it is none
     */
    public void take(ByteBuffer from) throws ProtocolException {
        int magic = from.getInt();
        bytes(magic);
        if (magic == Magic.SIMPLE_REPLY) {
            form = Form.SIMPLE;
            error = from.getInt();
            cookie = from.getLong();
            flags = ChunkTypes.DONE;
            type = ChunkTypes.NONE;
            offset = 0;
            length = 0;
            return;
        }
        error = 0;
        flags = Short.toUnsignedInt(from.getShort());
        type = Short.toUnsignedInt(from.getShort());
        cookie = from.getLong();
        if (magic == Magic.STRUCTURED_REPLY) {
            form = Form.STRUCTURED;
            offset = 0;
            length = Integer.toUnsignedLong(from.getInt());
        } else {
            form = Form.EXTENDED;
            offset = from.getLong();
            length = from.getLong();
        }
    }

    /** Returns the form. */
    public Form form() {
        return form;
    }

    /** Returns the error number of a simple reply; 0 for success, and in chunks. */
    public int error() {
        return error;
    }

    /** Returns whether no other chunk of this reply follows. */
    public boolean isDone() {
        return (flags & ChunkTypes.DONE) != 0;
    }

    /** Returns which of {@link ChunkTypes} this is, or another number of 16 bits. */
    public int type() {
        return type;
    }

    /** Returns the cookie of the request. */
    public long cookie() {
        return cookie;
    }

    /** Returns the offset of the request, in the extended form. */
    public long offset() {
        return offset;
    }

    /** Returns the bytes of payload that follow a chunk, unsigned; 0 for a simple reply, whose request says it. */
    public long length() {
        return length;
    }
}
