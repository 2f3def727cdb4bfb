package dev.platter.qcow2;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckListener.Kind;

/**
 * Counts what a check finds and hands the findings on; keeps none. A block of refcounts that is used again and again can
 * make billions of findings out of nothing, so findings about single clusters are {@linkplain #wantsMore() limited} in
 * number; the counts are not.
 */
final class CheckFindings {
    private static final long MAX_CLUSTER_FINDINGS = 1 << 20;

    private final CheckListener listener;
    private long errors;
    private long corruptions;
    private long leaks;

    CheckFindings(CheckListener listener) {
        this.listener = listener;
    }

    /** Returns whether another finding about a cluster is to be put into words. */
    boolean wantsMore() {
        return errors + corruptions + leaks < MAX_CLUSTER_FINDINGS;
    }

    /** Counts what is no longer put into words. */
    void addSilently(long moreErrors, long moreCorruptions, long moreLeaks) {
        errors += moreErrors;
        corruptions += moreCorruptions;
        leaks += moreLeaks;
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
