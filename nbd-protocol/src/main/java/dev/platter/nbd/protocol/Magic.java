package dev.platter.nbd.protocol;

/** The numbers by which each message is known. */
public final class Magic {
    /** {@code NBDMAGIC}: the first 8 bytes that any server sends. */
    public static final long NBD = 0x4e42_444d_4147_4943L;

    /** {@code IHAVEOPT}: follows {@link #NBD} in the newstyle handshake, and begins every option of a client. */
    public static final long OPTION = 0x4948_4156_454f_5054L;

    /** Follows {@link #NBD} in the oldstyle handshake. */
    public static final long OLDSTYLE = 0x0000_4202_8186_1253L;

    /** Begins every reply to an option. */
    public static final long OPTION_REPLY = 0x0003_e889_0455_65a9L;

    /** Begins a request. */
    public static final int REQUEST = 0x2560_9513;

    /** Begins a request with an extended header. */
    public static final int EXTENDED_REQUEST = 0x21e4_1c71;

    /** Begins a simple reply. */
    public static final int SIMPLE_REPLY = 0x6744_6698;

    /** Begins a chunk of a structured reply. */
    public static final int STRUCTURED_REPLY = 0x668e_33ef;

    /** Begins a chunk of a reply with an extended header. */
    public static final int EXTENDED_REPLY = 0x6e8a_278c;

    private Magic() {}
}
