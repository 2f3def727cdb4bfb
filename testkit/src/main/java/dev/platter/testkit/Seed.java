package dev.platter.testkit;

import java.io.IOException;
import java.util.Random;
import org.opentest4j.TestAbortedException;

/**
 * The seed of random tests: {@code -Dplatter.seed=} repeats a run, a fixed seed otherwise, so that every build does the
 * same. Failures name it.
 */
public final class Seed {
    private static final long DEFAULT = 20240229;

    private Seed() {}

    /** Returns the seed of this run. */
    public static long value() {
        return Long.getLong("platter.seed", DEFAULT);
    }

    /** Returns random numbers of this run's seed; the same for the same name. */
    public static Random random(String name) {
        return new Random(value() * 31 + name.hashCode());
    }

    /** Runs something random; what it throws is thrown again with the seed in its message. */
    public static void run(String name, RandomAction action) throws Exception {
        try {
            action.run(random(name));
        } catch (TestAbortedException e) {
            throw e;
        } catch (AssertionError e) {
            throw new AssertionError(e.getMessage() + " [repeat with " + repeat() + "]", e);
        } catch (IOException | RuntimeException e) {
            throw new AssertionError(e + " [repeat with " + repeat() + "]", e);
        }
    }

    static String repeat() {
        return "-Dplatter.seed=" + value();
    }

    /** Something that uses random numbers. */
    @FunctionalInterface
    public interface RandomAction {
        /** Does it. */
        void run(Random random) throws Exception;
    }
}
