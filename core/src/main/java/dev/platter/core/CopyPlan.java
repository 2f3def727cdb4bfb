package dev.platter.core;

import java.io.IOException;
import java.util.ArrayDeque;
import org.jspecify.annotations.Nullable;

/**
 * Cuts a device into pieces: ranges of zeros or to be left out of any length, and data in aligned chunks. Extents are asked for a few
 * hundred at a time, so that memory stays flat.
 */
final class CopyPlan {
    private static final int BATCH = 512;

    private final BlockDevice from;
    private final int chunkSize;
    private final boolean topOnly;
    private final ArrayDeque<Run> runs = new ArrayDeque<>();
    private long planned;
    private int seen;
    private long position;

    /** @param topOnly whether what the layers below hold is left out */
    CopyPlan(BlockDevice from, int chunkSize, boolean topOnly) {
        this.from = from;
        this.chunkSize = chunkSize;
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
        return current().isData();
    }

    /** Returns what is known of the range that the next piece belongs to. */
    int facts() throws IOException {
        return current().facts;
    }

    /** Returns the next piece. */
    CopySource.Piece next() throws IOException {
        Run run = current();
        long aligned = chunkSize - position % chunkSize;
        long length = run.isData() ? Math.min(run.end - position, aligned) : run.end - position;
        CopySource.Piece piece = new CopySource.Piece(position, length, run.zero, run.leftOut);
        position += length;
        return piece;
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
