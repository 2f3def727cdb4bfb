package dev.platter.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.ZeroMode;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** What holds for many threads, for interrupted threads, and after closing. */
interface LifecycleContract extends ContractPart {

    /** Guards against threads that never end; no test depends on it being short. */
    int HANG_SECONDS = 120;

    int THREADS = 4;
    int READS = 200;
    int INTERRUPTS = 30;

    @Test
    default void manyThreadsReadAtOnce() throws Exception {
        inThreads(THREADS, thread -> {
            Random random = Seed.random("thread " + thread);
            for (int i = 0; i < READS; i++) {
                readSomewhere(random);
            }
        });
    }

    @Test
    default void interruptedThreadIsRefusedAndKeepsItsFlag() throws Exception {
        int length = (int) Math.min(512, device().size());

        boolean[] flag = {false};
        Throwable[] thrown = {null};
        Thread victim = new Thread(() -> {
            Thread.currentThread().interrupt();
            try {
                device().read(0, ByteBuffer.allocate(length));
            } catch (IOException | RuntimeException e) {
                thrown[0] = e;
            }
            flag[0] = Thread.currentThread().isInterrupted();
        });
        victim.start();
        victim.join();

        assertTrue(flag[0], "the interrupt flag is gone");
        if (thrown[0] != null || (fixture().doesIo() && length > 0)) {
            assertEquals(ClosedByInterruptException.class, thrown[0] == null ? null : thrown[0].getClass());
        }
        contents().assertRead(device(), 0, length);
    }

    @Test
    default void interruptsOfOneThreadDoNotTouchTheOthers() throws Exception {
        AtomicBoolean done = new AtomicBoolean();
        ExecutorService others = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<?>> readers = new ArrayList<>();
            for (int thread = 0; thread < THREADS; thread++) {
                Random random = Seed.random("survivor " + thread);
                readers.add(others.submit(asCallable(() -> {
                    while (!done.get()) {
                        readSomewhere(random);
                    }
                })));
            }
            for (int i = 0; i < INTERRUPTS; i++) {
                interruptOneReader(i);
            }
            done.set(true);
            for (Future<?> reader : readers) {
                await(reader);
            }
        } finally {
            done.set(true);
            others.shutdownNow();
        }

        contents().assertRead(device(), 0, (int) Math.min(4096, device().size()));
    }

    @Test
    default void everyRequestAfterCloseIsRefused() throws IOException {
        BlockDevice device = device();
        int length = (int) Math.min(16, device.size());
        device.close();

        assertClosed("read", () -> device.read(0, ByteBuffer.allocate(length)));
        assertClosed("extents", () -> device.extents(0, length, (at, run, facts, depth, below, belowOffset) -> true));
        if (length > 0) {
            assertClosed(
                    "transferTo", () -> device.transferTo(0, length, Channels.newChannel(new ByteArrayOutputStream())));
        }
        assertClosed("flush", device::flush);
        assertClosed("write", () -> device.write(0, ByteBuffer.allocate(length), Durability.NONE));
        assertClosed("writeZeroes", () -> device.writeZeroes(0, length, ZeroMode.MAY_UNMAP, Durability.NONE));
        assertClosed("discard", () -> device.discard(0, length));
        device.prefetch(0, length);
    }

    @Test
    default void closingTwiceIsHarmlessAndTheNamesRemain() throws IOException {
        long size = device().size();

        device().close();
        device().close();

        assertEquals(size, device().size());
        assertTrue(!device().description().isEmpty());
        assertEquals(!fixture().isWritable(), device().features().readOnly());
    }

    @Test
    default void closingWhileOthersReadEndsThemInOrder() throws Exception {
        int length = (int) Math.min(4096, device().size());
        CountDownLatch reading = new CountDownLatch(THREADS);
        ExecutorService readers = Executors.newFixedThreadPool(THREADS);
        try {
            List<Future<?>> ends = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                ends.add(readers.submit(asCallable(() -> readUntilClosed(length, reading))));
            }
            reading.await();

            device().close();

            for (Future<?> end : ends) {
                await(end);
            }
        } finally {
            readers.shutdownNow();
        }
    }

    private void readUntilClosed(int length, CountDownLatch reading) throws IOException {
        while (true) {
            ByteBuffer into = ByteBuffer.allocate(length);
            try {
                device().read(0, into);
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (ClosedChannelException e) {
                return;
            }
            contents().assertMatch(0, into, "read while another thread closes");
            reading.countDown();
        }
    }

    private void interruptOneReader(int round) throws Exception {
        CountDownLatch started = new CountDownLatch(1);
        Throwable[] wrong = {null};
        Thread victim = new Thread(() -> {
            Random random = Seed.random("victim " + round);
            try {
                while (!Thread.currentThread().isInterrupted()) {
                    readSomewhere(random);
                    started.countDown();
                }
            } catch (ClosedByInterruptException e) {
                wrong[0] = Thread.currentThread().isInterrupted() ? null : new AssertionError("no flag", e);
            } catch (IOException | RuntimeException | AssertionError e) {
                wrong[0] = e;
            } finally {
                started.countDown();
            }
        });
        victim.start();
        started.await();
        victim.interrupt();
        victim.join(TimeUnit.SECONDS.toMillis(HANG_SECONDS));
        if (wrong[0] != null) {
            throw new AssertionError("interrupt " + round, wrong[0]);
        }
    }

    private void readSomewhere(Random random) throws IOException {
        long size = device().size();
        int length = ContractPart.randomLength(random, size, 70_000);
        contents().assertRead(device(), ContractPart.randomOffset(random, size, length), length);
    }

    private static void inThreads(int count, ThreadAction action) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(count);
        try {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int thread = i;
                running.add(threads.submit(asCallable(() -> action.run(thread))));
            }
            for (Future<?> one : running) {
                await(one);
            }
        } finally {
            threads.shutdownNow();
        }
    }

    private static void await(Future<?> future) throws Exception {
        try {
            future.get(HANG_SECONDS, TimeUnit.SECONDS);
        } catch (ExecutionException e) {
            throw new AssertionError("in another thread: " + e.getCause(), e.getCause());
        }
    }

    private static Callable<Boolean> asCallable(IoAction action) {
        return () -> {
            action.run();
            return true;
        };
    }

    private static void assertClosed(String request, Executable call) {
        assertThrows(ClosedChannelException.class, call, request + " after close");
    }

    /** Something that fails as devices do. */
    @FunctionalInterface
    interface IoAction {
        void run() throws Exception;
    }

    /** What one of many threads does. */
    @FunctionalInterface
    interface ThreadAction {
        void run(int thread) throws Exception;
    }
}
