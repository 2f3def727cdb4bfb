package dev.platter.nbd.client;

import dev.platter.nbd.protocol.ProtocolException;
import java.util.Arrays;

/**
 * What one request for block status brings: the ranges of the context that is wanted, and a check of those of the others.
 * Filled by the thread that reads replies, read by the one that asked when the reply is complete.
 */
final class StatusReplies {
    /** Extents that a chunk can have; section "Structured reply types". */
    static final int MOST_EXTENTS = 1 << 20;

    private final int wanted;
    private final int contexts;
    private final boolean one;
    private long requested;
    private long room;

    private long seen;
    private int current;
    private long reported;
    private int extents;

    private long[] lengths = new long[16];
    private long[] flags = new long[16];
    private int count;

    /**
     * Makes an empty one.
     *
     * @param wanted place of the context whose ranges are kept
     * @param contexts how many contexts were agreed on
     * @param one whether one range of each context was asked for
     */
    StatusReplies(int wanted, int contexts, boolean one) {
        this.wanted = wanted;
        this.contexts = contexts;
        this.one = one;
    }

    /**
     * Forgets what came, for another request.
     *
     * @param length bytes asked about
     * @param toEnd bytes from the beginning of the request to the end of the export
     */
    void clear(long length, long toEnd) {
        requested = length;
        room = toEnd;
        seen = 0;
        count = 0;
    }

    /** Begins the chunk of a context. */
    void begin(int context) throws ProtocolException {
        if ((seen & (1L << context)) != 0) {
            throw new ProtocolException("block status of a metadata context comes twice");
        }
        seen |= 1L << context;
        current = context;
        reported = 0;
        extents = 0;
    }

    /** Adds a range of that context. */
    void add(long length, long status) throws ProtocolException {
        if (length <= 0) {
            throw new ProtocolException("block status of " + Long.toUnsignedString(length) + " bytes");
        }
        if (reported >= requested || (one && extents > 0)) {
            throw new ProtocolException(
                    "block status goes on behind the " + requested + " bytes that were asked about");
        }
        if (one && length > requested) {
            throw new ProtocolException(
                    "block status of " + length + " bytes where one range of at most " + requested + " was asked for");
        }
        extents++;
        long inside = Math.min(length, room - reported);
        reported += inside;
        if (current != wanted) {
            return;
        }
        if (count == lengths.length) {
            lengths = Arrays.copyOf(lengths, 2 * count);
            flags = Arrays.copyOf(flags, 2 * count);
        }
        lengths[count] = inside;
        flags[count] = status;
        count++;
    }

    /** Returns whether every context has been reported on. */
    boolean isComplete() {
        return Long.bitCount(seen) == contexts;
    }

    /** Returns how many ranges came. */
    int count() {
        return count;
    }

    /** Returns the length of a range; the last one may reach behind the request, but not behind the export. */
    long length(int index) {
        return lengths[index];
    }

    /** Returns the status flags of a range, as the server sent them. */
    long flags(int index) {
        return flags[index];
    }
}
