package dev.platter.cli;

import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.Map;
import picocli.AutoComplete;
import picocli.CommandLine.Model.CommandSpec;

/** {@code platter completion}: the script that completes commands and options in a shell. */
final class CompletionCommand implements Command {

    @Override
    public void describe(CommandSpec spec) {
        Model.parameters(spec, "SHELL", "1", "bash or zsh");
        Map<String, String> codes = new LinkedHashMap<>();
        codes.put("0", "whole");
        codes.put("2", "usage");
        Model.help(
                spec,
                "Prints a script that completes commands, options and file names.",
                codes,
                "source <(platter completion bash)",
                "platter completion zsh > ~/.platter-completion && echo source ~/.platter-completion >> ~/.zshrc");
    }

    @Override
    public int run(Arguments arguments, Stdio io) throws IOException {
        String shell = arguments.parameters().get(0);
        if (!shell.equals("bash") && !shell.equals("zsh")) {
            throw new UsageException("\"" + shell + "\" is unknown; known are bash, zsh");
        }
        // one script for both: it turns on the emulation of bash where it runs in zsh
        io.print(AutoComplete.bash("platter", Commands.line(Commands.all())));
        return ExitCode.WHOLE;
    }
}
