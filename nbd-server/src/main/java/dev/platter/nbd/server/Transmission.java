package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.RequestHeader;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import jdk.jfr.FlightRecorder;
import org.jspecify.annotations.Nullable;

/**
 * Takes requests and answers them; "The NBD protocol", section "Transmission". One object a connection, run by its thread.
 * Replies are gathered while more requests are here already, so that a client which keeps many in flight costs few system
 * calls.
 */
final class Transmission {
    /** Payloads longer than this go to the device, or come from it, piece by piece. */
    private static final int PIECE_BYTES = 256 * 1024;

    /** The same of writes to a plain file, which then come from the cache of the processor that they were received into. */
    private static final int PLAIN_WRITE_BYTES = 64 * 1024;

    /** Shorter reads are gathered, which costs less than a system call of their own. */
    private static final int ZERO_COPY_BYTES = 64 * 1024;

    /** What one call may zero, trim or load ahead before it is asked again whether the server still runs. */
    private static final long SLICE_BYTES = 1L << 30;

    private final Connection connection;
    private final NbdServer server;
    private final OpenExport export;
    private final BlockDevice device;
    private final Agreement agreement;
    private final Wire wire;
    private final Replies replies;
    private final Answers answers;
    private final StatusAnswer status;
    private final @Nullable SlowReads slow;
    private final @Nullable RequestPolling polling;
    private final boolean readOnly;
    private final int minimumBlock;
    private final int maximumPayload;
    private final int writePieceBytes;
    private final ReadPace pace = new ReadPace();
    private final RequestHeader request = new RequestHeader();
    private final boolean zeroCopy;
    private final ExtentVisitor plainVisitor = this::visitPlain;
    private boolean plain;
    private @Nullable ByteBuffer scratch;

    Transmission(Connection connection, NbdServer server, Agreement agreement, Replies replies) {
        this.connection = connection;
        this.server = server;
        this.agreement = agreement;
        this.export = agreement.export();
        this.device = agreement.device();
        this.wire = connection.wire();
        this.replies = replies;
        this.answers = new Answers(agreement.replies(), replies);
        this.status =
                new StatusAnswer(agreement, answers, replies, server.limits().extents());
        this.readOnly = device.features().readOnly();
        this.minimumBlock = (int) Agreement.blockSizes(device, 1 << 25).minimum();
        this.maximumPayload = server.limits().maximumPayload();
        this.zeroCopy = readOnly && connection.sendsPages();
        this.slow = device.features().slowReads() ? new SlowReads(connection, server, device, answers, pace) : null;
        // others gain more from allocating many clusters at once
        this.writePieceBytes = slow == null ? PLAIN_WRITE_BYTES : PIECE_BYTES;
        this.polling = connection.polling();
    }

    /** Returns when the client said goodbye, or hung up between two requests. */
    void run() throws IOException {
        try {
            while (next()) {
                if (request.type() == Commands.DISC) {
                    break;
                }
                connection.count(request);
                // asked first, because the first look at the event's own class loads all that flight recordings need
                if (FlightRecorder.isInitialized() && RequestEvent.isWanted()) {
                    recorded();
                } else {
                    serve();
                }
            }
        } finally {
            if (slow != null) {
                slow.finish();
            }
            giveBackScratch();
        }
        replies.flush();
    }

    private boolean next() throws IOException {
        int bytes = RequestHeader.bytes(agreement.isExtended());
        if (!wire.has(bytes)) {
            replies.flush();
            giveBackScratch();
            // what other threads send meanwhile needs a socket that blocks
            wire.pollWith(slow == null || slow.isIdle() ? polling : null);
            if (!wire.await(bytes)) {
                return false;
            }
        }
        request.take(wire.buffer(), agreement.isExtended());
        return true;
    }

    private void recorded() throws IOException {
        RequestEvent event = new RequestEvent();
        event.begin();
        event.export = export.export().name();
        event.connection = connection.id();
        event.command = Commands.name(request.type());
        event.offset = request.offset();
        event.length = request.length();
        event.error = serve();
        event.commit();
    }

