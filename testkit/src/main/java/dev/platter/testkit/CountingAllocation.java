package dev.platter.testkit;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import org.jspecify.annotations.Nullable;
import org.opentest4j.TestAbortedException;

/**
 * Counts the bytes that the current thread allocates on the heap. Direct buffers and other threads are not counted.
 * Whoever asserts that a path allocates nothing runs it often enough before.
 */
public final class CountingAllocation {
    private static final @Nullable ThreadMXBean THREADS =
            ManagementFactory.getThreadMXBean() instanceof ThreadMXBean bean ? bean : null;

    private CountingAllocation() {}

    /** Returns the bytes that the current thread has allocated since it began; skips the test if the JVM cannot tell. */
    public static long soFar() {
        if (THREADS == null || !THREADS.isThreadAllocatedMemorySupported()) {
            throw new TestAbortedException("this JVM does not count allocated bytes");
        }
        return THREADS.getCurrentThreadAllocatedBytes();
    }

    /** Returns the bytes that {@code action} allocates on this thread, those of whatever it throws not included. */
    public static long of(Action action) throws Exception {
        long before = soFar();
        action.run();
        return soFar() - before;
    }

    /** What is counted. */
    @FunctionalInterface
    public interface Action {
        /** Does it. */
        void run() throws Exception;
    }
}
