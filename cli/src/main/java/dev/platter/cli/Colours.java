package dev.platter.cli;

import java.io.IOException;
import org.jspecify.annotations.Nullable;

/** Colours of a terminal, those of {@code nbdinfo}; or none. */
final class Colours {
    static final String BOLD = "\u001b[1;30m";
    static final String GREY = "\u001b[22;90m";
    static final String GREEN = "\u001b[22;32m";
    static final String RED = "\u001b[22;31m";
    static final String INVERSE = "\u001b[1;37m\u001b[40m";
    static final String SHADED = "\u001b[47m";

    private static final String PLAIN = "\u001b[0m";

    private final TextOutput out;
    private final boolean shown;

    Colours(TextOutput out, boolean shown) {
        this.out = out;
        this.shown = shown;
    }

    /** Begins a colour; null is none. */
    void begin(@Nullable String colour) throws IOException {
        if (shown && colour != null) {
            out.ascii(colour);
        }
    }

    /** Ends a colour; null is none. */
    void end(@Nullable String colour) throws IOException {
        if (shown && colour != null) {
            out.ascii(PLAIN);
        }
    }
}
