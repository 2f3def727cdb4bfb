package dev.platter.nbd.protocol;

/** What a server answers to an option; section "Option reply types". */
public final class OptionReplies {
    public static final int ACK = 1;
    public static final int SERVER = 2;
    public static final int INFO = 3;
    public static final int META_CONTEXT = 4;

    public static final int ERR_UNSUP = 0x8000_0001;
    public static final int ERR_POLICY = 0x8000_0002;
    public static final int ERR_INVALID = 0x8000_0003;
    public static final int ERR_PLATFORM = 0x8000_0004;
    public static final int ERR_TLS_REQD = 0x8000_0005;
    public static final int ERR_UNKNOWN = 0x8000_0006;
    public static final int ERR_SHUTDOWN = 0x8000_0007;
    public static final int ERR_BLOCK_SIZE_REQD = 0x8000_0008;
    public static final int ERR_TOO_BIG = 0x8000_0009;
    public static final int ERR_EXT_HEADER_REQD = 0x8000_000a;

    private static final String[] NAMES = {"ACK", "SERVER", "INFO", "META_CONTEXT"};
    private static final String[] ERRORS = {
        "not supported",
        "not allowed by the server's policy",
        "invalid",
        "not supported on the server's platform",
        "the server requires TLS",
        "no such export",
        "the server is shutting down",
        "the server requires a client that asks for block sizes",
        "too big",
        "the server requires extended headers"
    };

    private OptionReplies() {}

    /** Returns whether a reply ends its option with an error: bit 31. */
    public static boolean isError(int reply) {
        return reply < 0;
    }

    /** Returns what a reply says, in words for a person. */
    public static String describe(int reply) {
        int number = reply & 0x7fff_ffff;
        String[] texts = isError(reply) ? ERRORS : NAMES;
        return number > 0 && number <= texts.length
                ? texts[number - 1]
                : (isError(reply) ? "unknown error " : "unknown reply ") + "0x" + Integer.toHexString(reply);
    }
}
