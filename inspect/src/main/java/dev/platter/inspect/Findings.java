package dev.platter.inspect;

import dev.platter.core.Warning;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/** What an inspection has to say besides what it found: each thing once, and not without end. */
final class Findings {
    private static final int MOST = 1000;
    private static final int MOST_MISSING = 16;

    private final Set<String> warnings = new LinkedHashSet<>();
    private final Set<String> problems = new LinkedHashSet<>();
    private final List<String> missing = new ArrayList<>();
    private int left;

    /**
     * Takes what an image lacks: a backing file that was refused, say. Every read of the parts concerned fails with the
     * same words, which are not repeated.
     */
    synchronized void missing(String text) {
        problem(text);
        if (missing.size() < MOST_MISSING) {
            missing.add(text);
        }
    }

    /** Takes something odd that did not stop the reading. Called by any thread that reads. */
    synchronized void warn(Warning warning) {
        add(warnings, warning.text());
    }

    /** Takes something that could not be opened or read. */
    synchronized void problem(String text) {
        add(problems, text);
    }

    synchronized List<String> warnings() {
        List<String> all = new ArrayList<>(warnings);
        if (left > 0) {
            all.add("and " + left + " more warnings");
        }
        return all;
    }

    synchronized List<String> problems() {
        return new ArrayList<>(problems);
    }

    private void add(Set<String> to, String text) {
        for (String known : missing) {
            if (text.contains(known)) {
                return;
            }
        }
        // each has its own room: an image full of oddities must not hide that it is not whole
        if (to.size() < MOST) {
            to.add(text);
        } else {
            left++;
        }
    }
}
