package dev.platter.nbd.protocol;

/** What a request may ask for besides; section "Command flags". 16 bits on the wire, apart from the type. */
public final class CommandFlags {
    /** The reply comes when the request, and what it wrote, is durable. */
    public static final int FUA = 1;

    /** {@link Commands#WRITE_ZEROES}: the range stays allocated. */
    public static final int NO_HOLE = 1 << 1;

    /** {@link Commands#READ}: the contents come in one chunk or not at all. */
    public static final int DF = 1 << 2;

    /** {@link Commands#BLOCK_STATUS}: one extent a context is enough. */
    public static final int REQ_ONE = 1 << 3;

    /** {@link Commands#WRITE_ZEROES}: fail at once rather than write zeros. */
    public static final int FAST_ZERO = 1 << 4;

    /** With extended headers: the length of the header is that of a payload which follows. */
    public static final int PAYLOAD_LEN = 1 << 5;

    private CommandFlags() {}
}
