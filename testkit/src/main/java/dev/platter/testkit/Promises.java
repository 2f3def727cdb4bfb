package dev.platter.testkit;

import com.sun.management.ThreadMXBean;
import dev.platter.core.DiskImageException;
import dev.platter.core.Printable;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import org.jspecify.annotations.Nullable;

/**
 * What {@code SECURITY.md} promises for every image, checked around one reading of a hostile one: it ends in a result or
 * in a {@link DiskImageException} and in nothing else, allocates no more than 64 MiB, takes no more than a second of CPU
 * for each MiB of metadata, and shows no control character. Heap and CPU are those of the calling thread; what it
 * allocates is more than what is alive at once, so the bound on the heap is met with it. Immutable.
 */
public final class Promises {
    /** The heap that an image may take. */
    public static final long HEAP_BYTES = 64L << 20;

    private static final int TRIES = 3;
    private static final long NANOS_PER_MILLI = 1_000_000;
    private static final long NANOS_PER_MIB = 1_000_000_000L;
    private static final @Nullable ThreadMXBean THREADS =
            ManagementFactory.getThreadMXBean() instanceof ThreadMXBean bean ? bean : null;

    private final long allocation;
    private final long cpuNanos;

    private Promises(long allocation, long cpuNanos) {
        this.allocation = allocation;
        this.cpuNanos = cpuNanos;
    }

    /** Returns the promises for an image with that much metadata; what is less than 2 MiB has a second. */
    public static Promises ofMetadata(long bytes) {
        return new Promises(HEAP_BYTES, Math.max(1, bytes >> 20) * NANOS_PER_MIB);
    }

    /** Returns these promises with another bound on what is allocated, {@link Long#MAX_VALUE} for none. */
    public Promises allocatingAtMost(long bytes) {
        return new Promises(bytes, cpuNanos);
    }

    /**
     * Reads, and checks that the promises were kept; a refusal is a good answer, if its message can be shown. Where too
     * much was used, it reads again: the first time pays for the classes that are loaded then.
     *
     * @param reading does the same whenever it is called
     * @throws AssertionError if a promise was broken; what the reading throws otherwise goes through as it is
     */
    public void check(Reading reading) {
        String excess = measure(reading);
        for (int i = 1; i < TRIES && excess != null; i++) {
            excess = measure(reading);
        }
        if (excess != null) {
            throw new AssertionError(excess);
        }
    }

    private @Nullable String measure(Reading reading) {
        long allocatedBefore = allocated();
        long cpuBefore = cpu();
        attempt(reading);
        long used = allocated() - allocatedBefore;
        long took = cpu() - cpuBefore;
        if (used > allocation) {
            return "allocated " + used + " bytes, allowed are " + allocation;
        }
        return took > cpuNanos
                ? "took " + took / NANOS_PER_MILLI + " ms, allowed are " + cpuNanos / NANOS_PER_MILLI
                : null;
    }

    /**
     * Does one step of a reading, and goes on after a refusal: what lies beside the damage has to stay readable.
     *
     * @throws AssertionError if it fails otherwise than by a refusal whose message can be shown
     */
    public static void attempt(Reading step) {
        try {
            step.read();
        } catch (DiskImageException e) {
            requireShowable(e.getMessage());
        } catch (IOException e) {
            throw new AssertionError("neither read nor refused: " + e, e);
        }
    }

    /**
     * Checks a text that a person or a log will see: there is one, and nothing in it acts on a terminal. Lines may end.
     *
     * @throws AssertionError if not
     */
    public static void requireShowable(@Nullable String text) {
        if (text == null || text.isEmpty()) {
            throw new AssertionError("no words where a text belongs");
        }
        for (int i = 0; i < text.length(); ) {
            int codePoint = text.codePointAt(i);
            boolean plain = codePoint >= ' ' && codePoint <= '~';
            if (!plain && !Printable.isSafe(codePoint) && codePoint != '\n') {
                throw new AssertionError(
                        String.format("U+%04X would be shown, in: %s", codePoint, Printable.escape(text)));
            }
            i += Character.charCount(codePoint);
        }
    }

    private static long allocated() {
        return THREADS == null || !THREADS.isThreadAllocatedMemorySupported()
                ? 0
                : THREADS.getCurrentThreadAllocatedBytes();
    }

    private static long cpu() {
        return THREADS == null || !THREADS.isCurrentThreadCpuTimeSupported() ? 0 : THREADS.getCurrentThreadCpuTime();
    }

    /** What is checked. */
    @FunctionalInterface
    public interface Reading {
        /**
         * Reads.
         *
         * @throws DiskImageException if the image is refused; that is a good answer
         * @throws IOException never otherwise
         */
        void read() throws IOException;
    }
}
