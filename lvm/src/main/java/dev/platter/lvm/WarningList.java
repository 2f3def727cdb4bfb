package dev.platter.lvm;

import java.util.ArrayList;
import java.util.List;

/** Warnings about one group, the first ones of many: hostile metadata can give rise to one for each of its keys. */
final class WarningList {
    private static final int KEPT = 64;

    private final List<String> kept = new ArrayList<>();
    private int dropped;

    void add(String text) {
        if (kept.size() < KEPT) {
            kept.add(text);
        } else {
            dropped++;
        }
    }

    /** Returns the warnings, and behind them how many there are more. */
    List<String> texts() {
        if (dropped == 0) {
            return kept;
        }
        List<String> texts = new ArrayList<>(kept);
        texts.add("and " + dropped + " more warnings about the same group");
        return texts;
    }
}
