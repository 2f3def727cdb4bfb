package dev.platter.testkit;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * Runs one random test with many seeds: 1, 2, 3 and on. {@code -Dplatter.seeds=5000} runs so many, {@code
 * -Dplatter.seed=17} only that one, {@code -Dplatter.seeds.divisor=4} a fourth of what each test asks for. All seeds are run whatever fails; the failure names the commands that repeat the first
 * ones.
 */
public final class Seeds {
    private static final int TOLD = 10;

    private Seeds() {}

    /**
     * Runs a test.
     *
     * @param test class of the test, for the command
     * @param count how many seeds are run unless a property says otherwise
     * @param action is called by several threads at once
     * @return how many seeds were run, all of which passed
     */
    public static int run(Class<?> test, int count, SeedAction action) throws InterruptedException {
        Long only = Long.getLong("platter.seed");
        long first = only == null ? 1 : only;
        int asked = Math.max(1, count / Integer.getInteger("platter.seeds.divisor", 1));
        int seeds = only == null ? Integer.getInteger("platter.seeds", asked) : 1;
        ExecutorService threads =
                Executors.newFixedThreadPool(Runtime.getRuntime().availableProcessors());
        try {
            List<Future<Boolean>> running = new ArrayList<>();
            for (long seed = first; seed < first + seeds; seed++) {
                long one = seed;
                running.add(threads.submit(() -> {
                    action.run(random(one));
                    return true;
                }));
            }
            await(running, test, first);
        } finally {
            threads.shutdownNow();
        }
        return seeds;
    }

    private static void await(List<Future<Boolean>> running, Class<?> test, long first) throws InterruptedException {
        List<AssertionError> failures = new ArrayList<>();
        for (int i = 0; i < running.size(); i++) {
            try {
                running.get(i).get();
            } catch (ExecutionException e) {
                failures.add(new AssertionError(
                        "seed " + (first + i) + ": " + e.getCause() + "\n  repeat with " + command(test, first + i),
                        e.getCause()));
            }
        }
        if (failures.isEmpty()) {
            return;
        }
        StringBuilder text = new StringBuilder(failures.size() + " of " + running.size() + " seeds failed");
        failures.stream().limit(TOLD).forEach(one -> text.append('\n').append(one.getMessage()));
        AssertionError all = new AssertionError(text.toString());
        failures.stream().limit(TOLD).forEach(all::addSuppressed);
        throw all;
    }

    /** The first random numbers of seeds that are neighbours are neighbours too, unless the seeds are spread. */
    private static Random random(long seed) {
        return new Random(seed * 0x9e3779b97f4a7c15L);
    }

    /** The command that runs one seed; the build says in which module the test is. */
    static String command(Class<?> test, long seed) {
        Path module =
                Path.of(System.getProperty("basedir", "")).toAbsolutePath().getFileName();
        return "mvn -B -ntp -pl " + module + " -am test -Dtest=" + test.getSimpleName()
                + " -Dsurefire.failIfNoSpecifiedTests=false -Dplatter.seed=" + seed;
    }

    /** A test that uses random numbers. */
    @FunctionalInterface
    public interface SeedAction {
        /** Runs it. */
        void run(Random random) throws Exception;
    }
}
