package dev.platter.nbd.client;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.Bounds;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.Printable;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ReadOnlyBufferException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;

/**
 * An export of an NBD server, as a device. Any number of threads can use it at once; each request of a thread is one of the
 * protocol, or several where it is longer than the server takes. Bytes are read straight into direct buffers.
 *
 * <p>A server can demand that requests lie on blocks. Reads of parts of blocks read whole ones then, and writes of parts read
 * them first, change them and write them back. Other writes of this export wait meanwhile; other clients of the server do
 * not, so what they write to the same block at that moment can be lost.
 *
 * <p>A flush makes durable what was written on any of the connections. Where the server cannot flush, {@link #flush} and
 * {@link Durability#FUA} do nothing; opening the export for writing gives a warning then.
 *
 * <p>A server that breaks the protocol is a {@link ProtocolException}, for all requests of that connection; what it refuses
 * is a {@link dev.platter.core.BlockIOException}.
 */
public final class NbdExport implements BlockDevice, BlockStatusSource {
    /** Block status can be asked for 32 bits of bytes, less what makes it a multiple of all block sizes. */
    private static final long MOST_STATUS = 0xffff_0000L;

    private final String description;
    private final Connections connections;
    private final Negotiated negotiated;
    private final ExportDetails details;
    private final NbdClientOptions options;
    private final boolean readOnly;
    private final BlockLayout layout;
    private final BlockRequests requests;
    private final Features features;
    private final int allocationContext;

    private NbdExport(String description, Connections connections, NbdClientOptions options) {
        this.description = description;
        this.connections = connections;
        this.options = options;
        this.negotiated = connections.negotiated();
        this.details = negotiated.details();
        this.readOnly = details.isReadOnly() || !options.writable();
        this.layout = BlockLayout.of(details);
        this.requests = new BlockRequests(description, connections, layout);
        this.allocationContext = negotiated.indexOf(BASE_ALLOCATION);
        this.features = new Features(
                readOnly,
                !readOnly && details.has(TransmissionFlags.SEND_TRIM),
                !readOnly && requests.canZeroFast(),
                !readOnly && details.has(TransmissionFlags.SEND_FUA),
                readOnly || details.has(TransmissionFlags.CAN_MULTI_CONN),
                0,
                layout.block(),
                layout.preferred(),
                layout.mostPayload(),
                true,
                false);
    }

    static NbdExport open(Connector connector, NbdClientOptions options) throws IOException {
        Connections connections = new Connections(connector, options);
        try {
            ExportDetails details = connections.negotiated().details();
            if (options.writable() && details.isReadOnly()) {
                throw new ReadOnlyDeviceException(connector.description());
            }
            NbdExport export = new NbdExport(connector.description(), connections, options);
            export.warn();
            return export;
        } catch (IOException | RuntimeException e) {
            connections.close();
            throw e;
        }
    }

    private void warn() {
        if (size() < details.size()) {
            options.onWarning()
                    .accept(new Warning(
                            size(),
                            description + ": the last " + (details.size() - size()) + " bytes cannot be reached: the"
                                    + " server takes only whole blocks of " + layout.block() + " bytes"));
        }
        if (!readOnly && !details.has(TransmissionFlags.SEND_FLUSH)) {
            options.onWarning()
                    .accept(new Warning(
                            -1,
                            description + ": the server cannot flush: nobody knows when what is written is durable"));
        }
    }

    /** Returns what the server says of the export. Its size can be larger than {@link #size}, by a part of a block. */
    public ExportDetails details() {
        return details;
    }

    /** Returns what is spoken with the server. */
    public NbdProtocol protocol() {
        return negotiated.protocol();
    }

    /** Returns how many connections are used. */
    public int connections() {
        return connections.count();
    }

    /** Returns the metadata contexts that were agreed on; {@code base:allocation} is there even if it knows nothing. */
    @Override
    public List<String> contexts() {
        if (allocationContext >= 0) {
            return details.contexts();
        }
        List<String> contexts = new ArrayList<>(List.of(BASE_ALLOCATION));
        contexts.addAll(details.contexts());
        return contexts;
    }

