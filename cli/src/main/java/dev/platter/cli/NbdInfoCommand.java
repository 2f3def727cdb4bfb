package dev.platter.cli;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter nbdinfo}: what an NBD server says of itself, as {@code nbdinfo} of libnbd prints it. */
final class NbdInfoCommand implements ImitatedProgram {
    @Override
    public void describe(CommandSpec spec) {
        Model.helpOption(spec, "--help");
        Model.flag(spec, "show the version of platter and of Java", "-V", "--version");
        Model.flag(spec, "print JSON", "--json");
        Model.flag(spec, "all exports of the server, whichever the address names", "-L", "--list");
        Model.flag(spec, "only the size, in bytes", "--size");
        Model.optionalValue(
                spec, "CONTEXT", "what a metadata context says of the bytes; base:allocation if not given", "--map");
        Model.flag(spec, "with --map: how many bytes there are of each kind", "--totals");
        Model.choice(
                spec,
                "WHAT",
                "print nothing; exit code 0 if it is so, 2 if not",
                List.of("read-only", "rotational", "tls"),
                "--is");
        Model.choice(
                spec,
                "WHAT",
                "print nothing; exit code 0 if the server can, 2 if not",
                List.of(
                        "cache",
                        "connect",
                        "df",
                        "fast-zero",
                        "flush",
                        "fua",
                        "multi-conn",
                        "read",
                        "structured-reply",
                        "trim",
                        "write",
                        "zero"),
                "--can");
        Model.flag(
                spec, "show what file(1) says of the first bytes; without --list this is so if not given", "--content");
        Model.flag(spec, "do not", "--no-content");
        Model.flag(spec, "colours; on a terminal this is so if not given", "--color", "--colour");
        Model.flag(spec, "no colours", "--no-color", "--no-colour");
        Model.parameters(spec, "URI", "1", "the export: nbd://HOST/EXPORT, nbds://..., nbd+unix:///EXPORT?socket=PATH");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "shown; or yes");
        codes.put("1", "error, a command line that makes no sense included");
        codes.put("2", "no, for --is and --can");
        Model.help(
                spec,
                "Shows what an NBD server and its exports are, with the command line of nbdinfo.",
                codes,
                List.of(
                        "platter nbdinfo nbd://backup.example/web",
                        "platter nbdinfo --list --json nbd://backup.example",
                        "platter nbdinfo --map=qemu:dirty-bitmap:b0 'nbd+unix:///?socket=/run/guest.sock'",
                        "platter nbdinfo --can trim nbd://backup.example && echo yes"));
    }

    @Override
    public int run(CommandSpec spec, String[] words, Stdio io) throws IOException {
        NbdInfoArguments arguments = NbdInfoArguments.read(spec, words, io.isTerminal());
        return switch (arguments.task) {
            case HELP -> {
                io.print(Commands.line(spec).getUsageMessage(CommandLine.Help.Ansi.OFF));
                yield ExitCode.WHOLE;
            }
            case VERSION -> {
                io.print(Version.text());
                yield ExitCode.WHOLE;
            }
            default -> NbdInfo.run(arguments, io);
        };
    }
}
