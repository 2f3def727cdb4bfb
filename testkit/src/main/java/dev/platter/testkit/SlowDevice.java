package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.ForwardingDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.util.concurrent.TimeUnit;

/**
 * A device whose reads wait until the test lets them go. It starts open; {@link #hold} closes the gate.
 */
public final class SlowDevice extends ForwardingDevice {
    /** Ends a test that would hang; no test depends on it being short. */
    private static final long HANG_NANOS = TimeUnit.SECONDS.toNanos(120);

    private final Object gate = new Object();
    private boolean held;
    private int waiting;

    /** Makes a device that passes everything on to {@code device}, closing included. */
    public SlowDevice(BlockDevice device) {
        super(device);
    }

    /** Makes reads wait that begin from now on. */
    public void hold() {
        synchronized (gate) {
            held = true;
        }
    }

    /** Lets all reads go on. */
    public void release() {
        synchronized (gate) {
            held = false;
            gate.notifyAll();
        }
    }

    /** Waits until at least {@code readers} reads are waiting. */
    public void awaitReaders(int readers) throws InterruptedException {
        long start = System.nanoTime();
        synchronized (gate) {
            while (waiting < readers) {
                waitAtGate(start);
            }
        }
    }

    /** Returns how many reads are waiting. */
    public int waiting() {
        synchronized (gate) {
            return waiting;
        }
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        pass();
        super.read(offset, into);
    }

    private void pass() throws IOException {
        long start = System.nanoTime();
        synchronized (gate) {
            waiting++;
            gate.notifyAll();
            try {
                while (held) {
                    waitAtGate(start);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw (IOException) new ClosedByInterruptException().initCause(e);
            } finally {
                waiting--;
            }
        }
    }

    private void waitAtGate(long start) throws InterruptedException {
        long left = HANG_NANOS - (System.nanoTime() - start);
        if (left <= 0) {
            throw new AssertionError(description() + ": waited too long, " + waiting + " reads are waiting");
        }
        TimeUnit.NANOSECONDS.timedWait(gate, left);
    }
}
