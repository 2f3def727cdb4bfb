package dev.platter.core;

import java.io.Closeable;
import java.io.IOException;
import java.io.InterruptedIOException;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** Threads that work for a copy and end with it. Used by the thread that copies. */
final class CopyThreads implements Closeable {
    private final List<Thread> threads = new ArrayList<>();
    private final ExecutorService pool;
    private volatile boolean closed;

    CopyThreads(int count) {
        pool = Executors.newFixedThreadPool(count, task -> {
            Thread thread = new Thread(task, "platter-copy");
            thread.setDaemon(true);
            threads.add(thread);
            return thread;
        });
    }

    <T> Future<T> submit(Callable<T> task) {
        return pool.submit(() -> {
            if (closed) {
                throw new InterruptedIOException("the copy has ended");
            }
            return task.call();
        });
    }

    /** Waits for a task, and throws what it threw. A thread that is interrupted gets nothing, done or not. */
    static <T> T await(Future<T> task) throws IOException {
        try {
            // A task that is done gives its result without a look at the flag.
            if (Thread.currentThread().isInterrupted()) {
                throw new ClosedByInterruptException();
            }
            return task.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            ClosedByInterruptException interrupted = new ClosedByInterruptException();
            interrupted.initCause(e);
            throw interrupted;
        } catch (ExecutionException e) {
            throw failure(e.getCause());
        }
    }

    private static IOException failure(@Nullable Throwable cause) {
        if (cause instanceof IOException thrown) {
            return thrown;
        }
        if (cause instanceof RuntimeException thrown) {
            throw thrown;
        }
        if (cause instanceof Error thrown) {
            throw thrown;
        }
        throw new IllegalStateException(cause);
    }

    /** Waits for the threads. They are not interrupted: that would close the channels that they use. */
    @Override
    public void close() {
        closed = true;
        pool.shutdown();
        boolean interrupted = false;
        // a pool that has terminated may still have threads that are on their way out
        for (Thread thread : threads) {
            while (thread.isAlive()) {
                try {
                    thread.join();
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }
}
