package dev.platter.cli;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;

/** What {@code platter --help} and {@code platter help COMMAND} print. */
final class RootHelp {

    private RootHelp() {}

    static void describe(CommandSpec spec) {
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "whole: everything was done or shown; there may be warnings");
        codes.put("1", "error");
        codes.put("2", "usage: the command line makes no sense");
        codes.put("3", "partial: shown, but something that an image names or contains could not be opened or read");
        Model.flag(spec, "show the version of platter and of Java", "-V", "--version");
        Model.help(
                spec,
                "Shows what is inside disk images (partitions, LVM2 volumes, file systems), makes, converts and changes"
                        + " images, mounts what is in them and makes them devices of the kernel, serves them over NBD, and copies"
                        + " disks from and to NBD servers.",
                codes,
                "platter inspect guest.qcow2",
                "platter help dump");
    }

    static int print(String[] args, Stdio io) throws IOException {
        CommandLine line = Commands.line(Commands.all());
        if (args.length > 1 && args[0].equals("help")) {
            CommandLine command = line.getSubcommands().get(args[1]);
            if (command == null) {
                throw unknown(args[1]);
            }
            io.print(command.getUsageMessage(CommandLine.Help.Ansi.OFF));
        } else {
            io.print(line.getUsageMessage(CommandLine.Help.Ansi.OFF));
        }
        return ExitCode.WHOLE;
    }

    /** Returns the complaint about a word that is no command, with what may have been meant. */
    static UsageException unknown(String word) {
        String text = (word.startsWith("-") ? "unknown option: '" : "unknown command: '") + word + "'";
        try {
            Commands.line(Commands.all()).parseArgs(word);
        } catch (ParameterException e) {
            String suggestion = Failures.usage(e);
            int at = suggestion.indexOf("; did you mean");
            text += at < 0 ? "" : suggestion.substring(at);
        }
        return new UsageException(text, "platter --help");
    }
}
