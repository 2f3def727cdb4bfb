package dev.platter.cli;

import dev.platter.nbd.client.NbdExport;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.util.Locale;

/** What {@code --is} and {@code --can} of {@code nbdinfo} ask. libnbd: info/can.c. */
enum Capability {
    CONNECT,
    READ,
    TLS,
    STRUCTURED_REPLY,
    READ_ONLY,
    WRITE,
    ROTATIONAL,
    CACHE,
    DF,
    FAST_ZERO,
    FLUSH,
    FUA,
    MULTI_CONN,
    TRIM,
    ZERO;

    /** Returns the one of a name; some have several, and underscores and blanks are as good as hyphens. */
    static Capability named(String text) throws StartFailure {
        return switch (text.toLowerCase(Locale.ROOT).replace('_', '-').replace(' ', '-')) {
            case "connect" -> CONNECT;
            case "read" -> READ;
            case "tls" -> TLS;
            case "sr", "structured", "structured-reply", "structured-replies" -> STRUCTURED_REPLY;
            case "readonly", "read-only" -> READ_ONLY;
            case "write" -> WRITE;
            case "rotational" -> ROTATIONAL;
            case "cache" -> CACHE;
            case "df" -> DF;
            case "fastzero", "fast-zero" -> FAST_ZERO;
            case "flush" -> FLUSH;
            case "fua" -> FUA;
            case "multiconn", "multi-conn" -> MULTI_CONN;
            case "trim" -> TRIM;
            case "zero" -> ZERO;
            default -> throw new StartFailure("unknown --can or --is option: " + text);
        };
    }

    /** Returns the answer. */
    boolean of(NbdExport export) {
        return switch (this) {
            case CONNECT, READ -> true;
            case TLS -> export.protocol().tls();
            case STRUCTURED_REPLY -> export.protocol().replies() != ReplyHeader.Form.SIMPLE;
            case READ_ONLY -> export.details().isReadOnly();
            case WRITE -> !export.details().isReadOnly();
            case ROTATIONAL -> export.details().has(TransmissionFlags.ROTATIONAL);
            case CACHE -> export.details().has(TransmissionFlags.SEND_CACHE);
            case DF -> export.details().has(TransmissionFlags.SEND_DF);
            case FAST_ZERO -> export.details().has(TransmissionFlags.SEND_FAST_ZERO);
            case FLUSH -> export.details().has(TransmissionFlags.SEND_FLUSH);
            case FUA -> export.details().has(TransmissionFlags.SEND_FUA);
            case MULTI_CONN -> export.details().has(TransmissionFlags.CAN_MULTI_CONN);
            case TRIM -> export.details().has(TransmissionFlags.SEND_TRIM);
            case ZERO -> export.details().has(TransmissionFlags.SEND_WRITE_ZEROES);
        };
    }
}
