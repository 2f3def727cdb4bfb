package dev.platter.cli;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.StringJoiner;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;

/**
 * Reads the words of a command line as getopt_long of the GNU C library does, and complains in its words: clusters of short
 * options, values in the same word or the next, unambiguous prefixes of long options, options behind parameters. A value
 * that may be left out is taken from the same word only, and only behind a long name.
 */
final class GetoptLong {
    private final CommandSpec spec;
    private final Set<String> additions;
    private final Taker taker;
    private final String[] words;
    private int next;

    private GetoptLong(CommandSpec spec, Set<String> additions, Taker taker, String[] words) {
        this.spec = spec;
        this.additions = additions;
        this.taker = taker;
        this.words = words;
    }

    /** Takes options in the order in which they stand. */
    interface Taker {
        /**
         * Takes an option.
         *
         * @param name its long name
         * @param value empty if it has none, or it was left out
         * @return whether to go on
         */
        boolean option(String name, String value) throws IOException;
    }

    /**
     * Reads words.
     *
     * @param spec the options
     * @param additions those that the program which is imitated does not have: they make no prefix ambiguous
     * @return the parameters
     * @throws UsageException if a word is no such option, or its value is missing
     */
    static List<String> read(CommandSpec spec, Set<String> additions, String[] words, Taker taker) throws IOException {
        return new GetoptLong(spec, additions, taker, words).read();
    }

    private List<String> read() throws IOException {
        List<String> parameters = new ArrayList<>();
        boolean goOn = true;
        while (goOn && next < words.length) {
            String word = words[next++];
            if (word.equals("--")) {
                parameters.addAll(Arrays.asList(words).subList(next, words.length));
                break;
            }
            if (word.startsWith("--")) {
                goOn = takeLong(word);
            } else if (word.startsWith("-") && word.length() > 1) {
                goOn = takeShort(word);
            } else {
                parameters.add(word);
            }
        }
        return parameters;
    }

    private boolean takeLong(String word) throws IOException {
        int equals = word.indexOf('=');
        OptionSpec option = find(equals < 0 ? word : word.substring(0, equals), word);
        String name = option.longestName();
        if (!needsValue(option)) {
            if (equals >= 0 && mayHaveValue(option)) {
                return taker.option(name, word.substring(equals + 1));
            }
            if (equals >= 0) {
                throw new UsageException("option '" + name + "' doesn't allow an argument");
            }
            return taker.option(name, "");
        }
        if (equals >= 0) {
            return taker.option(name, word.substring(equals + 1));
        }
        if (next == words.length) {
            throw new UsageException("option '" + name + "' requires an argument");
        }
        return taker.option(name, words[next++]);
    }

    private OptionSpec find(String prefix, String word) {
        OptionSpec exact = spec.optionsMap().get(prefix);
        if (exact != null) {
            return exact;
        }
        List<OptionSpec> found = new ArrayList<>();
        for (OptionSpec option : spec.options()) {
            for (String name : option.names()) {
                if (name.startsWith(prefix) && !found.contains(option)) {
                    found.add(option);
                }
            }
        }
        if (found.size() > 1) {
            List<OptionSpec> others = new ArrayList<>(found);
            others.removeIf(option -> additions.contains(option.longestName()));
            found = others.isEmpty() ? found : others;
        }
        if (found.isEmpty()) {
            throw new UsageException("unrecognized option '" + word + "'");
        }
        if (found.size() > 1) {
            StringJoiner names = new StringJoiner("' '", "'", "'");
            found.forEach(option -> names.add(option.longestName()));
            throw new UsageException("option '" + word + "' is ambiguous; possibilities: " + names);
        }
        return found.get(0);
    }

    private boolean takeShort(String word) throws IOException {
        for (int i = 1; i < word.length(); i++) {
            char letter = word.charAt(i);
            OptionSpec option = spec.optionsMap().get("-" + letter);
            if (option == null) {
                throw new UsageException("invalid option -- '" + letter + "'");
            }
            if (needsValue(option)) {
                String value = word.substring(i + 1);
                if (value.isEmpty()) {
                    if (next == words.length) {
                        throw new UsageException("option requires an argument -- '" + letter + "'");
                    }
                    value = words[next++];
                }
                return taker.option(option.longestName(), value);
            }
            if (!taker.option(option.longestName(), "")) {
                return false;
            }
        }
        return true;
    }

    private static boolean mayHaveValue(OptionSpec option) {
        return option.arity().max() > 0;
    }

    private static boolean needsValue(OptionSpec option) {
        return option.arity().min() > 0;
    }
}
