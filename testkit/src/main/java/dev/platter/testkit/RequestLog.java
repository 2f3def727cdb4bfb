package dev.platter.testkit;

import java.util.ArrayList;
import java.util.List;

/** The requests that a {@link RecordingDevice} or {@link RecordingStorage} has seen. Safe for many threads. */
public final class RequestLog {
    private final List<Request> requests = new ArrayList<>();

    RequestLog() {}

    /** What was asked. */
    public enum Kind {
        /** Bytes. */
        READ,
        /** The bytes of a range, to a channel. */
        TRANSFER,
        /** What is known of a range. */
        EXTENTS,
        /** A hint. */
        PREFETCH,
        /** Bytes to be stored. */
        WRITE,
        /** Zeros to be stored. */
        WRITE_ZEROES,
        /** That a range is no longer needed. */
        DISCARD,
        /** That all be durable; offset and length are 0. */
        FLUSH,
        /** Another size; the length is that size. */
        SET_SIZE,
        /** The end; offset and length are 0. */
        CLOSE
    }

    /**
     * One request.
     *
     * @param kind what was asked
     * @param offset first byte
     * @param length bytes
     */
    public record Request(Kind kind, long offset, long length) {}

    /** Returns all requests, in the order in which they began. */
    public List<Request> all() {
        synchronized (requests) {
            return List.copyOf(requests);
        }
    }

    /** Returns the requests of one kind, in the order in which they began. */
    public List<Request> of(Kind kind) {
        return all().stream().filter(request -> request.kind() == kind).toList();
    }

    /** Returns how many requests of a kind there were. */
    public int count(Kind kind) {
        return of(kind).size();
    }

    /** Returns the sum of the lengths of the requests of a kind. */
    public long bytes(Kind kind) {
        return of(kind).stream().mapToLong(Request::length).sum();
    }

    /** Forgets all requests. */
    public void clear() {
        synchronized (requests) {
            requests.clear();
        }
    }

    void add(Kind kind, long offset, long length) {
        synchronized (requests) {
            requests.add(new Request(kind, offset, length));
        }
    }

    @Override
    public String toString() {
        return all().toString();
    }
}
