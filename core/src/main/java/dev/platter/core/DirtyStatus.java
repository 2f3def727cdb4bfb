package dev.platter.core;

import java.io.IOException;

/** Turns the dirty ranges of a bitmap into what is known of a range, clean parts included. */
final class DirtyStatus implements DiskImage.RangeVisitor {
    private final long end;
    private final BlockStatusSource.StatusVisitor visitor;
    private long position;
    private boolean stopped;

    DirtyStatus(long offset, long length, BlockStatusSource.StatusVisitor visitor) {
        this.position = offset;
        this.end = offset + length;
        this.visitor = visitor;
    }

    @Override
    public boolean range(long offset, long length) throws IOException {
        long first = Math.max(offset, position);
        long last = Math.min(offset + length, end);
        tell(Math.min(first, end), 0);
        tell(last, BlockStatusSource.DIRTY);
        return !stopped && position < end;
    }

    /** Tells of the clean part behind the last dirty one. */
    void finish() throws IOException {
        tell(end, 0);
    }

    private void tell(long until, long status) throws IOException {
        if (!stopped && until > position) {
            stopped = !visitor.status(position, until - position, status);
            position = until;
        }
    }
}