    /** Returns the error that was answered, 0 for none. */
    private int serve() throws IOException {
        long payload = payload();
        if (payload > maximumPayload) {
            // Its payload is not worth taking, and without taking it nothing behind it can be understood.
            answers.error(request, NbdError.EINVAL, "longer than " + maximumPayload + " bytes");
            replies.flush();
            throw new ProtocolException(request + ": longer than " + maximumPayload + " bytes");
        }
        NbdError refusal = refusal();
        if (refusal != null) {
            wire.skip(payload);
            return refuse(refusal);
        }
        return switch (request.type()) {
            case Commands.READ -> read();
            case Commands.WRITE -> write();
            case Commands.FLUSH -> flush();
            case Commands.TRIM -> trim();
            case Commands.CACHE -> cache();
            case Commands.WRITE_ZEROES -> writeZeroes();
            case Commands.BLOCK_STATUS -> blockStatus();
            default -> refuse(NbdError.EINVAL);
        };
    }

    /** Returns how many bytes follow the header. */
    private long payload() {
        boolean announced = agreement.isExtended() && request.has(CommandFlags.PAYLOAD_LEN);
        boolean write = request.type() == Commands.WRITE;
        if (announced || write) {
            return request.length() < 0 ? Long.MAX_VALUE : request.length();
        }
        return 0;
    }

    /** Returns why a request cannot be obeyed, null if it can. */
    private @Nullable NbdError refusal() {
        int type = request.type();
        if (type > Commands.BLOCK_STATUS || (request.flags() & ~allowedFlags(type)) != 0) {
            return NbdError.EINVAL;
        }
        boolean changes = type == Commands.WRITE || type == Commands.WRITE_ZEROES || type == Commands.TRIM;
        if (changes && readOnly) {
            return NbdError.EPERM;
        }
        if (agreement.isExtended() && type == Commands.WRITE && !request.has(CommandFlags.PAYLOAD_LEN)) {
            return NbdError.EINVAL;
        }
        if (type == Commands.FLUSH || (type == Commands.BLOCK_STATUS && request.has(CommandFlags.PAYLOAD_LEN))) {
            return null;
        }
        if (!Bounds.inside(request.offset(), request.length(), device.size())) {
            return type == Commands.WRITE || type == Commands.WRITE_ZEROES ? NbdError.ENOSPC : NbdError.EINVAL;
        }
        if (((request.offset() | request.length()) & (minimumBlock - 1)) != 0) {
            return NbdError.EINVAL;
        }
        if (type == Commands.READ && request.length() > maximumPayload) {
            return NbdError.EINVAL;
        }
        if (type == Commands.BLOCK_STATUS
                && (request.length() == 0 || agreement.contexts().isEmpty())) {
            return NbdError.EINVAL;
        }
        return null;
    }

    private int allowedFlags(int type) {
        int flags = CommandFlags.FUA;
        switch (type) {
            case Commands.READ -> flags |= agreement.isStructured() ? CommandFlags.DF : 0;
            case Commands.WRITE -> flags |= agreement.isExtended() ? CommandFlags.PAYLOAD_LEN : 0;
            case Commands.WRITE_ZEROES -> flags |= CommandFlags.NO_HOLE | CommandFlags.FAST_ZERO;
            case Commands.BLOCK_STATUS ->
                flags |= CommandFlags.REQ_ONE | (agreement.isExtended() ? CommandFlags.PAYLOAD_LEN : 0);
            default -> {
                // FUA alone.
            }
        }
        return flags;
    }

    private int refuse(NbdError error) throws IOException {
        String text = switch (error) {
            case EPERM -> "the export is read-only";
            case ENOSPC -> "beyond the end of the export, " + device.size() + " bytes";
            default -> "cannot be obeyed on an export of " + device.size() + " bytes";
        };
        answers.error(request, error, request + " " + text);
        return error.number();
    }

    private int failed(Exception failure) throws IOException {
        NbdError error = NbdError.of(failure);
        server.listener().requestFailed(connection.info(), request.toString(), failure);
        answers.error(request, error, String.valueOf(failure.getMessage()));
        return error.number();
    }

    private int read() throws IOException {
        if (request.has(CommandFlags.FUA)) {
            int error = sync();
            if (error != 0) {
                return error;
            }
        }
        int length = (int) request.length();
        if (length == 0) {
            answers.nothing(request);
            return 0;
        }
        if (slow != null && pace.isSlow()) {
            slow.submit(request);
            return 0;
        }
        if (zeroCopy && length >= ZERO_COPY_BYTES && !export.copies() && isPlain(request.offset(), length)) {
            return transfer(length);
        }
        int most = replies.most(length + answers.readHeaderBytes()) - answers.readHeaderBytes();
        if (length <= most) {
            return readWhole(length);
        }
        if (request.has(CommandFlags.DF)) {
            answers.error(request, NbdError.EOVERFLOW, "more than " + most + " bytes in one piece");
            return NbdError.EOVERFLOW.number();
        }
        return readPieces(length, Math.min(most, PIECE_BYTES));
    }

