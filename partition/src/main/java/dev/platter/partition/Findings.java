package dev.platter.partition;

import dev.platter.core.Warning;
import java.util.ArrayList;
import java.util.List;

/** Gathers warnings, of which a hostile table could cause one per entry: the first hundred are kept, the rest counted. */
final class Findings {
    private static final int KEPT = 100;

    private final List<Warning> kept = new ArrayList<>();
    private int more;

    void add(long offset, String text) {
        if (kept.size() < KEPT) {
            kept.add(new Warning(offset, text));
        } else {
            more++;
        }
    }

    List<Warning> toList() {
        List<Warning> all = new ArrayList<>(kept);
        if (more > 0) {
            all.add(new Warning(-1, "partition table: " + more + " more warnings are not shown"));
        }
        return all;
    }
}
