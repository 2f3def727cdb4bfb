package dev.platter.cli;

import java.util.List;
import picocli.CommandLine.Model.CommandSpec;

/**
 * The cache modes of qemu, which scripts state. What a command wrote is durable once it returns, whatever is said, and
 * reads go through the cache of the system; only {@code convert} knows {@code unsafe}, its default for new files.
 */
final class CacheModes {
    private static final List<String> MODES = List.of("none", "writeback", "writethrough", "directsync", "unsafe");

    private CacheModes() {}

    /** @param names of the options: {@code -t} for what is written, {@code -T} for what is read */
    static void add(CommandSpec spec, String... names) {
        for (String name : names) {
            Model.choice(
                    spec, "CACHE", "accepted, without effect: what was written is always made durable", MODES, name);
        }
    }

    /** As {@link #add}, for a command that makes new files: without a mode, nobody waits until they are durable. */
    static void addForNewFile(CommandSpec spec, String target, String source) {
        Model.choice(
                spec,
                "CACHE",
                "unsafe (the default for a file that did not exist): the system decides when what was written reaches the"
                        + " disk; all others: it is durable when the command returns",
                MODES,
                target);
        Model.choice(spec, "CACHE", "accepted, without effect", MODES, source);
    }

    /** Returns whether what is written to a new file has to be durable. */
    static boolean isDurable(Arguments arguments, String name, boolean replaces) {
        String mode = arguments.value(name);
        return mode == null ? replaces : !mode.equals("unsafe");
    }

    /** Refuses what is no cache mode. */
    static void check(Arguments arguments, String... names) {
        for (String name : names) {
            arguments.choice(name, "", MODES.toArray(new String[0]));
        }
    }
}
