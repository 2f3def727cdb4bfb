package dev.platter.nbd.server;

import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.server.Agreement.ReplyStyle;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Puts replies in the form that client and server agreed on. Keeps nothing, so it is safe for many threads. */
final class Answers {
    private static final int ERROR_TEXT_BYTES = 1024;

    private final ReplyStyle style;
    private final Replies replies;

    Answers(ReplyStyle style, Replies replies) {
        this.style = style;
        this.replies = replies;
    }

    ReplyStyle style() {
        return style;
    }

    /** Answers that all was done; for requests whose answer has no content. */
    void done(RequestHeader request) throws IOException {
        ByteBuffer out = replies.room(ReplyHeader.EXTENDED_BYTES, ReplyHeader.EXTENDED_BYTES);
        if (style == ReplyStyle.EXTENDED) {
            ReplyHeader.putExtended(out, ChunkTypes.DONE, ChunkTypes.NONE, request.cookie(), request.offset(), 0);
        } else {
            // A simple reply ends a structured one too, and is shorter.
            ReplyHeader.putSimple(out, 0, request.cookie());
        }
    }

    /** Answers a read of no bytes, or the end of one whose chunks are sent. */
    void nothing(RequestHeader request) throws IOException {
        ByteBuffer out = replies.room(ReplyHeader.EXTENDED_BYTES, ReplyHeader.EXTENDED_BYTES);
        putChunk(out, ChunkTypes.DONE, ChunkTypes.NONE, request.cookie(), request.offset(), 0);
    }

    /** Answers that a request failed; the text goes along where the form has room for one. */
    void error(RequestHeader request, NbdError error, String text) throws IOException {
        replies.put(errorReply(request.cookie(), request.offset(), error, text));
    }

    /** Returns the reply that a request failed. */
    ByteBuffer errorReply(long cookie, long offset, NbdError error, String text) {
        ByteBuffer out = ByteBuffer.allocate(ReplyHeader.EXTENDED_BYTES + 6 + ERROR_TEXT_BYTES);
        if (style == ReplyStyle.SIMPLE) {
            ReplyHeader.putSimple(out, error.number(), cookie);
            return out.flip();
        }
        byte[] bytes = clipped(text);
        putChunk(out, ChunkTypes.DONE, ChunkTypes.ERROR, cookie, offset, 6 + bytes.length);
        return out.putInt(error.number())
                .putShort((short) bytes.length)
                .put(bytes)
                .flip();
    }

    /** Returns the bytes before the contents in the answer to a read. */
    int readHeaderBytes() {
        return switch (style) {
            case SIMPLE -> ReplyHeader.SIMPLE_BYTES;
            case STRUCTURED -> ReplyHeader.CHUNK_BYTES + Long.BYTES;
            case EXTENDED -> ReplyHeader.EXTENDED_BYTES + Long.BYTES;
        };
    }

    /** Puts what precedes the contents of a read, or of a piece of it. */
    void putRead(ByteBuffer out, RequestHeader request, long offset, int length, boolean last) {
        putRead(out, request.cookie(), request.offset(), offset, length, last);
    }

    /** As above, for a request that is no longer in its header. */
    void putRead(ByteBuffer out, long cookie, long requestOffset, long offset, int length, boolean last) {
        if (style == ReplyStyle.SIMPLE) {
            ReplyHeader.putSimple(out, 0, cookie);
            return;
        }
        int flags = last ? ChunkTypes.DONE : 0;
        putChunk(out, flags, ChunkTypes.OFFSET_DATA, cookie, requestOffset, Long.BYTES + length);
        out.putLong(offset);
    }

    /** Returns the bytes of the header of a chunk. */
    int chunkHeaderBytes() {
        return style == ReplyStyle.EXTENDED ? ReplyHeader.EXTENDED_BYTES : ReplyHeader.CHUNK_BYTES;
    }

    /** Puts the header of a chunk. */
    void putChunk(ByteBuffer out, int flags, int type, long cookie, long requestOffset, int length) {
        if (style == ReplyStyle.EXTENDED) {
            ReplyHeader.putExtended(out, flags, type, cookie, requestOffset, length);
        } else {
            ReplyHeader.putChunk(out, flags, type, cookie, length);
        }
    }

    private static byte[] clipped(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        if (bytes.length <= ERROR_TEXT_BYTES) {
            return bytes;
        }
        String shorter = text.substring(0, Math.min(text.length(), ERROR_TEXT_BYTES / 4));
        return shorter.getBytes(StandardCharsets.UTF_8);
    }
}
