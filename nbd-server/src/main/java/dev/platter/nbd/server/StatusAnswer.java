package dev.platter.nbd.server;

import dev.platter.core.BlockStatus;
import dev.platter.core.BlockStatusSource.StatusVisitor;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.RequestHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Answers requests for block status: a chunk for each context, cut short where it grows too long or takes too long, which
 * the document allows as long as something is said. Used by the thread of its connection.
 */
final class StatusAnswer {
    private static final int VISITS_A_LOOK = 1024;
    private static final long WORK_NANOS = 500_000_000;

    private final Agreement agreement;
    private final Answers answers;
    private final Replies replies;
    private final int most;
    private final int entryBytes;
    private final int headBytes;

    StatusAnswer(Agreement agreement, Answers answers, Replies replies, int most) {
        this.agreement = agreement;
        this.answers = answers;
        this.replies = replies;
        this.most = most;
        this.entryBytes = agreement.isExtended() ? 2 * Long.BYTES : 2 * Integer.BYTES;
        this.headBytes = answers.chunkHeaderBytes() + (agreement.isExtended() ? 2 : 1) * Integer.BYTES;
    }

    /**
     * Answers a request.
     *
     * @param length bytes that are asked about
     * @param chosen the contexts that are, a bit for each
     * @return what the device threw; then nothing that ends the reply was said
     */
    @Nullable
    Exception answer(RequestHeader request, long length, long chosen) throws IOException {
        int contexts = agreement.contexts().size();
        long left = chosen & (contexts == Long.SIZE ? -1 : (1L << contexts) - 1);
        while (left != 0) {
            int id = Long.numberOfTrailingZeros(left);
            left &= left - 1;
            Exception failure = context(request, length, id, left == 0);
            if (failure != null) {
                return failure;
            }
        }
        return null;
    }

    private @Nullable Exception context(RequestHeader request, long length, int id, boolean last) throws IOException {
        int entries = request.has(CommandFlags.REQ_ONE) ? 1 : most;
        entries = Math.min(entries, (replies.most(headBytes + entries * entryBytes) - headBytes) / entryBytes);
        ByteBuffer out = replies.room(headBytes + entries * entryBytes, headBytes);
        int start = out.position();
        out.position(start + headBytes);
        Ranges ranges = new Ranges(out, entries);
        Exception failure = null;
        try {
            BlockStatus.visit(agreement.device(), agreement.contexts().get(id), request.offset(), length, ranges);
        } catch (IOException | RuntimeException e) {
            failure = e;
        }
        int count = ranges.finish();
        if (count == 0) {
            out.position(start);
            return failure != null
                    ? failure
                    : new IOException(agreement.device().description() + ": no extents");
        }
        int end = out.position();
        out.position(start);
        int flags = last ? ChunkTypes.DONE : 0;
        int payload = end - start - answers.chunkHeaderBytes();
        if (agreement.isExtended()) {
            answers.putChunk(out, flags, ChunkTypes.BLOCK_STATUS_EXT, request.cookie(), request.offset(), payload);
            out.putInt(id).putInt(count);
        } else {
            answers.putChunk(out, flags, ChunkTypes.BLOCK_STATUS, request.cookie(), request.offset(), payload);
            out.putInt(id);
        }
        out.position(end);
        return null;
    }

    /** Joins neighbours and puts them. */
    private final class Ranges implements StatusVisitor {
        private final ByteBuffer out;
        private final int entries;
        private final long start = System.nanoTime();
        private int count;
        private int visits;
        private long length;
        private long status;

        Ranges(ByteBuffer out, int entries) {
            this.out = out;
            this.entries = entries;
        }

        @Override
        public boolean status(long offset, long run, long runStatus) {
            if (length > 0 && runStatus == status) {
                length += run;
            } else {
                put();
                if (count == entries) {
                    return false;
                }
                length = run;
                status = runStatus;
            }
            return ++visits % VISITS_A_LOOK != 0 || System.nanoTime() - start < WORK_NANOS;
        }

        private void put() {
            if (length > 0) {
                if (agreement.isExtended()) {
                    out.putLong(length).putLong(status);
                } else {
                    out.putInt((int) length).putInt((int) status);
                }
                count++;
                length = 0;
            }
        }

        int finish() {
            if (count < entries) {
                put();
            }
            return count;
        }
    }
}
