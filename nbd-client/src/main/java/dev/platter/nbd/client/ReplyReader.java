package dev.platter.nbd.client;

import dev.platter.core.Printable;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.WireText;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Reads the replies of one connection, and believes nothing in them. Whatever does not add up ends the connection: behind a
 * message that is wrong, nobody can tell where the next one begins. Only an error chunk of an unknown type fails its
 * request alone, because the protocol says how long it is. Sections "Simple reply message" to "Structured reply types".
 */
final class ReplyReader implements Runnable {
    /** Error chunks that one request can have; a server needs one. */
    private static final int MOST_ERRORS = 100;

    /** An error of an unknown type may say more than a text. */
    private static final int MOST_ERROR_BYTES = 64 << 10;

    private final Connection connection;
    private final WireInput input;
    private final Negotiated negotiated;
    private final Form agreed;
    private final Slots slots;
    private final ReplyHeader header = new ReplyHeader();

    ReplyReader(Connection connection, WireInput input, Negotiated negotiated, Slots slots) {
        this.connection = connection;
        this.input = input;
        this.negotiated = negotiated;
        this.agreed = negotiated.protocol().replies();
        this.slots = slots;
    }

    @Override
    public void run() {
        IOException failure = new IOException("its reader failed");
        try {
            while (true) {
                receive();
            }
        } catch (IOException e) {
            failure = e;
        } finally {
            // Whatever happened here, nobody may wait for ever.
            connection.readerEnds(failure);
        }
    }

    private void receive() throws IOException {
        ByteBuffer begin = input.awaitMessage(Integer.BYTES);
        int magic = begin.getInt(begin.position());
        header.take(input.await(ReplyHeader.bytes(magic)));
        Form form = header.form();
        if (form != agreed && (form != Form.SIMPLE || agreed == Form.EXTENDED)) {
            throw new ProtocolException(
                    "a reply in the " + words(form) + " form, where the " + words(agreed) + " one was agreed on");
        }
        Request request = slots.find(header.cookie());
        if (form == Form.SIMPLE) {
            simple(request);
            return;
        }
        if (form == Form.EXTENDED && header.offset() != request.offset()) {
            throw new ProtocolException(
                    "a reply says offset " + Long.toUnsignedString(header.offset()) + ", its request is a " + request);
        }
        chunk(request);
        if (header.isDone()) {
            requireWhole(request);
            done(request);
        }
    }

    private static String words(Form form) {
        return switch (form) {
            case SIMPLE -> "simple";
            case STRUCTURED -> "structured";
            case EXTENDED -> "extended";
        };
    }

    private void simple(Request request) throws IOException {
        boolean success = header.error() == 0;
        int type = request.type();
        if (agreed != Form.SIMPLE && (type == Commands.READ || (success && type == Commands.BLOCK_STATUS))) {
            throw new ProtocolException("a simple reply to a " + request + ", which needs a structured one");
        }
        if (!success) {
            request.fail(NbdError.of(header.error()), "");
        } else if (type == Commands.READ) {
            input.move(request, 0, (int) request.length());
        }
        done(request);
    }

    private void chunk(Request request) throws IOException {
        int type = header.type();
        if (ChunkTypes.isError(type)) {
            error(request, type);
            return;
        }
        switch (type) {
            case ChunkTypes.NONE -> {
                requireLength(header.length() == 0, request);
                if (!header.isDone()) {
                    throw new ProtocolException("an empty chunk that is not the last of its reply");
                }
            }
            case ChunkTypes.OFFSET_DATA -> data(request);
            case ChunkTypes.OFFSET_HOLE -> hole(request);
            case ChunkTypes.BLOCK_STATUS, ChunkTypes.BLOCK_STATUS_EXT -> status(request, type);
            default -> throw new ProtocolException("a chunk of the unknown type " + type);
        }
    }

    private void data(Request request) throws IOException {
        requireType(request, Commands.READ);
        requireLength(header.length() > 8 && header.length() <= request.length() + 8, request);
        int length = (int) header.length() - 8;
        int at = contents(request, input.await(8).getLong(), length);
        input.move(request, at, length);
    }

    private void hole(Request request) throws IOException {
        requireType(request, Commands.READ);
        requireLength(header.length() == 12, request);
        ByteBuffer in = input.await(12);
        long offset = in.getLong();
        long length = Integer.toUnsignedLong(in.getInt());
        if (length == 0) {
            throw new ProtocolException("a hole of no bytes in the reply to a " + request);
        }
        if (length > request.length()) {
            throw outside(request, offset, length);
        }
        request.zero(contents(request, offset, (int) length), (int) length);
    }

