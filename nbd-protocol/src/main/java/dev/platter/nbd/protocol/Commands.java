package dev.platter.nbd.protocol;

/** The types of requests; section "Request types". 16 bits on the wire, apart from the {@link CommandFlags}. */
public final class Commands {
    public static final int READ = 0;
    public static final int WRITE = 1;
    /** Ends the connection; has no reply. */
    public static final int DISC = 2;

    public static final int FLUSH = 3;
    public static final int TRIM = 4;
    public static final int CACHE = 5;
    public static final int WRITE_ZEROES = 6;
    public static final int BLOCK_STATUS = 7;
    /** Experimental, refused by Platter. */
    public static final int RESIZE = 8;

    private static final String[] NAMES = {
        "READ", "WRITE", "DISC", "FLUSH", "TRIM", "CACHE", "WRITE_ZEROES", "BLOCK_STATUS", "RESIZE"
    };

    private Commands() {}

    /** Returns the name of a type as the document writes it, without its prefix; {@code command 77} if there is none. */
    public static String name(int type) {
        return type >= 0 && type < NAMES.length ? NAMES[type] : "command " + type;
    }
}
