package dev.platter.cli;

import java.util.List;
import picocli.CommandLine.Model.CommandSpec;

/**
 * The cache modes of qemu, which scripts state. Here they change nothing: what a command wrote is durable once it returns,
 * whatever is said, and reads go through the cache of the system.
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

    /** Refuses what is no cache mode. */
    static void check(Arguments arguments, String... names) {
        for (String name : names) {
            arguments.choice(name, "", MODES.toArray(new String[0]));
        }
    }
}
