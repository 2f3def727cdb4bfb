package dev.platter.cli;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Why a server does not start, in the words of qemu-nbd where it has any. */
final class StartFailure extends IOException {
    private static final long serialVersionUID = 1;

    private final @Nullable String hint;

    StartFailure(String text) {
        this(text, null);
    }

    /** @param hint a second line, printed without the name of the program; null for none */
    StartFailure(String text, @Nullable String hint) {
        super(text);
        this.hint = hint;
    }

    /** Returns the same failure, with where it happened. */
    StartFailure in(String where) {
        return new StartFailure(where + ": " + getMessage(), hint);
    }

    /** Prints it. */
    void print(Stdio io) {
        io.message(String.valueOf(getMessage()));
        if (hint != null) {
            io.line(hint);
        }
    }
}
