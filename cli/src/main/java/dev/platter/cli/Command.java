package dev.platter.cli;

import java.io.IOException;
import picocli.CommandLine.Model.CommandSpec;

/** A command of {@code platter}. */
interface Command {

    /** Adds the options, the parameters and the help. */
    void describe(CommandSpec spec);

    /**
     * Does it.
     *
     * @return the exit code
     */
    int run(Arguments arguments, Stdio io) throws IOException;
}
