package dev.platter.nbd.server;

import java.time.Duration;

/**
 * What clients may cost. The defaults are safe for a server that strangers can reach; each can be changed.
 *
 * @param connections connections at once, those in their handshake included; more wait to be accepted
 * @param handshake time from accepting a connection to its first request, TLS included; bytes that trickle in do not
 *     prolong it
 * @param idle how long a client may pause inside a message, or refuse to take replies; between requests it may be silent
 *     for ever
 * @param maximumPayload longest read or write, in bytes, at least 1 MiB
 * @param bufferBytes memory for all requests in flight, in bytes; a connection has 28 KiB of its own besides
 * @param options options in a handshake, and {@code optionsPerExport} more for each export that was listed
 * @param optionsPerExport see {@code options}
 * @param slowReads reads at once on a connection whose device is slow to read: compressed, encrypted or remote
 * @param extents ranges that one block status answers, in each context
 * @param polling how long a connection whose client sends one request after the other looks for the next one before it
 *     sleeps, on half of the processors at most, up to 1 ms; zero for never, which saves a tenth to a fifth of the CPU of such
 *     requests and answers about half as many a second
 */
public record ServerLimits(
        int connections,
        Duration handshake,
        Duration idle,
        int maximumPayload,
        long bufferBytes,
        int options,
        int optionsPerExport,
        int slowReads,
        int extents,
        Duration polling) {

    private static final Duration LONGEST_POLLING = Duration.ofMillis(1);

    private static final ServerLimits DEFAULTS = new ServerLimits(
            1024,
            Duration.ofSeconds(10),
            Duration.ofSeconds(30),
            32 << 20,
            16 << 20,
            64,
            4,
            16,
            16_384,
            Duration.ofNanos(100_000));

    /** Checks the limits. */
    public ServerLimits {
        if (connections < 1 || options < 1 || optionsPerExport < 0 || slowReads < 1 || extents < 1) {
            throw new IllegalArgumentException("connections, options, slowReads and extents are 1 or more");
        }
        if (handshake.isNegative() || idle.isNegative() || idle.isZero()) {
            throw new IllegalArgumentException("handshake: " + handshake + ", idle: " + idle + ": must be positive");
        }
        if (polling.isNegative() || polling.compareTo(LONGEST_POLLING) > 0) {
            throw new IllegalArgumentException("polling: " + polling + " is not from 0 to 1 ms");
        }
        if (maximumPayload < 1 << 20 || maximumPayload > 64 << 20) {
            throw new IllegalArgumentException("maximumPayload: " + maximumPayload + " is not from 1 to 64 MiB");
        }
        if (bufferBytes < 0) {
            throw new IllegalArgumentException("bufferBytes: " + bufferBytes);
        }
    }

    /** Returns the limits that hold if nobody says otherwise. */
    public static ServerLimits defaults() {
        return DEFAULTS;
    }

    /** Returns these limits with another number of connections. */
    public ServerLimits withConnections(int most) {
        return new ServerLimits(
                most,
                handshake,
                idle,
                maximumPayload,
                bufferBytes,
                options,
                optionsPerExport,
                slowReads,
                extents,
                polling);
    }

    /** Returns these limits with another time for a handshake; zero for no limit. */
    public ServerLimits withHandshake(Duration time) {
        return new ServerLimits(
                connections,
                time,
                idle,
                maximumPayload,
                bufferBytes,
                options,
                optionsPerExport,
                slowReads,
                extents,
                polling);
    }

    /** Returns these limits with another time that a client may pause inside a message. */
    public ServerLimits withIdle(Duration time) {
        return new ServerLimits(
                connections,
                handshake,
                time,
                maximumPayload,
                bufferBytes,
                options,
                optionsPerExport,
                slowReads,
                extents,
                polling);
    }

    /** Returns these limits with other memory for requests in flight, in bytes. */
    public ServerLimits withBufferBytes(long bytes) {
        return new ServerLimits(
                connections,
                handshake,
                idle,
                maximumPayload,
                bytes,
                options,
                optionsPerExport,
                slowReads,
                extents,
                polling);
    }

    /** Returns these limits with another time to look for the next request; zero for none. */
    public ServerLimits withPolling(Duration time) {
        return new ServerLimits(
                connections,
                handshake,
                idle,
                maximumPayload,
                bufferBytes,
                options,
                optionsPerExport,
                slowReads,
                extents,
                time);
    }
}
