package dev.platter.core;

import java.io.IOException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a device into pieces: ranges of zeros or to be left out of any length, and data in aligned chunks. All pieces begin
 * at a multiple of a unit and end at one, or at the end of the device: a unit that is zeros in part only is data. Extents are
 * asked for a few
 * hundred at a time, so that memory stays flat.
 */
final class CopyPlan {
    private static final int BATCH = 512;

    private final BlockDevice from;
    private final int chunkSize;
    private final int unit;
    private final boolean topOnly;
    private final ArrayDeque<Run> runs = new ArrayDeque<>();
    private long planned;
    private int seen;
    private long position;

    /**
     * Makes a plan.
     *
     * @param unit a power of two
     * @param topOnly whether what the layers below hold is left out
     */
    CopyPlan(BlockDevice from, int chunkSize, int unit, boolean topOnly) {
        this.from = from;
        this.chunkSize = chunkSize;
        this.unit = unit;
        this.topOnly = topOnly;
    }

    /** A range that is left out, is zero or is data, with the facts that hold for some part of it. */
    private record Run(long end, boolean leftOut, boolean zero, int facts) {
        boolean isData() {
            return !leftOut && !zero;
        }
    }

    boolean hasNext() {
        return position < from.size();
    }

    /** Returns whether the next piece has to be read. */
    boolean isData() throws IOException {
        return unreadEnd(current()) <= position;
    }

    /** Returns what is known of the range that the next piece belongs to. */
    int facts() throws IOException {
        return current().facts;
    }

    /** Returns the next piece. */
    CopySource.Piece next() throws IOException {
        Run run = current();
        long unreadEnd = unreadEnd(run);
        boolean read = unreadEnd <= position;
        long end = unreadEnd;
        if (read) {
            long wholeUnits = Math.min(from.size(), run.end + unit - 1 & -unit);
            end = Math.min(wholeUnits, position + (chunkSize - position % chunkSize));
        }
        CopySource.Piece piece =
                new CopySource.Piece(position, end - position, !read && run.zero, !read && run.leftOut);
        position = end;
        return piece;
    }

    /** Returns where the last unit ends of which nothing has to be read, before {@code position} if there is none. */
    private long unreadEnd(Run run) {
        return run.isData() ? -1 : run.end == from.size() ? run.end : run.end & -unit;
    }

    private Run current() throws IOException {
        Run run = runs.peek();
        while (run == null || run.end <= position) {
            runs.poll();
            if (runs.isEmpty()) {
                gather();
            }
            run = runs.peek();
        }
        return run;
    }

    private void gather() throws IOException {
        seen = 0;
        from.extents(planned, from.size() - planned, this::add);
        if (runs.isEmpty()) {
            throw new IllegalStateException(from.description() + ": no extents from " + planned);
        }
    }

    /** Joins a range to the one before it where both are zero or both are data. */
    private boolean add(long offset, long length, int facts, int depth, @Nullable BlockDevice below, long belowOffset) {
        boolean leftOut = topOnly && depth > 0;
        boolean zero = (facts & Extent.READS_AS_ZERO) != 0;
        planned = offset + length;
        Run last = runs.peekLast();
        if (last != null && last.zero == zero && last.leftOut == leftOut) {
            runs.removeLast();
            facts |= last.facts;
        }
        runs.add(new Run(planned, leftOut, zero, facts));
        seen++;
        return seen < BATCH;
    }
}
