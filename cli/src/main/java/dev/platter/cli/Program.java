package dev.platter.cli;

import java.io.IOException;
import picocli.CommandLine.Model.CommandSpec;

/** What a word behind {@code platter} runs. */
interface Program {

    /** Adds the options, the parameters and the help. */
    void describe(CommandSpec spec);

    /**
     * Does it.
     *
     * @param name the word
     * @param words the words behind it
     * @return the exit code
     */
    int run(String name, String[] words, Stdio io) throws IOException;
}
