package dev.platter.nbd.protocol;

/** The options that a client may send; section "Option types". */
public final class Options {
    public static final int EXPORT_NAME = 1;
    public static final int ABORT = 2;
    public static final int LIST = 3;
    /** Withdrawn from the protocol. */
    public static final int PEEK_EXPORT = 4;

    public static final int STARTTLS = 5;
    public static final int INFO = 6;
    public static final int GO = 7;
    public static final int STRUCTURED_REPLY = 8;
    public static final int LIST_META_CONTEXT = 9;
    public static final int SET_META_CONTEXT = 10;
    public static final int EXTENDED_HEADERS = 11;

    private static final String[] NAMES = {
        "",
        "EXPORT_NAME",
        "ABORT",
        "LIST",
        "PEEK_EXPORT",
        "STARTTLS",
        "INFO",
        "GO",
        "STRUCTURED_REPLY",
        "LIST_META_CONTEXT",
        "SET_META_CONTEXT",
        "EXTENDED_HEADERS"
    };

    private Options() {}

    /** Returns the name of an option as the document writes it, without its prefix; {@code option 77} if there is none. */
    public static String name(int option) {
        return option > 0 && option < NAMES.length ? NAMES[option] : "option " + Integer.toUnsignedString(option);
    }
}
