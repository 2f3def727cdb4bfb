package dev.platter.nbd.protocol;

/** What can be asked of an export; section "Transmission flags". 16 bits on the wire. */
public final class TransmissionFlags {
    /** Always set by a server. */
    public static final int HAS_FLAGS = 1;

    public static final int READ_ONLY = 1 << 1;
    public static final int SEND_FLUSH = 1 << 2;
    public static final int SEND_FUA = 1 << 3;
    public static final int ROTATIONAL = 1 << 4;
    public static final int SEND_TRIM = 1 << 5;
    public static final int SEND_WRITE_ZEROES = 1 << 6;
    /** Only after structured replies or extended headers were agreed on. */
    public static final int SEND_DF = 1 << 7;
    /** A flush on one connection covers what was replied to on all. */
    public static final int CAN_MULTI_CONN = 1 << 8;
    /** Experimental, never sent by Platter. */
    public static final int SEND_RESIZE = 1 << 9;

    public static final int SEND_CACHE = 1 << 10;
    public static final int SEND_FAST_ZERO = 1 << 11;
    /** Only after extended headers were agreed on. */
    public static final int BLOCK_STATUS_PAYLOAD = 1 << 12;

    private static final String[] NAMES = {
        "",
        "readonly",
        "flush",
        "fua",
        "rotational",
        "trim",
        "zeroes",
        "df",
        "multi",
        "resize",
        "cache",
        "fast-zero",
        "block-status-payload"
    };

    private TransmissionFlags() {}

    /** Returns the names of the flags that are set, as {@code qemu-nbd --list} prints them, separated by blanks. */
    public static String describe(int flags) {
        StringBuilder out = new StringBuilder();
        for (int bit = 1; bit < NAMES.length; bit++) {
            if ((flags & 1 << bit) != 0) {
                out.append(out.length() == 0 ? "" : " ").append(NAMES[bit]);
            }
        }
        return out.toString();
    }
}