    /** Returns whether the kernel may send a range: nothing in it has to be decoded, and nothing is known to be unreadable. */
    private boolean isPlain(long offset, int length) {
        plain = true;
        try {
            device.extents(offset, length, plainVisitor);
        } catch (IOException e) {
            // The read itself finds the same, and tells the client.
            return false;
        }
        return plain;
    }

    private boolean visitPlain(long at, long run, int facts, int depth, @Nullable BlockDevice below, long belowOffset) {
        plain = (facts & (Extent.COMPRESSED | Extent.ENCRYPTED | Extent.UNREADABLE)) == 0;
        return plain;
    }

    /**
     * Lets the kernel send the bytes. The reply promises them all before the first is read: if the disk below then fails, the
     * connection has to end. From then on this export is read before anything is promised.
     */
    private int transfer(int length) throws IOException {
        int header = answers.readHeaderBytes();
        ByteBuffer out = replies.room(header, header);
        answers.putRead(out, request, request.offset(), length, true);
        try {
            replies.transfer(device, request.offset(), length);
        } catch (IOException e) {
            export.copyFromNowOn();
            throw e;
        }
        return 0;
    }

    private int readWhole(int length) throws IOException {
        int header = answers.readHeaderBytes();
        ByteBuffer out = replies.room(header + length, header);
        int start = out.position();
        int limit = out.limit();
        out.limit(start + header + length).position(start + header);
        try {
            readPaced(request.offset(), out, length);
        } catch (IOException | RuntimeException e) {
            out.limit(limit).position(start);
            return failed(e);
        }
        out.limit(limit).position(start);
        answers.putRead(out, request, request.offset(), length, true);
        out.position(start + header + length);
        return 0;
    }

    private int readPieces(int length, int most) throws IOException {
        int done = 0;
        while (done < length) {
            int piece = Math.min(most, length - done);
            boolean first = done == 0;
            int header = agreement.isStructured() || first ? answers.readHeaderBytes() : 0;
            ByteBuffer out = replies.room(header + piece, header);
            int start = out.position();
            int limit = out.limit();
            out.limit(start + header + piece).position(start + header);
            try {
                readPaced(request.offset() + done, out, piece);
            } catch (IOException | RuntimeException e) {
                out.limit(limit).position(start);
                if (first || agreement.isStructured()) {
                    return failed(e);
                }
                // A simple reply said that all is well before the first byte; nothing can take that back.
                throw new IOException("the rest of a read could not be read: " + e.getMessage(), e);
            }
            out.limit(limit).position(start);
            if (header > 0) {
                answers.putRead(out, request, request.offset() + done, piece, done + piece == length);
            }
            out.position(start + header + piece);
            done += piece;
        }
        return 0;
    }

    private void readPaced(long offset, ByteBuffer into, int length) throws IOException {
        if (slow == null) {
            device.read(offset, into);
            return;
        }
        long start = System.nanoTime();
        device.read(offset, into);
        pace.note(System.nanoTime() - start, length);
    }

    private int write() throws IOException {
        int length = (int) request.length();
        long offset = request.offset();
        boolean durable = request.has(CommandFlags.FUA);
        Exception failure = null;
        if (length <= Wire.BUFFER_BYTES) {
            failure = writePiece(offset, length, durable ? Durability.FUA : Durability.NONE);
        } else {
            ByteBuffer piece = scratch();
            int done = 0;
            while (done < length) {
                int most = piece == null ? Wire.BUFFER_BYTES : Math.min(writePieceBytes, piece.capacity());
                int bytes = pieceBytes(offset + done, length - done, most);
                if (failure != null) {
                    wire.skip(bytes);
                } else if (piece == null) {
                    failure = writePiece(offset + done, bytes, Durability.NONE);
                } else {
                    wire.read(piece.clear().limit(bytes));
                    failure = attempt(offset + done, piece.flip(), Durability.NONE);
                }
                done += bytes;
            }
            if (failure == null && durable) {
                return sync() == 0 ? success() : NbdError.EIO.number();
            }
        }
        return failure == null ? success() : failed(failure);
    }

    /** Borders of pieces lie where those of clusters do: half a cluster costs more to write than a whole one. */
    private static int pieceBytes(long offset, int left, int most) {
        int whole = Integer.highestOneBit(most);
        return left <= most ? left : whole - (int) (offset % whole);
    }

    /** Returns the large buffer of this connection, kept until it is idle; null if all are lent. */
    private @Nullable ByteBuffer scratch() {
        if (scratch == null) {
            scratch = server.pool().borrow();
        }
        return scratch;
    }

