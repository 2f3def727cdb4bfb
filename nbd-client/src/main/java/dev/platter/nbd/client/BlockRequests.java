package dev.platter.nbd.client;

import dev.platter.core.NotFasterException;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.locks.StampedLock;
import org.jspecify.annotations.Nullable;

/**
 * Turns requests of any place and length into such as the server takes: long ones into several, parts of blocks into whole
 * ones. The ranges given lie inside the export. Safe for many threads.
 */
final class BlockRequests {
    /** Trims and zeroes are cut into pieces, so that a slow disk has done each before the time is up. */
    private static final long MOST_EFFECT = 256 << 20;

    /** Parts of blocks that lie together are read and written with the bytes between them, up to so many. */
    private static final int TOGETHER = 256 << 10;

    private static final ByteBuffer ZEROS = ByteBuffer.allocateDirect(TOGETHER).asReadOnlyBuffer();

    private final String description;
    private final Connections connections;
    private final BlockLayout layout;
    private final int block;
    private final ExportDetails details;

    /** Held shared by writes of whole blocks, alone by those of parts: nothing may come between reading and writing back. */
    private final StampedLock changing = new StampedLock();

    BlockRequests(String description, Connections connections, BlockLayout layout) {
        this.description = description;
        this.connections = connections;
        this.layout = layout;
        this.block = layout.block();
        this.details = connections.negotiated().details();
    }

    boolean canZeroFast() {
        return details.has(TransmissionFlags.SEND_WRITE_ZEROES) && details.has(TransmissionFlags.SEND_FAST_ZERO);
    }

    void read(long offset, ByteBuffer into) throws IOException {
        if (!into.hasRemaining()) {
            return;
        }
        if (layout.isWhole(offset, into.remaining())) {
            transfer(Commands.READ, 0, offset, into);
        } else {
            readParts(offset, into);
        }
    }

    void write(long offset, ByteBuffer from, int flags) throws IOException {
        if (!from.hasRemaining()) {
            return;
        }
        if (layout.isWhole(offset, from.remaining())) {
            long stamp = share();
            try {
                transfer(Commands.WRITE, flags, offset, from);
            } finally {
                unshare(stamp);
            }
        } else {
            writeParts(offset, from, flags);
        }
    }

    /**
     * Zeroes a range.
     *
     * @throws NotFasterException if speed is demanded and the server has no such way, or the range is less than a block
     */
    void zero(long offset, long length, ZeroMode mode, int flags) throws IOException {
        if (length == 0) {
            return;
        }
        long end = offset + length;
        long first = layout.roundUp(offset);
        long last = layout.roundDown(end);
        if (mode.isFast() && (!canZeroFast() || first >= last)) {
            throw new NotFasterException(description);
        }
        if (layout.isWhole(offset, length)) {
            long stamp = share();
            try {
                zeroBlocks(offset, length, mode, flags);
            } finally {
                unshare(stamp);
            }
        } else {
            zeroParts(offset, end, first, last, mode, flags);
        }
    }

    /** Discards the whole blocks of a range. */
    void discard(long offset, long length) throws IOException {
        long last = layout.roundDown(offset + length);
        for (long at = layout.roundUp(offset); at < last; ) {
            long run = Math.min(MOST_EFFECT, last - at);
            connections.call(Commands.TRIM, 0, at, run, null, null);
            at += run;
        }
    }

    /** Returns whether zeroing a range can be left to {@link #begin}. */
    boolean isOneZeroing(long offset, long length, ZeroMode mode) {
        return layout.isWhole(offset, length)
                && length <= MOST_EFFECT
                && details.has(TransmissionFlags.SEND_WRITE_ZEROES)
                && (canZeroFast() || !mode.isFast());
    }

    static int zeroFlags(ZeroMode mode) {
        return (mode.mayUnmap() ? 0 : CommandFlags.NO_HOLE) | (mode.isFast() ? CommandFlags.FAST_ZERO : 0);
    }

    /** Sends requests for a range of whole blocks, and returns what ends with the last of them. */
    PendingRequest begin(int type, int flags, long offset, long length, @Nullable ByteBuffer data) throws IOException {
        if (type == Commands.READ) {
            return beginAll(type, flags, offset, length, data);
        }
        long stamp = share();
        PendingRequest pending;
        try {
            pending = beginAll(type, flags, offset, length, data);
        } catch (IOException | RuntimeException e) {
            unshare(stamp);
            throw e;
        }
        return new PendingRequest().endingWith(pending.whenComplete((nothing, failure) -> unshare(stamp)));
    }

    private PendingRequest beginAll(int type, int flags, long offset, long length, @Nullable ByteBuffer data)
            throws IOException {
        long most = data == null ? MOST_EFFECT : layout.mostPayload();
        if (length > 0 && length <= most) {
            return connections.submit(type, flags, offset, length, data);
        }
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (long done = 0; done < length; ) {
            long run = Math.min(most, length - done);
            ByteBuffer part = data == null ? null : data.slice(data.position() + (int) done, (int) run);
            try {
                all.add(connections.submit(type, flags, offset + done, run, part));
            } catch (IOException e) {
                // What was begun still has to end before the caller may have its buffer back.
                all.add(CompletableFuture.failedFuture(e));
                break;
            }
            done += run;
        }
        return new PendingRequest().endingWith(CompletableFuture.allOf(all.toArray(new CompletableFuture<?>[0])));
    }

