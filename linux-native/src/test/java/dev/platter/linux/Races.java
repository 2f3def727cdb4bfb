package dev.platter.linux;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CyclicBarrier;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Two threads that want the same thing at once. */
final class Races {

    private Races() {}

    /** What each of them got. */
    record Outcome<T>(List<T> results, List<Throwable> failures) {}

    static <T> Outcome<T> of(Callable<T> one, Callable<T> other) {
        CyclicBarrier start = new CyclicBarrier(2);
        ExecutorService threads = Executors.newFixedThreadPool(2);
        List<Future<T>> both = new ArrayList<>();
        for (Callable<T> each : List.of(one, other)) {
            both.add(threads.submit(() -> {
                start.await();
                return each.call();
            }));
        }
        Outcome<T> outcome = new Outcome<>(new ArrayList<>(), new ArrayList<>());
        for (Future<T> each : both) {
            try {
                outcome.results().add(each.get());
            } catch (ExecutionException e) {
                outcome.failures().add(e.getCause());
            } catch (InterruptedException e) {
                throw new AssertionError(e);
            }
        }
        threads.shutdown();
        return outcome;
    }
}
