package dev.platter.core;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** What the operating system or a peer did to a request, with where it happened. */
public class BlockIOException extends IOException {
    private static final long serialVersionUID = 1;

    private final Kind kind;

    /** What went wrong, as far as a program can act on it. */
    public enum Kind {
        /** The medium or the file failed, or is not what it was. */
        IO,
        /** No room is left. */
        NO_SPACE,
        /** The operating system or the peer cannot do this. */
        NOT_SUPPORTED,
        /** The other side is going away. */
        SHUTDOWN,
        /** No answer came in time. */
        TIMEOUT,
        /** Somebody else holds it. */
        BUSY
    }

    /** Makes an exception of that kind. */
    public BlockIOException(Kind kind, String message, @Nullable Throwable cause) {
        super(Printable.escape(message), cause);
        this.kind = kind;
    }

    /** Returns what went wrong. */
    public Kind kind() {
        return kind;
    }
}
