package dev.platter.testkit;

import dev.platter.core.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/**
 * A storage of which one request, chosen by where it goes, waits until the test lets it go: so that something else happens
 * in the middle of an operation. Safe for many threads.
 */
public final class SlowStorage extends ForwardingStorage {
    /** Ends a test that would hang; no test depends on it being short. */
    private static final long HANG_SECONDS = 120;

    private @Nullable Gate gate;

    /** Makes a storage that passes everything on to {@code storage}, closing included. */
    public SlowStorage(Storage storage) {
        super(storage);
    }

    /** Holds one request. */
    public static final class Gate {
        private final boolean writes;
        private final Choice choice;
        private final CountDownLatch arrived = new CountDownLatch(1);
        private final CountDownLatch open = new CountDownLatch(1);

        private Gate(boolean writes, Choice choice) {
            this.writes = writes;
            this.choice = choice;
        }

        /** Waits until the request has come and waits. */
        public void await() throws InterruptedException {
            if (!arrived.await(HANG_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("no such request came");
            }
        }

        /** Lets the request go on. */
        public void release() {
            open.countDown();
        }
    }

    /** Chooses a request. */
    @FunctionalInterface
    public interface Choice {
        /** Returns whether this is it. */
        boolean chooses(long offset, long length);
    }

    /** Holds the next read that is chosen. */
    public Gate holdRead(Choice choice) {
        return hold(new Gate(false, choice));
    }

    /** Holds the next write that is chosen. */
    public Gate holdWrite(Choice choice) {
        return hold(new Gate(true, choice));
    }

    /** Waits until a thread waits for something itself, or has ended. */
    public static void awaitStuckOrDone(Thread thread) {
        while (true) {
            switch (thread.getState()) {
                case WAITING, BLOCKED, TERMINATED -> {
                    return;
                }
                default -> Thread.onSpinWait();
            }
        }
    }

    private synchronized Gate hold(Gate next) {
        gate = next;
        return next;
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        pass(false, offset, into.remaining());
        return super.read(offset, into);
    }

    @Override
    public void write(long offset, ByteBuffer from) throws IOException {
        pass(true, offset, from.remaining());
        super.write(offset, from);
    }

    private void pass(boolean write, long offset, long length) throws IOException {
        Gate held;
        synchronized (this) {
            held = gate;
            if (held == null || held.writes != write || !held.choice.chooses(offset, length)) {
                return;
            }
            gate = null;
        }
        held.arrived.countDown();
        try {
            if (!held.open.await(HANG_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError(name() + ": waited too long");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw (IOException) new ClosedByInterruptException().initCause(e);
        }
    }
}
