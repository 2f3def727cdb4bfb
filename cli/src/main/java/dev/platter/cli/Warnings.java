package dev.platter.cli;

import dev.platter.core.Warning;
import java.util.HashSet;
import java.util.Set;
import java.util.function.Consumer;

/** Prints warnings as they are found: each once, and not without end. */
final class Warnings implements Consumer<Warning> {
    private static final int MOST = 100;

    private final boolean quiet;
    private final Stdio io;
    private final Set<String> seen = new HashSet<>();

    Warnings(Arguments arguments, Stdio io) {
        this(arguments.has("--quiet"), io);
    }

    /** Makes a taker that prints. */
    Warnings(Stdio io) {
        this(false, io);
    }

    private Warnings(boolean quiet, Stdio io) {
        this.quiet = quiet;
        this.io = io;
    }

    /** Called by any thread that reads. */
    @Override
    public synchronized void accept(Warning warning) {
        if (quiet || seen.size() > MOST || !seen.add(warning.text())) {
            return;
        }
        io.warning(seen.size() > MOST ? "there are more warnings, which are not shown" : warning.text());
    }
}
