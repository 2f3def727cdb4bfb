package dev.platter.cli;

import java.io.IOException;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** A command of {@code platter} whose words picocli reads. */
interface Command extends Program {

    /**
     * Does it.
     *
     * @return the exit code
     */
    int run(Arguments arguments, Stdio io) throws IOException;

    @Override
    default int run(String name, String[] words, Stdio io) throws IOException {
        CommandSpec spec = Commands.spec(this, "platter " + name);
        CommandLine line = Commands.line(spec);
        ParseResult options;
        try {
            options = line.parseArgs(words);
        } catch (ParameterException e) {
            throw new UsageException(name + ": " + Failures.usage(e), "platter " + name + " --help");
        }
        if (options.hasMatchedOption("--help")) {
            io.print(line.getUsageMessage(CommandLine.Help.Ansi.OFF));
            return ExitCode.WHOLE;
        }
        try {
            return run(new Arguments(options), io);
        } catch (UsageException e) {
            throw new UsageException(name + ": " + e.text(), "platter " + name + " --help");
        }
    }
}
