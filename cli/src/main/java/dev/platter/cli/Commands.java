package dev.platter.cli;

import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Model.CommandSpec;

/** The commands by name. A model is built by program: annotations would cost a tenth of a second. */
final class Commands {
    static final String[] NAMES = {
        "inspect",
        "info",
        "map",
        "check",
        "list-filesystems",
        "df",
        "dump",
        "create",
        "convert",
        "resize",
        "snapshot",
        "bitmap",
        "commit",
        "rebase",
        "compare",
        "measure",
        "amend",
        "dd",
        "bind",
        "unbind",
        "mount",
        "umount",
        "nbd",
        "nbdinfo",
        "nbdcopy",
        "completion"
    };

    private Commands() {}

    /** Returns a command, or null. Loads no other. */
    static @Nullable Program byName(String name) {
        return switch (name) {
            case "inspect" -> new InspectCommand();
            case "info" -> new InfoCommand();
            case "map" -> new MapCommand();
            case "check" -> new CheckCommand();
            case "list-filesystems" -> new ListFileSystemsCommand();
            case "df" -> new DfCommand();
            case "dump" -> new DumpCommand();
            case "create" -> new CreateCommand();
            case "convert" -> new ConvertCommand();
            case "resize" -> new ResizeCommand();
            case "snapshot" -> new SnapshotCommand();
            case "bitmap" -> new BitmapCommand();
            case "commit" -> new CommitCommand();
            case "rebase" -> new RebaseCommand();
            case "compare" -> new CompareCommand();
            case "measure" -> new MeasureCommand();
            case "amend" -> new AmendCommand();
            case "dd" -> new DdCommand();
            case "bind" -> new BindCommand();
            case "unbind" -> new UnbindCommand();
            case "mount" -> new MountCommand();
            case "umount" -> new UmountCommand();
            case "nbd" -> new NbdCommand();
            case "nbdinfo" -> new NbdInfoCommand();
            case "nbdcopy" -> new NbdCopyCommand();
            case "completion" -> new CompletionCommand();
            default -> null;
        };
    }

    /** Returns the model of one command. */
    static CommandSpec spec(Program command, String name) {
        CommandSpec spec = CommandSpec.create().name(name);
        spec.interpolateVariables(false);
        command.describe(spec);
        return spec;
    }

    /** Returns the model of all commands: for help, completion and mistakes. */
    static CommandSpec all() {
        CommandSpec root = CommandSpec.create().name("platter");
        root.interpolateVariables(false);
        RootHelp.describe(root);
        for (String name : NAMES) {
            Program command = byName(name);
            if (command != null) {
                root.addSubcommand(name, spec(command, name));
            }
        }
        return root;
    }

    /** Returns a parser. A file may be called @web.qcow2; of an option that is given twice the last one counts, as for getopt. */
    static CommandLine line(CommandSpec spec) {
        return new CommandLine(spec)
                .setExpandAtFiles(false)
                .setAbbreviatedOptionsAllowed(false)
                .setOverwrittenOptionsAllowed(true)
                .setUsageHelpWidth(100);
    }
}
