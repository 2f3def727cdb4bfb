package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.LimitExceededException;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads a table of entries of varying length from front to back, a window at a time. */
final class TableReader {
    private static final int WINDOW = 64 << 10;

    private final HostFile file;
    private final String what;
    private final long start;
    private final long maxBytes;
    private final boolean padded;
    private ByteBuffer window = ByteBuffer.allocate(0);
    private long windowOffset;

    /**
     * Makes a reader.
     *
     * @param what what the table is, for messages: {@code "snapshot table"}
     * @param maxBytes how long the table may be
     */
    TableReader(HostFile file, String what, long start, long maxBytes) {
        this(file, what, start, maxBytes, false);
    }

    private TableReader(HostFile file, String what, long start, long maxBytes, boolean padded) {
        this.file = file;
        this.what = what;
        this.start = start;
        this.maxBytes = maxBytes;
        this.padded = padded;
        this.windowOffset = start;
    }

    /** Makes a reader to which everything beyond the end of the file is zeros. */
    static TableReader padded(HostFile file, String what, long start, long maxBytes) {
        return new TableReader(file, what, start, maxBytes, true);
    }

    /** Returns the file offset of what is read next. */
    long offset() {
        return windowOffset + window.position();
    }

    /** Returns the next bytes, to be read from position 0 on; they are valid until the next call. */
    ByteBuffer next(int length) throws IOException {
        if (length > maxBytes - (offset() - start)) {
            throw new LimitExceededException(
                    file.name() + ": " + what + " at " + start + " is longer than the limit of " + maxBytes + " bytes");
        }
        if (length > Long.MAX_VALUE - offset()) {
            throw new CorruptImageException(file.name() + ": " + what + " at " + start + " goes beyond 2^63");
        }
        if (window.remaining() < length) {
            fill(length);
        }
        ByteBuffer bytes = window.slice(window.position(), length);
        window.position(window.position() + length);
        return bytes;
    }

    /** Skips to the next multiple of 8 bytes, counted from the beginning of the table. */
    void align() throws IOException {
        int padding = (int) (-(offset() - start) & 7);
        if (padding > 0 && (padded || file.holds(offset(), padding))) {
            next(padding);
        }
    }

    private void fill(int length) throws IOException {
        long from = offset();
        if (!padded && !file.holds(from, length)) {
            throw new CorruptImageException(file.name() + ": " + what + " at " + start + ": the entry at " + from
                    + " goes beyond the end of the file (" + file.fileSize() + " bytes)");
        }
        long ahead = Math.min(WINDOW, file.fileSize() - from);
        ByteBuffer bytes = ByteBuffer.allocate((int) Math.max(length, ahead));
        if (padded) {
            file.readPadded(from, bytes);
        } else {
            file.storage().read(from, bytes);
            if (bytes.position() < length) {
                throw file.truncated(what, from);
            }
        }
        window = bytes.flip();
        windowOffset = from;
    }
}
