package dev.platter.cli;

import java.io.IOException;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Model.CommandSpec;

/** The command line of {@code platter nbdcopy}. Its fields are set while that is read. */
final class NbdCopyArguments {
    private static final int LEAST_REQUEST = 4096;
    private static final int MOST_REQUEST = 32 << 20;
    private static final int LEAST_BLOCK = 512;

    /** What is to be done. */
    enum Task {
        HELP,
        VERSION,
        COPY
    }

    Task task = Task.COPY;
    boolean allocated;
    int connections = 4;
    boolean destinationIsZero;
    boolean flush;
    boolean extents = true;
    boolean progress;

    /** Descriptor that progress is written to; -1 for a bar. */
    int progressDescriptor = -1;

    int queueSize = 16 << 20;
    int requestSize = 256 << 10;
    int requests = 8;

    /** Bytes that are looked at for zeros together; 0 to look at none. */
    int sparse = 4096;

    boolean synchronous;
    boolean verbose;

    private int threads;
    private @Nullable String source;
    private @Nullable String destination;

    private NbdCopyArguments() {}

    /**
     * Reads the words of a command line.
     *
     * @throws UsageException if a word is no option
     * @throws StartFailure if a value makes no sense
     */
    static NbdCopyArguments read(CommandSpec spec, String[] words) throws IOException {
        NbdCopyArguments arguments = new NbdCopyArguments();
        List<String> parameters = GetoptLong.read(spec, Set.of(), words, arguments::take);
        if (arguments.task == Task.COPY) {
            arguments.check(parameters);
        }
        return arguments;
    }

    private boolean take(String name, String value) throws StartFailure {
        switch (name) {
            case "--help" -> task = Task.HELP;
            case "--version" -> task = Task.VERSION;
            case "--allocated" -> allocated = true;
            case "--connections" -> connections = number(name, value, 1);
            case "--destination-is-zero" -> destinationIsZero = true;
            case "--flush" -> flush = true;
            case "--no-extents" -> extents = false;
            case "--progress" -> {
                progress = true;
                progressDescriptor = value.isEmpty() ? -1 : number(name, value, 0);
            }
            case "--queue-size" -> queueSize = number(name, value, 0);
            case "--request-size" -> {
                requestSize = number(name, value, 0);
                if (requestSize < LEAST_REQUEST || requestSize > MOST_REQUEST || !isPowerOfTwo(requestSize)) {
                    throw new StartFailure(
                            name + ": must be a power of 2 within " + LEAST_REQUEST + "-" + MOST_REQUEST);
                }
            }
            case "--requests" -> requests = number(name, value, 1);
            case "--sparse" -> {
                sparse = number(name, value, 0);
                if (sparse != 0 && (sparse < LEAST_BLOCK || !isPowerOfTwo(sparse))) {
                    throw new StartFailure(name + ": must be a power of 2 and >= " + LEAST_BLOCK);
                }
            }
            case "--synchronous" -> synchronous = true;
            case "--threads" -> threads = number(name, value, 0);
            case "--verbose" -> verbose = true;
            default -> throw new IllegalArgumentException(name);
        }
        return task == Task.COPY;
    }

    private static boolean isPowerOfTwo(int number) {
        return Integer.bitCount(number) == 1;
    }

    private static int number(String name, String value, int least) throws StartFailure {
        int number;
        try {
            number = Integer.parseInt(value);
        } catch (NumberFormatException e) {
            number = least - 1;
        }
        if (number < least) {
            throw new StartFailure(name + ": could not parse: " + value);
        }
        return number;
    }

    private void check(List<String> parameters) throws StartFailure {
        if (parameters.contains("[")) {
            throw Subprocesses.refused();
        }
        if (parameters.size() != 2) {
            throw new UsageException("a source and a destination are needed");
        }
        source = parameters.get(0);
        destination = parameters.get(1);
        int most = threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
        connections = synchronous ? 1 : Math.min(connections, most);
    }

    String source() {
        return required(source);
    }

    String destination() {
        return required(destination);
    }

    private static String required(@Nullable String parameter) {
        if (parameter == null) {
            throw new IllegalStateException("there is nothing to copy");
        }
        return parameter;
    }
}
