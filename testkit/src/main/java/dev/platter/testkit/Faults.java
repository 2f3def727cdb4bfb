package dev.platter.testkit;

import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** Which requests fail; for {@link FaultyDevice} and {@link FaultyStorage}. Safe for many threads. */
public final class Faults {
    private static final long SECTOR = 512;

    private record BadRange(boolean writes, long offset, long length, BlockIOException.Kind kind) {
        boolean meets(long at, long count) {
            return at < offset + length && offset < at + count;
        }
    }

    private final List<BadRange> bad = new ArrayList<>();
    private long requestsLeft = Long.MAX_VALUE;
    private long passed;
    private long failing = -1;
    private BlockIOException.Kind failingKind = BlockIOException.Kind.IO;
    private Written failingWritten = Written.NOTHING;

    /** What of a write is on the medium although it failed. */
    public enum Written {
        /** No byte. */
        NOTHING,
        /** The first half, to the end of a sector of 512 bytes. */
        HALF,
        /** All of it: only the answer was lost. */
        ALL
    }

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

    /**
     * Makes one request fail, and those after it pass again.
     *
     * @param number which one, of those from now on; 0 is the next
     * @param written what is done of it nevertheless, if it writes
     */
    public synchronized Faults failOne(long number, BlockIOException.Kind kind, Written written) {
        failing = passed + number;
        failingKind = kind;
        failingWritten = written;
        return this;
    }

    /** Returns whether the request of {@link #failOne} has come. */
    public synchronized boolean hasFailed() {
        return failing >= 0 && passed > failing;
    }

    /** Lets everything pass again. */
    public synchronized Faults heal() {
        bad.clear();
        requestsLeft = Long.MAX_VALUE;
        failing = -1;
        return this;
    }

    private synchronized Faults add(BadRange range) {
        bad.add(range);
        return this;
    }

    /** What is written of a request that fails. */
    interface Part {
        void write(long length) throws IOException;
    }

    synchronized void check(String name, boolean write, long offset, long length) throws IOException {
        check(name, write, offset, length, written -> {});
    }

    synchronized void check(String name, boolean write, long offset, long length, Part part) throws IOException {
        if (passed++ == failing) {
            if (failingWritten == Written.ALL) {
                part.write(length);
            } else if (failingWritten == Written.HALF) {
                part.write(Math.max(0, ((offset + length / 2) & -SECTOR) - offset));
            }
            throw failure(name, write, offset, length, failingKind);
        }
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
