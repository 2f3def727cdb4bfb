package dev.platter.cli;

import java.util.List;
import java.util.Map;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.Model.PositionalParamSpec;

/** The pieces that the models of commands are built from. */
final class Model {

    private Model() {}

    static void flag(CommandSpec spec, String description, String... names) {
        spec.addOption(OptionSpec.builder(names)
                .arity("0")
                .type(boolean.class)
                .description(description)
                .build());
    }

    static void value(CommandSpec spec, String label, String description, String... names) {
        spec.addOption(OptionSpec.builder(names)
                .arity("1")
                .type(String.class)
                .paramLabel(label)
                .description(description)
                .build());
    }

    /** An option whose value may be left out. */
    static void optionalValue(CommandSpec spec, String label, String description, String... names) {
        spec.addOption(OptionSpec.builder(names)
                .arity("0..1")
                .type(String.class)
                .paramLabel(label)
                .description(description)
                .build());
    }

    /** An option of which a few values are known; they are completed, and checked by {@link Arguments#choice}. */
    static void choice(CommandSpec spec, String label, String description, List<String> values, String... names) {
        spec.addOption(OptionSpec.builder(names)
                .arity("1")
                .type(String.class)
                .paramLabel(label)
                .description(description)
                .completionCandidates(values)
                .build());
    }

    static void values(CommandSpec spec, String label, String description, String... names) {
        spec.addOption(OptionSpec.builder(names)
                .arity("1")
                .type(List.class)
                .auxiliaryTypes(String.class)
                .paramLabel(label)
                .description(description)
                .build());
    }

    static void output(CommandSpec spec) {
        choice(spec, "FMT", "human (the default) or json", List.of("human", "json"), "--output");
    }

    /**
     * @param arity how many there must be: {@code "1"}, {@code "0..1"} or {@code "1..*"}; two or more would have to stand
     *     side by side, and qemu-img's users put options between them, so that a command counts for itself
     */
    static void parameters(CommandSpec spec, String label, String arity, String description) {
        spec.addPositional(PositionalParamSpec.builder()
                .index(arity.endsWith("*") ? "0..*" : "0")
                .arity(arity)
                .required(!arity.startsWith("0"))
                .type(List.class)
                .auxiliaryTypes(String.class)
                .paramLabel(label)
                .hideParamSyntax(false)
                .description(description)
                .build());
    }

    /** Sets what {@code --help} prints around the options, and adds {@code --help} itself. */
    static void help(CommandSpec spec, String description, Map<String, String> exitCodes, String... examples) {
        helpOption(spec, "-h", "--help");
        help(spec, description, exitCodes, List.of(examples));
    }

    static void helpOption(CommandSpec spec, String... names) {
        spec.addOption(OptionSpec.builder(names)
                .arity("0")
                .type(boolean.class)
                .usageHelp(true)
                .description("show this help and exit")
                .build());
    }

    static void help(CommandSpec spec, String description, Map<String, String> exitCodes, List<String> examples) {
        String[] footer = new String[examples.size() + 1];
        footer[0] = examples.size() == 1 ? "Example:" : "Examples:";
        for (int i = 0; i < examples.size(); i++) {
            footer[i + 1] = "  " + examples.get(i);
        }
        spec.usageMessage()
                .description(description)
                .descriptionHeading("%n")
                .parameterListHeading("%n")
                .optionListHeading("%nOptions:%n")
                .exitCodeListHeading("%nExit codes:%n")
                .exitCodeList(exitCodes)
                .footerHeading("%n")
                .footer(footer)
                .synopsisHeading("Usage: ")
                .abbreviateSynopsis(true);
        spec.usageMessage().sortOptions(false);
    }
}