    /** Where every byte is a block, there are no parts to keep out. */
    private long share() throws ClosedByInterruptException {
        try {
            return block == 1 ? 0 : changing.readLockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ClosedByInterruptException();
        }
    }

    private void unshare(long stamp) {
        if (stamp != 0) {
            changing.unlockRead(stamp);
        }
    }

    private long shutOut() throws ClosedByInterruptException {
        try {
            return changing.writeLockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ClosedByInterruptException();
        }
    }

    /** Reads or writes whole blocks, in as many requests as it takes. */
    private void transfer(int type, int flags, long offset, ByteBuffer data) throws IOException {
        int start = data.position();
        int limit = data.limit();
        try {
            for (int at = start; at < limit; at = data.position()) {
                int run = Math.min(layout.mostPayload(), limit - at);
                data.limit(at + run);
                connections.call(type, flags, offset + (at - start), run, data, null);
            }
        } finally {
            data.limit(limit);
        }
    }

    private void readParts(long offset, ByteBuffer into) throws IOException {
        long end = offset + into.remaining();
        long first = layout.roundDown(offset);
        long span = layout.roundUp(end) - first;
        if (span <= TOGETHER) {
            ByteBuffer whole = readBlocks(first, (int) span);
            into.put(whole.position((int) (offset - first)).limit((int) (end - first)));
            return;
        }
        int limit = into.limit();
        int head = (int) (layout.roundUp(offset) - offset);
        int tail = (int) (end % block);
        readPart(offset, into.limit(into.position() + head));
        transfer(Commands.READ, 0, offset + head, into.limit(limit - tail));
        readPart(end - tail, into.limit(limit));
    }

    /** Reads a part of one block. */
    private void readPart(long offset, ByteBuffer into) throws IOException {
        if (into.hasRemaining()) {
            int skipped = (int) (offset % block);
            ByteBuffer whole = readBlocks(offset - skipped, block);
            into.put(whole.position(skipped).limit(skipped + into.remaining()));
        }
    }

    private ByteBuffer readBlocks(long offset, int length) throws IOException {
        ByteBuffer whole = ByteBuffer.allocate(length);
        transfer(Commands.READ, 0, offset, whole);
        return whole.flip();
    }

    private void writeParts(long offset, ByteBuffer from, int flags) throws IOException {
        long end = offset + from.remaining();
        long first = layout.roundDown(offset);
        long span = layout.roundUp(end) - first;
        int limit = from.limit();
        int head = (int) (layout.roundUp(offset) - offset);
        int tail = (int) (end % block);
        long stamp = shutOut();
        try {
            if (span <= TOGETHER) {
                changeBlocks(first, (int) span, offset, from, flags);
                return;
            }
            if (head > 0) {
                changeBlocks(first, block, offset, from.limit(from.position() + head), flags);
            }
            transfer(Commands.WRITE, flags, offset + head, from.limit(limit - tail));
            if (tail > 0) {
                changeBlocks(end - tail, block, end - tail, from.limit(limit), flags);
            }
        } finally {
            from.limit(limit);
            changing.unlockWrite(stamp);
        }
    }

    /** Reads some blocks, puts bytes into them, and writes them back. */
    private void changeBlocks(long first, int length, long offset, ByteBuffer from, int flags) throws IOException {
        ByteBuffer whole = readBlocks(first, length);
        whole.position((int) (offset - first)).put(from);
        transfer(Commands.WRITE, flags, first, whole.rewind());
    }

    private void zeroParts(long offset, long end, long first, long last, ZeroMode mode, int flags) throws IOException {
        long stamp = shutOut();
        try {
            if (first >= last) {
                zeroPart(offset, end, flags);
                return;
            }
            zeroBlocks(first, last - first, mode, flags);
            zeroPart(offset, first, flags);
            zeroPart(last, end, flags);
        } finally {
            changing.unlockWrite(stamp);
        }
    }

    /** Zeroes parts of blocks, less than two of them. */
    private void zeroPart(long offset, long end, int flags) throws IOException {
        if (offset < end) {
            long first = layout.roundDown(offset);
            int span = (int) (layout.roundUp(end) - first);
            changeBlocks(first, span, offset, ByteBuffer.allocate((int) (end - offset)), flags);
        }
    }

    private void zeroBlocks(long offset, long length, ZeroMode mode, int flags) throws IOException {
        if (!details.has(TransmissionFlags.SEND_WRITE_ZEROES)) {
            writeZeros(offset, length, flags);
            return;
        }
        int zeroFlags = flags | zeroFlags(mode);
        for (long done = 0; done < length; ) {
            long run = Math.min(MOST_EFFECT, length - done);
            zeroFlags = zeroPiece(offset + done, run, zeroFlags, done == 0);
            done += run;
        }
    }

    /** Only the first piece can be refused as not fast: nothing may be touched then. Returns the flags for the next. */
    private int zeroPiece(long offset, long length, int flags, boolean first) throws IOException {
        try {
            connections.call(Commands.WRITE_ZEROES, flags, offset, length, null, null);
            return flags;
        } catch (NotFasterException e) {
            if (first) {
                throw e;
            }
            int slow = flags & ~CommandFlags.FAST_ZERO;
            connections.call(Commands.WRITE_ZEROES, slow, offset, length, null, null);
            return slow;
        }
    }

    private void writeZeros(long offset, long length, int flags) throws IOException {
        for (long done = 0; done < length; ) {
            int run = (int) Math.min(ZEROS.capacity(), length - done);
            transfer(Commands.WRITE, flags, offset + done, ZEROS.slice(0, run));
            done += run;
        }
    }
}
