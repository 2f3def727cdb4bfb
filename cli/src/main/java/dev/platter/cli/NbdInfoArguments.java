package dev.platter.cli;

import dev.platter.core.BlockStatusSource;
import dev.platter.nbd.client.NbdUri;
import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** The command line of {@code platter nbdinfo}. Its fields are set while that is read. */
final class NbdInfoArguments {

    /** What is to be done. */
    enum Task {
        HELP,
        VERSION,
        SHOW,
        LIST,
        SIZE,
        MAP,
        CAN
    }

    Task task = Task.SHOW;
    boolean json;

    /** Metadata context of which a map is asked for. */
    String context = BlockStatusSource.BASE_ALLOCATION;

    boolean totals;
    boolean colours;

    private boolean several;
    private boolean content;
    private boolean noContent;
    private @Nullable Capability capability;
    private @Nullable NbdUri uri;

    private NbdInfoArguments() {}

    /**
     * Reads the words of a command line.
     *
     * @param terminal whether standard output is one
     * @throws UsageException if a word is no option
     * @throws StartFailure if the options contradict each other, or there is no address
     */
    static NbdInfoArguments read(CommandSpec spec, String[] words, boolean terminal) throws IOException {
        NbdInfoArguments arguments = new NbdInfoArguments();
        arguments.colours = terminal;
        List<String> parameters = GetoptLong.read(spec, Set.of(), words, arguments::take);
        if (arguments.task != Task.HELP && arguments.task != Task.VERSION) {
            arguments.check(parameters);
        }
        return arguments;
    }

    private boolean take(String name, String value) throws StartFailure {
        switch (name) {
            case "--help" -> task = Task.HELP;
            case "--version" -> task = Task.VERSION;
            case "--json" -> json = true;
            case "--list" -> doing(Task.LIST);
            case "--size" -> doing(Task.SIZE);
            case "--map" -> {
                doing(Task.MAP);
                context = value.isEmpty() ? BlockStatusSource.BASE_ALLOCATION : value;
            }
            case "--totals" -> totals = true;
            case "--is", "--can" -> {
                doing(Task.CAN);
                capability = Capability.named(value);
            }
            case "--content" -> content = true;
            case "--no-content" -> noContent = true;
            case "--colour" -> colours = true;
            case "--no-colour" -> colours = false;
            default -> throw new IllegalArgumentException(name);
        }
        return task != Task.HELP && task != Task.VERSION;
    }

    private void doing(Task what) {
        several |= task != Task.SHOW && task != what;
        task = what;
    }

    private void check(List<String> parameters) throws StartFailure {
        if (!parameters.isEmpty() && parameters.get(0).equals("[")) {
            throw Subprocesses.refused();
        }
        if (parameters.size() != 1) {
            throw new UsageException("one address is needed, and there are " + parameters.size());
        }
        if (several) {
            throw new StartFailure("you cannot use --list, --map and --size together.");
        }
        if (content && noContent) {
            throw new StartFailure("you cannot use --content and --no-content together.");
        }
        if (totals && task != Task.MAP) {
            throw new StartFailure("you must use --totals only with --map option.");
        }
        try {
            uri = NbdUri.parse(parameters.get(0));
        } catch (IllegalArgumentException e) {
            throw new StartFailure(String.valueOf(e.getMessage()));
        }
    }

    /** Returns whether to look into exports. */
    boolean content() {
        return content || (task == Task.SHOW && !noContent);
    }

    /** Returns what {@code --is} or {@code --can} ask for. */
    Capability capability() {
        if (capability == null) {
            throw new IllegalStateException("nothing was asked for");
        }
        return capability;
    }

    NbdUri uri() {
        if (uri == null) {
            throw new IllegalStateException("there is no address");
        }
        return uri;
    }
}