    private void giveBackScratch() {
        ByteBuffer buffer = scratch;
        if (buffer != null) {
            scratch = null;
            server.pool().giveBack(buffer);
        }
    }

    /** Writes bytes that are, or soon will be, in the buffer of what was received. */
    private @Nullable Exception writePiece(long offset, int length, Durability durability) throws IOException {
        if (!wire.has(length) && length > 0) {
            replies.flush();
            if (!wire.await(length)) {
                throw new EOFException("the client ended the connection inside a message");
            }
        }
        ByteBuffer in = wire.buffer();
        int end = in.position() + length;
        int limit = in.limit();
        Exception failure = attempt(offset, in.limit(end), durability);
        in.limit(limit).position(end);
        return failure;
    }

    private @Nullable Exception attempt(long offset, ByteBuffer from, Durability durability) {
        try {
            device.write(offset, from, durability);
            return null;
        } catch (IOException | RuntimeException e) {
            return e;
        }
    }

    private int success() throws IOException {
        answers.done(request);
        return 0;
    }

    /** Makes the device durable; answers the error if that fails. */
    private int sync() throws IOException {
        // It takes milliseconds, for which replies that are ready need not wait.
        replies.flush();
        try {
            device.flush();
            return 0;
        } catch (IOException | RuntimeException e) {
            return failed(e);
        }
    }

    private int flush() throws IOException {
        int error = sync();
        return error == 0 ? success() : error;
    }

    private int trim() throws IOException {
        return sliced((offset, length) -> device.discard(offset, length));
    }

    private int cache() throws IOException {
        return sliced(device::prefetch);
    }

    private int writeZeroes() throws IOException {
        boolean keep = request.has(CommandFlags.NO_HOLE);
        boolean fast = request.has(CommandFlags.FAST_ZERO);
        long start = request.offset();
        return sliced((offset, length) -> {
            // Once a part is zero the request can no longer be refused as if nothing had happened.
            boolean refusable = fast && offset == start;
            ZeroMode mode = keep
                    ? refusable ? ZeroMode.FAST_KEEP : ZeroMode.KEEP_ALLOCATION
                    : refusable ? ZeroMode.FAST_UNMAP : ZeroMode.MAY_UNMAP;
            device.writeZeroes(offset, length, mode, Durability.NONE);
        });
    }

    /** Does something to a range of the device. */
    private interface RangeAction {
        void on(long offset, long length) throws IOException;
    }

    /** Works on a range that may be the whole of a huge disk: in slices, given up when the server stops. */
    private int sliced(RangeAction action) throws IOException {
        replies.flush();
        long end = request.offset() + request.length();
        for (long offset = request.offset(); offset < end; ) {
            long length = Math.min(end - offset, SLICE_BYTES - offset % SLICE_BYTES);
            if (server.isStopping()) {
                answers.error(request, NbdError.ESHUTDOWN, "the server is shutting down");
                return NbdError.ESHUTDOWN.number();
            }
            try {
                action.on(offset, length);
            } catch (IOException | RuntimeException e) {
                return failed(e);
            }
            offset += length;
        }
        if (request.has(CommandFlags.FUA) && !readOnly) {
            return flush();
        }
        return success();
    }

    private int blockStatus() throws IOException {
        long length = request.length();
        long chosen = -1;
        if (request.has(CommandFlags.PAYLOAD_LEN)) {
            if (length < Long.BYTES || length > Long.BYTES + Integer.BYTES * 64 || length % Integer.BYTES != 0) {
                wire.skip(length);
                return refuse(NbdError.EINVAL);
            }
            ByteBuffer filter = ByteBuffer.allocate((int) length);
            wire.read(filter);
            length = filter.flip().getLong();
            chosen = chosen(filter);
            if (chosen == 0 || length <= 0 || !Bounds.inside(request.offset(), length, device.size())) {
                return refuse(NbdError.EINVAL);
            }
        }
        Exception failure = status.answer(request, length, chosen);
        return failure == null ? 0 : failed(failure);
    }

    /** Returns the contexts that a filter names, a bit for each; 0 if one is unknown or comes twice. */
    private long chosen(ByteBuffer filter) {
        long bits = 0;
        while (filter.hasRemaining()) {
            int id = filter.getInt();
            if (id < 0 || id >= agreement.contexts().size() || (bits & 1L << id) != 0) {
                return 0;
            }
            bits |= 1L << id;
        }
        return bits;
    }
}
