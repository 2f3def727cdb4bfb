package dev.platter.core;

import java.io.IOException;

/** Tells data from holes, also where the file changes meanwhile and the answers contradict each other. */
final class HoleWalk {

    private HoleWalk() {}

    /**
     * Reports a range in pieces that always go forward. A file that was cut answers with its new end, which lies before
     * the question; what cannot be known counts as data, and reading it says what is wrong.
     */
    static void visit(FileFacts.Holes holes, long offset, long length, ExtentVisitor visitor) throws IOException {
        long end = offset + length;
        for (long at = offset; at < end; ) {
            long data = Math.min(end, Math.max(at, holes.nextData(at)));
            if (data > at && !visitor.extent(at, data - at, Extent.READS_AS_ZERO, 0, null, -1)) {
                return;
            }
            if (data == end) {
                return;
            }
            long next = holes.nextHole(data);
            long hole = next > data ? Math.min(end, next) : end;
            if (!visitor.extent(data, hole - data, Extent.ALLOCATED, 0, null, -1)) {
                return;
            }
            at = hole;
        }
    }
}