    @Override
    public long size() {
        return layout.size();
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Features features() {
        return features;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        requireWritable(into);
        requests.read(offset, into);
    }

    /**
     * Reads bytes that the server sends in one piece, or not at all. That they are of one moment is up to the server.
     *
     * @throws IllegalArgumentException if that is more than one request, or parts of blocks; nothing was read
     * @throws UnsupportedFeatureException if the server cannot do that
     * @throws dev.platter.core.BlockIOException if the server does not want to send so much in one piece
     */
    public void readInOnePiece(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        requireWritable(into);
        if (!details.has(TransmissionFlags.SEND_DF)) {
            throw new UnsupportedFeatureException(
                    description + ": the server does not promise to send data in one piece");
        }
        if (!layout.isWhole(offset, into.remaining()) || into.remaining() > layout.mostPayload()) {
            throw new IllegalArgumentException("into: " + into.remaining() + " bytes at " + offset
                    + " are no single request of the server (whole blocks of " + layout.block() + ", at most "
                    + layout.mostPayload() + " bytes)");
        }
        if (into.hasRemaining()) {
            connections.call(Commands.READ, CommandFlags.DF, offset, into.remaining(), into, null);
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        if (length == 0) {
            return;
        }
        if (allocationContext < 0) {
            visitor.extent(offset, length, Extent.ALLOCATED, 0, null, -1);
            return;
        }
        status(
                allocationContext,
                offset,
                length,
                (at, run, flags) -> visitor.extent(at, run, facts(flags), 0, null, -1));
    }

    private static int facts(long flags) {
        int facts = (flags & HOLE) == 0 ? Extent.ALLOCATED : 0;
        return (flags & ZERO) == 0 ? facts : facts | Extent.READS_AS_ZERO;
    }

    /**
     * {@inheritDoc}
     *
     * @param context one of {@link #contexts}; its numbers are passed on as the server sends them
     * @throws UnsupportedFeatureException if the context was not agreed on when the export was opened; see {@link
     *     NbdClientOptions.Builder#contexts}
     */
    @Override
    public void status(String context, long offset, long length, StatusVisitor visitor) throws IOException {
        begin(offset, length);
        if (allocationContext < 0 && context.equals(BASE_ALLOCATION)) {
            if (length > 0) {
                visitor.status(offset, length, 0);
            }
            return;
        }
        status(requireContext(context), offset, length, visitor);
    }

    /**
     * Tells what a metadata context says of the range that begins at an offset, as far as the server looks for one answer.
     *
     * @param context as above
     * @throws IndexOutOfBoundsException if the offset is not inside the device
     * @throws UnsupportedFeatureException if the context was not agreed on
     */
    public void statusAt(String context, long offset, StatusVisitor visitor) throws IOException {
        begin(offset, 1);
        int index = requireContext(context);
        StatusReplies replies = new StatusReplies(index, negotiated.contexts().size(), true);
        long start = offset - offset % layout.statusBlock();
        long asked = Math.min(size() - start, MOST_STATUS);
        connections.call(Commands.BLOCK_STATUS, CommandFlags.REQ_ONE, start, asked, null, replies);
        long end = Math.min(size(), start + replies.length(0));
        if (end <= offset) {
            throw noWholeBlocks(start, end);
        }
        visitor.status(offset, end - offset, replies.flags(0));
    }

    private int requireContext(String context) throws UnsupportedFeatureException {
        int index = negotiated.indexOf(context);
        if (index < 0) {
            throw new UnsupportedFeatureException(
                    description + ": there is no metadata context " + Printable.quote(context) + "; agreed on are "
                            + Printable.escape(String.join(", ", details.contexts())));
        }
        return index;
    }

    private void status(int context, long offset, long length, StatusVisitor visitor) throws IOException {
        StatusReplies replies = new StatusReplies(context, negotiated.contexts().size(), false);
        int block = layout.statusBlock();
        long end = offset + length;
        long reported = offset;
        long at = offset - offset % block;
        while (reported < end) {
            long asked = Math.min(MOST_STATUS, Math.min(size(), BlockLayout.roundUp(end, block)) - at);
            connections.call(Commands.BLOCK_STATUS, 0, at, asked, null, replies);
            long next = at;
            for (int i = 0; i < replies.count(); i++) {
                next += replies.length(i);
                long run = Math.min(next, end) - reported;
                if (run > 0) {
                    if (!visitor.status(reported, run, replies.flags(i))) {
                        return;
                    }
                    reported += run;
                }
            }
            // An answer that ends within a block goes on at its beginning: nothing else can be asked about.
            long resumed = next - next % block;
            if (resumed <= at && reported < end) {
                throw noWholeBlocks(at, next);
            }
            at = resumed;
        }
    }

    private ProtocolException noWholeBlocks(long start, long end) {
        return new ProtocolException(description + ": block status of " + (end - start) + " bytes at " + start
                + ", which are no whole blocks of " + layout.statusBlock() + " bytes");
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        beginWrite(offset, from.remaining());
        int flags = fua(durability);
        requests.write(offset, from, flags);
        flushIf(durability, flags);
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        beginWrite(offset, length);
        int flags = fua(durability);
        requests.zero(offset, length, mode, flags);
        flushIf(durability, flags);
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        beginWrite(offset, length);
        if (features.trim()) {
            requests.discard(offset, length);
        }
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        if (!readOnly) {
            connections.flush();
        }
    }

    /** Sends the hint on if the server takes such, and does not wait. Of a long range, only the beginning is hinted at. */
    @Override
    public void prefetch(long offset, long length) {
        if (!details.has(TransmissionFlags.SEND_CACHE) || !Bounds.inside(offset, length, size())) {
            return;
        }
        long first = offset - offset % layout.block();
        long run = Math.min(layout.roundUp(offset + length) - first, layout.mostPayload());
        if (length == 0 || connections.isClosed() || Thread.currentThread().isInterrupted()) {
            return;
        }
        try {
            connections.hint(Commands.CACHE, first, run);
        } catch (IOException e) {
            System.getLogger(NbdExport.class.getName()).log(System.Logger.Level.DEBUG, "prefetch", e);
        }
    }

    /**
     * Begins to read. Waits only while there are as many requests on their way as {@link NbdClientOptions} allow.
     *
     * @param into filled from its position to its limit, which stay as they are; the caller leaves it alone until the future
     *     is done. Cancelling does nothing
     * @return done with the reading, or with what {@link #read} throws
     * @throws IndexOutOfBoundsException if the range leaves the device; nothing was read
     * @throws IOException if the export is closed, or the thread interrupted, before anything was sent
     */
    public CompletableFuture<Void> readAsync(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        requireWritable(into);
        if (!layout.isWhole(offset, into.remaining())) {
            ByteBuffer own = into.duplicate();
            return aside(() -> read(offset, own));
        }
        return requests.begin(Commands.READ, 0, offset, into.remaining(), into);
    }

    /**
     * Begins to write. The bytes are sent by the calling thread.
     *
     * @param from written from its position to its limit, which stay as they are; the caller leaves it alone until the future
     *     is done. Cancelling does nothing
     * @return done with the writing, or with what {@link #write} throws
     * @throws IndexOutOfBoundsException if the range leaves the device; nothing was written
     * @throws IOException if the export is closed or read-only, or the thread interrupted, before anything was sent
     */
    public CompletableFuture<Void> writeAsync(long offset, ByteBuffer from, Durability durability) throws IOException {
        beginWrite(offset, from.remaining());
        int flags = fua(durability);
        if (!layout.isWhole(offset, from.remaining()) || needsFlush(durability, flags)) {
            ByteBuffer own = from.duplicate();
            return aside(() -> write(offset, own, durability));
        }
        return requests.begin(Commands.WRITE, flags, offset, from.remaining(), from);
    }

    /**
     * Begins to zero a range; see {@link #writeZeroes}.
     *
     * @throws IOException if the export is closed or read-only, or the thread interrupted, before anything was sent
     */
    public CompletableFuture<Void> writeZeroesAsync(long offset, long length, ZeroMode mode, Durability durability)
            throws IOException {
        beginWrite(offset, length);
        int flags = fua(durability);
        if (!requests.isOneZeroing(offset, length, mode) || needsFlush(durability, flags)) {
            return aside(() -> writeZeroes(offset, length, mode, durability));
        }
        return requests.begin(Commands.WRITE_ZEROES, flags | BlockRequests.zeroFlags(mode), offset, length, null);
    }

    /**
     * Begins to discard a range; see {@link #discard}.
     *
     * @throws IOException if the export is closed or read-only, or the thread interrupted, before anything was sent
     */
    public CompletableFuture<Void> discardAsync(long offset, long length) throws IOException {
        beginWrite(offset, length);
        if (!features.trim()) {
            return CompletableFuture.completedFuture(null);
        }
        long first = layout.roundUp(offset);
        long end = layout.roundDown(offset + length);
        return requests.begin(Commands.TRIM, 0, first, Math.max(0, end - first), null);
    }

    /**
     * Begins to flush; see {@link #flush}. What was written without waiting is covered only once its future was done.
     *
     * @throws IOException if the export is closed
     */
    public CompletableFuture<Void> flushAsync() throws IOException {
        begin(0, 0);
        return aside(this::flush);
    }

    /** Waits for the replies that are to come, for some seconds at most, and says goodbye to the server. */
    @Override
    public void close() {
        connections.close();
    }

    private void begin(long offset, long length) throws IOException {
        if (connections.isClosed()) {
            throw new ClosedChannelException();
        }
        Bounds.check(this, offset, length);
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
    }

    private void beginWrite(long offset, long length) throws IOException {
        begin(offset, length);
        if (readOnly) {
            throw new ReadOnlyDeviceException(description);
        }
    }

    private static void requireWritable(ByteBuffer into) {
        if (into.isReadOnly()) {
            throw new ReadOnlyBufferException();
        }
    }

    private int fua(Durability durability) {
        return durability == Durability.FUA && details.has(TransmissionFlags.SEND_FUA) ? CommandFlags.FUA : 0;
    }

    private static boolean needsFlush(Durability durability, int flags) {
        return durability == Durability.FUA && (flags & CommandFlags.FUA) == 0;
    }

    private void flushIf(Durability durability, int flags) throws IOException {
        if (needsFlush(durability, flags)) {
            connections.flush();
        }
    }

    /** Something that a request does. */
    @FunctionalInterface
    private interface Work {
        void run() throws IOException;
    }

    /** Does what is more than one request where it may wait. */
    private PendingRequest aside(Work work) {
        CompletableFuture<Void> running = CompletableFuture.runAsync(
                () -> {
                    try {
                        work.run();
                    } catch (IOException e) {
                        throw new CompletionException(e);
                    }
                },
                options.completions());
        return new PendingRequest().endingWith(running);
    }
}
