package dev.platter.qcow2;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckListener.Kind;

/** Counts what a check finds and hands each finding on; keeps none. */
final class CheckFindings {
    private final CheckListener listener;
    private long errors;
    private long corruptions;
    private long leaks;

    CheckFindings(CheckListener listener) {
        this.listener = listener;
    }

    /** A place that could not be checked. */
    void error(long offset, String text) {
        errors++;
        listener.finding(Kind.ERROR, offset, text);
    }

    void corruption(long offset, String text) {
        corruptions(1, offset, text);
    }

    /** One text for several corruptions at one place. */
    void corruptions(long count, long offset, String text) {
        corruptions += count;
        listener.finding(Kind.CORRUPTION, offset, text);
    }

    void leak(long offset, String text) {
        leaks++;
        listener.finding(Kind.LEAK, offset, text);
    }

    long errors() {
        return errors;
    }

    long corruptions() {
        return corruptions;
    }

    long leaks() {
        return leaks;
    }
}
