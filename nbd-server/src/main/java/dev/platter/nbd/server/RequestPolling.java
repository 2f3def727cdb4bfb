package dev.platter.nbd.server;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.Semaphore;

/**
 * Receives from a socket, and looks for the next request for some microseconds before it sleeps: a client that sends one
 * request after the other is answered without waking a thread in between, which takes longer than a read of the page cache.
 * A client that took longer of late is slept for at once, so an idle connection costs nothing. Used by the one thread of a
 * connection on which nobody else sends, because the socket does not block meanwhile.
 */
final class RequestPolling {
    private final SocketChannel socket;
    private final Semaphore processors;
    private final long longestNanos;
    private long recentNanos = Long.MAX_VALUE;

    /**
     * @param processors as many permits as connections may poll at a time
     * @param longestNanos how long to look, at most
     */
    RequestPolling(SocketChannel socket, Semaphore processors, long longestNanos) {
        this.socket = socket;
        this.processors = processors;
        this.longestNanos = longestNanos;
    }

    /** Reads as the blocking socket does. */
    int read(ByteBuffer into) throws IOException {
        long begin = System.nanoTime();
        int got = 0;
        if (recentNanos <= longestNanos && processors.tryAcquire()) {
            got = poll(into, begin);
        }
        if (got == 0) {
            got = socket.read(into);
        }
        note(System.nanoTime() - begin);
        return got;
    }

    /** Returns 0 if nothing came in time. */
    @SuppressWarnings("ThreadPriorityCheck") // right or wrong does not depend on who runs when, only how fast it is
    private int poll(ByteBuffer into, long begin) throws IOException {
        try {
            socket.configureBlocking(false);
            int got = socket.read(into);
            while (got == 0 && System.nanoTime() - begin < longestNanos) {
                // whoever else wants this processor gets it, the client among them
                Thread.yield();
                got = socket.read(into);
            }
            return got;
        } finally {
            processors.release();
            socket.configureBlocking(true);
        }
    }

    /** Goes with short waits slowly, and with a long one at once. */
    private void note(long waited) {
        boolean far = recentNanos / 4 > longestNanos || waited / 4 > longestNanos;
        recentNanos = far ? waited : (recentNanos * 7 + waited) / 8;
    }
}
