package dev.platter.nbd.client;

import dev.platter.nbd.protocol.ProtocolException;
import java.nio.channels.ClosedByInterruptException;
import java.time.Duration;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * The requests that a connection can have on their way. The low bits of a cookie name the slot of its request, the others
 * tell it from all that had that slot before; so a reply finds its request without a table, and a cookie is never met twice.
 * Safe for many threads.
 */
final class Slots {
    /** Bits of a word. */
    static final int MOST = 64;

    private static final int SLOT_BITS = 6;

    private final Request[] requests;
    private final Semaphore free;
    private final AtomicLong taken = new AtomicLong();
    private final AtomicLong sequence = new AtomicLong();

    Slots(int count) {
        requests = new Request[count];
        for (int i = 0; i < count; i++) {
            requests[i] = new Request(i);
        }
        free = new Semaphore(count);
    }

    /** Waits for a slot and takes it. */
    Request take() throws ClosedByInterruptException {
        if (!free.tryAcquire()) {
            try {
                free.acquire();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new ClosedByInterruptException();
            }
        }
        return taken();
    }

    /** Takes a slot if there is one. */
    @Nullable
    Request tryTake() {
        return free.tryAcquire() ? taken() : null;
    }

    private Request taken() {
        while (true) {
            long before = taken.get();
            int slot = Long.numberOfTrailingZeros(~before);
            if (taken.compareAndSet(before, before | (1L << slot))) {
                return requests[slot];
            }
        }
    }

    /** Gives a slot back. */
    void give(Request request) {
        request.forget();
        taken.addAndGet(-(1L << request.slot));
        free.release();
    }

    /** Returns a cookie for the next request of a slot. */
    long cookie(Request request) {
        return (sequence.incrementAndGet() << SLOT_BITS) | request.slot;
    }

    /**
     * Returns the request that a cookie means.
     *
     * @throws ProtocolException if none waits for a reply with that cookie
     */
    Request find(long cookie) throws ProtocolException {
        int slot = (int) cookie & (MOST - 1);
        if (slot < requests.length) {
            Request request = requests[slot];
            if (request.isInFlight() && request.cookie() == cookie) {
                return request;
            }
        }
        throw new ProtocolException(String.format("a reply with the cookie 0x%x, which no request has", cookie));
    }

    /** Returns the requests of all slots, whether they are taken or not. */
    Request[] all() {
        return requests.clone();
    }

    /** Returns how many slots are taken. */
    int inFlight() {
        return Long.bitCount(taken.get());
    }

    /** Waits until no slot is taken; returns whether that came to be in time. */
    boolean drain(Duration limit) throws InterruptedException {
        boolean drained = free.tryAcquire(requests.length, limit.toNanos(), TimeUnit.NANOSECONDS);
        if (drained) {
            free.release(requests.length);
        }
        return drained;
    }
}
