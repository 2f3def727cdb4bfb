package dev.platter.cli;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter nbdcopy}: bytes from and to NBD servers, with the command line of {@code nbdcopy} of libnbd. */
final class NbdCopyCommand implements ImitatedProgram {

    @Override
    public void describe(CommandSpec spec) {
        Model.helpOption(spec, "--help");
        Model.flag(spec, "show the version of platter and of Java", "-V", "--version");
        Model.flag(spec, "write zeros too: nothing of the destination is left as a hole", "--allocated");
        Model.value(
                spec,
                "NUM",
                "connections to a server at most, 4 if not given; used where the server says that it can be written to"
                        + " by several",
                "-C",
                "--connections");
        Model.flag(
                spec,
                "the destination is known to read as zeros, so that zeros are left out",
                "--destination-is-zero",
                "--target-is-zero");
        Model.flag(spec, "end when all is durable", "--flush");
        Model.flag(spec, "do not ask the source where it has zeros, but read it", "--no-extents");
        Model.optionalValue(
                spec, "FD", "show the progress; with a number, as lines N/100 on that descriptor", "-p", "--progress");
        Model.value(spec, "BYTES", "bytes that are on their way at most, 16777216 if not given", "--queue-size");
        Model.value(spec, "BYTES", "bytes of a request, a power of 2; 262144 if not given", "--request-size");
        Model.value(
                spec, "NUM", "requests on their way at most, for each connection; 8 if not given", "-R", "--requests");
        Model.value(
                spec,
                "BYTES",
                "blocks of zeros of that size are left out or made by the destination, a power of 2; 4096 if not given,"
                        + " 0 for none",
                "-S",
                "--sparse");
        Model.flag(spec, "one request after the other", "--synchronous");
        Model.value(spec, "NUM", "no more connections than that; 0, if not given: than processors", "-T", "--threads");
        Model.flag(spec, "tell what is copied, and how", "-v", "--verbose");
        Model.parameters(
                spec,
                "SOURCE DESTINATION",
                "2..*",
                "each an address (nbd://HOST/EXPORT, nbd+unix:///EXPORT?socket=PATH ...), a file, a device, or - for"
                        + " standard input and output; or null: to write nothing");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "all bytes were copied");
        codes.put("1", "error, a command line that makes no sense included; the destination may be half written");
        Model.help(
                spec,
                "Copies all bytes of a disk from or to an NBD server, with the command line of nbdcopy. A file that is there"
                        + " is overwritten.",
                codes,
                List.of(
                        "platter nbdcopy -p nbd://backup.example/web web.raw",
                        "platter nbdcopy --flush web.raw 'nbd+unix:///?socket=/run/guest.sock'",
                        "platter nbdcopy nbd://backup.example/web - | zstd > web.zst"));
    }

    @Override
    public int run(CommandSpec spec, String[] words, Stdio io) throws IOException {
        NbdCopyArguments arguments = NbdCopyArguments.read(spec, words);
        switch (arguments.task) {
            case HELP -> io.print(Commands.line(spec).getUsageMessage(CommandLine.Help.Ansi.OFF));
            case VERSION -> io.print(Version.text());
            case COPY -> new NbdCopy(arguments, io).run();
        }
        return ExitCode.WHOLE;
    }
}