    /** Checks where the contents of a chunk belong; returns that, counted from the beginning of the request. */
    private static int contents(Request request, long offset, int length) throws ProtocolException {
        long at = offset - request.offset();
        if (offset < request.offset() || at > request.length() - length) {
            throw outside(request, offset, length);
        }
        if (request.countContents() > 1 && (request.flags() & CommandFlags.DF) != 0) {
            throw new ProtocolException("a second chunk in the reply to a " + request + " in one piece");
        }
        request.coverage.add((int) at, length);
        return (int) at;
    }

    private void status(Request request, int type) throws IOException {
        requireType(request, Commands.BLOCK_STATUS);
        StatusReplies replies = request.status();
        boolean wide = type == ChunkTypes.BLOCK_STATUS_EXT;
        int entry = wide ? 16 : 8;
        int head = wide ? 8 : 4;
        long length = header.length();
        if (replies == null || wide != (agreed == Form.EXTENDED)) {
            throw new ProtocolException("block status in a form that was not agreed on");
        }
        requireLength(
                length >= head + entry
                        && (length - head) % entry == 0
                        && length <= head + (long) entry * StatusReplies.MOST_EXTENTS,
                request);
        long count = (length - head) / entry;
        ByteBuffer in = input.await(head);
        int id = in.getInt();
        int context = negotiated.indexOf(id);
        if (context < 0) {
            throw new ProtocolException("block status of the metadata context " + Integer.toUnsignedString(id)
                    + ", which was not agreed on");
        }
        if (wide && Integer.toUnsignedLong(in.getInt()) != count) {
            throw new ProtocolException("a count of extents that is not that of the " + length + " bytes of its chunk");
        }
        replies.begin(context);
        for (long i = 0; i < count; i++) {
            ByteBuffer extent = input.await(entry);
            if (wide) {
                replies.add(extent.getLong(), extent.getLong());
            } else {
                replies.add(Integer.toUnsignedLong(extent.getInt()), Integer.toUnsignedLong(extent.getInt()));
            }
        }
    }

    private void error(Request request, int type) throws IOException {
        long length = header.length();
        int tail = type == ChunkTypes.ERROR_OFFSET ? 8 : 0;
        requireLength(length >= 6 + tail && length <= MOST_ERROR_BYTES, request);
        ByteBuffer in = input.await(6);
        int number = in.getInt();
        int textLength = Short.toUnsignedInt(in.getShort());
        if (textLength > length - 6 - tail || textLength > WireText.MAX_BYTES) {
            throw new ProtocolException("an error text of " + textLength + " bytes in a chunk of " + length + " bytes");
        }
        if (request.error() == null) {
            request.fail(NbdError.of(number), Printable.utf8(input.take(textLength)));
        } else {
            input.skip(textLength);
            if (request.fail(NbdError.of(number), "") > MOST_ERRORS) {
                throw new ProtocolException("more than " + MOST_ERRORS + " errors in the reply to a " + request);
            }
        }
        long rest = length - 6 - textLength;
        if (tail > 0) {
            long offset = input.await(8).getLong();
            if (offset < request.offset() || offset - request.offset() >= Math.max(1, request.length())) {
                throw outside(request, offset, 0);
            }
            rest -= 8;
        }
        input.skip(rest);
    }

    /** Checks that a reply that is over has brought all that it should. */
    private static void requireWhole(Request request) throws ProtocolException {
        if (request.error() != null) {
            return;
        }
        if (request.type() == Commands.READ && !request.coverage.isComplete((int) request.length())) {
            throw new ProtocolException(
                    "the reply to a " + request + " brings only " + request.coverage.bytes() + " bytes and ends");
        }
        StatusReplies replies = request.status();
        if (replies != null && !replies.isComplete()) {
            throw new ProtocolException("the reply to a " + request + " leaves out metadata contexts");
        }
    }

    private void done(Request request) {
        if (request.error() == NbdError.ESHUTDOWN) {
            connection.retire();
        }
        if (request.finish()) {
            connection.release(request);
        }
    }

    private static void requireType(Request request, int type) throws ProtocolException {
        if (request.type() != type) {
            throw new ProtocolException("a chunk that answers a " + Commands.name(type) + ", for a " + request);
        }
    }

    private void requireLength(boolean right, Request request) throws ProtocolException {
        if (!right) {
            throw new ProtocolException("a chunk of type " + header.type() + " with "
                    + Long.toUnsignedString(header.length()) + " bytes for a " + request);
        }
    }

    private static ProtocolException outside(Request request, long offset, long length) {
        return new ProtocolException("a chunk of " + length + " bytes at " + Long.toUnsignedString(offset)
                + " in the reply to a " + request);
    }
}
