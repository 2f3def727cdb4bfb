package dev.platter.testkit;

import dev.platter.core.BlockIOException;
import java.util.ArrayList;
import java.util.List;

/** Which requests fail; for {@link FaultyDevice} and {@link FaultyStorage}. Safe for many threads. */
public final class Faults {
    private record BadRange(boolean writes, long offset, long length, BlockIOException.Kind kind) {
        boolean meets(long at, long count) {
            return at < offset + length && offset < at + count;
        }
    }

    private final List<BadRange> bad = new ArrayList<>();
    private long requestsLeft = Long.MAX_VALUE;

    /** Makes faults that let everything pass. */
    public Faults() {}

    /** Makes reads fail that touch a range. */
    public Faults failReads(long offset, long length) {
        return add(new BadRange(false, offset, length, BlockIOException.Kind.IO));
    }

    /** Makes writes, zeroing and discards fail that touch a range, before they change a byte. */
    public Faults failWrites(long offset, long length, BlockIOException.Kind kind) {
        return add(new BadRange(true, offset, length, kind));
    }

    /** Lets so many requests pass, flushes included, and no more. */
    public synchronized Faults failAfter(long requests) {
        requestsLeft = requests;
        return this;
    }

    /** Lets everything pass again. */
    public synchronized Faults heal() {
        bad.clear();
        requestsLeft = Long.MAX_VALUE;
        return this;
    }

    private synchronized Faults add(BadRange range) {
        bad.add(range);
        return this;
    }

    synchronized void check(String name, boolean write, long offset, long length) throws BlockIOException {
        if (requestsLeft == 0) {
            throw failure(name, write, offset, length, BlockIOException.Kind.IO);
        }
        requestsLeft--;
        for (BadRange range : bad) {
            if (range.writes == write && range.meets(offset, length)) {
                throw failure(name, write, offset, length, range.kind);
            }
        }
    }

    private static BlockIOException failure(
            String name, boolean write, long offset, long length, BlockIOException.Kind kind) {
        return new BlockIOException(
                kind,
                name + ": " + (write ? "write" : "read") + " of " + length + " at " + offset
                        + ": failed as the test wants",
                null);
    }
}
