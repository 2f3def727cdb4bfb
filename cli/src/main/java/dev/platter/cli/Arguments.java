package dev.platter.cli;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.ParseResult;

/** What stood on the command line. */
final class Arguments {
    private final ParseResult parsed;

    Arguments(ParseResult parsed) {
        this.parsed = parsed;
    }

    /** Returns whether a flag was given. */
    boolean has(String option) {
        return parsed.hasMatchedOption(option);
    }

    /** Returns the value of an option, or null. */
    @Nullable
    String value(String option) {
        return has(option) ? parsed.matchedOptionValue(option, "") : null;
    }

    /** Returns the values of an option that can be repeated. */
    List<String> values(String option) {
        return parsed.matchedOptionValue(option, List.of());
    }

    /** Returns those of some options that were given, in the order in which they were, repeated as they were. */
    List<String> order(List<String> options) {
        List<String> given = new ArrayList<>();
        for (String argument : parsed.originalArgs()) {
            if (argument.equals("--")) {
                break;
            }
            int end = argument.indexOf('=');
            String name = end < 0 ? argument : argument.substring(0, end);
            if (options.contains(name)) {
                given.add(name);
            }
        }
        return given;
    }

    /**
     * Returns the value of an option that has a few.
     *
     * @throws UsageException if it is none of {@code allowed}
     */
    String choice(String option, String otherwise, String... allowed) {
        String value = value(option);
        if (value == null) {
            return otherwise;
        }
        for (String candidate : allowed) {
            if (candidate.equals(value)) {
                return value;
            }
        }
        throw new UsageException(option + "=" + value + " is unknown; known are " + String.join(", ", allowed));
    }

    /** Returns the text parameters. */
    List<String> parameters() {
        return parsed.matchedPositionalValue(0, List.of());
    }

    /** Returns the images that are read. */
    List<ImageName> images() {
        List<ImageName> names = new ArrayList<>();
        for (String name : parameters()) {
            names.add(new ImageName(name));
        }
        return names;
    }

    /**
     * Returns the image that is changed.
     *
     * @throws UsageException if it is no file
     */
    Path file() {
        return file(parameters().get(0));
    }

    /**
     * Returns a file that is made or changed.
     *
     * @throws UsageException if {@code name} is the address of an export
     */
    static Path file(String name) {
        if (NbdAddress.is(name)) {
            throw new UsageException("\"" + name + "\" is the address of an export, and a file is needed");
        }
        return path(name);
    }

    /** Returns a name of the command line as a path. */
    static Path path(String name) {
        if (name.isEmpty()) {
            // Java takes it for the current folder
            throw new UsageException("\"\" is no file name");
        }
        try {
            return Path.of(name);
        } catch (InvalidPathException e) {
            throw new UsageException("\"" + name + "\" is no file name");
        }
    }
}
