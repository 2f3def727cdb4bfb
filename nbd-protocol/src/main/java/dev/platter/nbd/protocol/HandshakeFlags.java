package dev.platter.nbd.protocol;

/** What the two sides offer each other first; section "Flag fields". */
public final class HandshakeFlags {
    /** Options are answered, and several may be sent. */
    public static final int FIXED_NEWSTYLE = 1;

    /** The 124 zeros behind the answer to {@link Options#EXPORT_NAME} are left out. */
    public static final int NO_ZEROES = 1 << 1;

    private HandshakeFlags() {}
}
