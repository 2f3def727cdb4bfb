package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.NotFasterException;
import dev.platter.core.Printable;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.RequestHeader;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.GatheringByteChannel;
import java.time.Duration;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The transmission phase of one connection. Any number of threads ask; each sends its request itself, under a lock, and
 * waits for the one thread that reads the replies. That thread never sends, so a server that stops reading until its
 * replies are read does not stop both.
 *
 * <p>A connection that ends, for whatever reason, ends all its requests with the same message, and takes no more.
 */
final class Connection implements Closeable {
    /** How long the end of a connection waits for replies, and for a server that does not read. */
    private static final Duration CLOSING = Duration.ofSeconds(5);

    /** Shorter data of a write are sent together with their header; longer ones are not copied. */
    private static final int COPIED = 32 << 10;

    private final String description;
    private final ByteChannel raw;
    private final ByteChannel channel;
    private final @Nullable GatheringByteChannel gathering;
    private final Negotiated negotiated;
    private final boolean extended;
    private final long timeoutNanos;
    private final Duration timeout;
    private final Slots slots;

    private final ReentrantLock sending = new ReentrantLock();
    private final RequestHeader header = new RequestHeader();
    private final ByteBuffer out = DirectBuffers.allocate(RequestHeader.EXTENDED_BYTES + COPIED);
    private final ByteBuffer[] gathered = {out, out};

    private final AtomicReference<@Nullable IOException> ending = new AtomicReference<>();
    private final @Nullable Future<?> timeKeeper;
    private final Thread reader;
    private volatile boolean closing;
    private volatile boolean retired;
    private volatile boolean ended;

    /**
     * Begins the transmission phase.
     *
     * @param description begins every message
     * @param raw what is closed to end the connection at once
     * @param channel what requests and replies go through: {@code raw}, or TLS over it
     * @param input the bytes of {@code channel}, with those that the handshake left
     */
    Connection(
            String description,
            ByteChannel raw,
            ByteChannel channel,
            WireInput input,
            Negotiated negotiated,
            NbdClientOptions options) {
        this.description = description;
        this.raw = raw;
        this.channel = channel;
        this.gathering = channel instanceof GatheringByteChannel several ? several : null;
        this.negotiated = negotiated;
        this.extended = negotiated.protocol().replies() == ReplyHeader.Form.EXTENDED;
        this.timeout = options.requestTimeout();
        this.timeoutNanos = timeout.toNanos();
        this.slots = new Slots(options.requestsInFlight());
        this.timeKeeper = timeout.isZero() ? null : Watchdog.every(checkPeriod(timeout), this::checkTime);
        this.reader = new Thread(new ReplyReader(this, input, negotiated, slots), "nbd reader " + description);
        reader.setDaemon(true);
        reader.start();
    }

    private static Duration checkPeriod(Duration timeout) {
        Duration eighth = timeout.dividedBy(8);
        Duration second = Duration.ofSeconds(1);
        Duration least = Duration.ofMillis(5);
        return eighth.compareTo(second) > 0 ? second : eighth.compareTo(least) < 0 ? least : eighth;
    }

    Negotiated negotiated() {
        return negotiated;
    }

    /** Returns how many requests wait for their replies. */
    int inFlight() {
        return slots.inFlight();
    }

    /** Returns whether requests can still be sent. */
    boolean isUsable() {
        return !closing && !retired && ending.get() == null;
    }

    /** Returns what ended the connection, or null. */
    @Nullable
    IOException ending() {
        return ending.get();
    }

    /**
     * Sends a request and waits for its reply.
     *
     * @param data where the bytes of a read go or those of a write come from, from its position to its limit
     * @param status where block status goes
     * @throws ConnectionLostException if the connection ended before the reply was complete
     * @throws ClosedByInterruptException if the thread was interrupted; the connection lives on
     * @throws IOException what the server said
     */
    void call(int type, int flags, long offset, long length, @Nullable ByteBuffer data, @Nullable StatusReplies status)
            throws IOException {
        Request request = slots.take();
        ByteBuffer payload = type == Commands.WRITE ? data : null;
        boolean mine = true;
        try {
            long cookie = begin(request, flags, type, offset, length, data, status, null);
            boolean sent = send(request, flags, type, cookie, offset, length, payload);
            mine = request.await();
            if (!mine) {
                throw new ClosedByInterruptException();
            }
            IOException failure = failure(request, sent);
            if (failure != null) {
                throw failure;
            }
        } finally {
            if (mine) {
                // Not sent after all, if it is not done yet.
                request.lose();
                give(request);
            }
        }
        if (data != null) {
            data.position(data.limit());
        }
    }

    /**
     * Sends a request and returns; {@code end} is told how it ended.
     *
     * @throws IOException if it was not sent at all; then {@code end} is not told
     */
    void submit(int type, int flags, long offset, long length, @Nullable ByteBuffer data, Request.End end)
            throws IOException {
        submit(slots.take(), type, flags, offset, length, data, end);
    }

    /** Sends a request if there is room for it, and does not care how it ends. */
    void hint(int type, long offset, long length) throws IOException {
        Request request = slots.tryTake();
        if (request != null) {
            submit(request, type, 0, offset, length, null, failure -> {});
        }
    }

    private void submit(
            Request request, int type, int flags, long offset, long length, @Nullable ByteBuffer data, Request.End end)
            throws IOException {
        long cookie;
        try {
            cookie = begin(request, flags, type, offset, length, data, null, end);
        } catch (IOException e) {
            give(request);
            throw e;
        }
        try {
            send(request, flags, type, cookie, offset, length, type == Commands.WRITE ? data : null);
        } catch (ClosedByInterruptException e) {
            // Not a byte of it was sent, so nobody else ends it.
            if (request.lose()) {
                give(request);
                throw e;
            }
        }
    }

    private long begin(
            Request request,
            int flags,
            int type,
            long offset,
            long length,
            @Nullable ByteBuffer data,
            @Nullable StatusReplies status,
            Request.@Nullable End end)
            throws ConnectionLostException {
        if (!isUsable()) {
            throw new ConnectionLostException(reasonNotToSend(), false);
        }
        long cookie = slots.cookie(request);
        request.begin(cookie, flags, type, offset, length, data, status, end);
        return cookie;
    }

    private IOException reasonNotToSend() {
        IOException reason = ending.get();
        if (reason != null) {
            return reason;
        }
        return closing ? new AsynchronousCloseException() : shutdown();
    }

    private BlockIOException shutdown() {
        return new BlockIOException(
                BlockIOException.Kind.SHUTDOWN, description + ": the server is shutting down", null);
    }

    /**
     * Sends a request. If that fails, the connection ends, and with it the request.
     *
     * @return whether the server may have seen some of it
     * @throws ClosedByInterruptException if the thread was interrupted before anything was sent
     */
    private boolean send(
            Request request, int flags, int type, long cookie, long offset, long length, @Nullable ByteBuffer payload)
            throws ClosedByInterruptException {
        boolean begun = false;
        try {
            sending.lockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ClosedByInterruptException();
        }
        try {
            if (ending.get() == null) {
                begun = true;
                request.expectBy(timeoutNanos == 0 ? 0 : System.nanoTime() + timeoutNanos);
                int sentFlags = extended && payload != null ? flags | CommandFlags.PAYLOAD_LEN : flags;
                header.set(sentFlags, type, cookie, offset, length).put(out.clear(), extended);
                sendAll(payload);
            }
        } catch (IOException e) {
            end(lost(e));
        } finally {
            sending.unlock();
        }
        if (ended) {
            // The reader, who ends requests, may have gone before this one was there.
            loseAndGive(request);
        }
        return begun;
    }

    private void sendAll(@Nullable ByteBuffer payload) throws IOException {
        if (payload == null) {
            Channels.writeAll(channel, out.flip());
            return;
        }
        int limit = payload.limit();
        try {
            // A socket would copy all of a long heap buffer at once, and again for each part that it takes.
            boolean heapToSocket = !payload.isDirect() && gathering instanceof SocketStream;
            if (gathering != null && payload.remaining() > COPIED && !heapToSocket) {
                gathered[0] = out.flip();
                gathered[1] = payload;
                while (payload.hasRemaining()) {
                    gathering.write(gathered);
                }
                gathered[1] = out;
                return;
            }
            while (payload.hasRemaining()) {
                int run = Math.min(out.remaining(), payload.remaining());
                out.put(payload.limit(payload.position() + run));
                payload.limit(limit);
                Channels.writeAll(channel, out.flip());
                out.clear();
            }
        } finally {
            payload.limit(limit);
        }
    }

    /** Ends a request whose reader is gone, if nobody did. */
    private void loseAndGive(Request request) {
        if (request.lose()) {
            release(request);
        }
    }

    /** Gives the slot of a request back that is done and that no thread waits for, and tells who wants to know. */
    void release(Request request) {
        Request.End end = request.end();
        IOException failure = end == null ? null : failure(request, true);
        give(request);
        if (end != null) {
            end.ended(failure);
        }
    }

    /** Gives a slot back; whoever is the last on a connection that is to end ends it. */
    private void give(Request request) {
        slots.give(request);
        if (retired && slots.inFlight() == 0) {
            disconnect(shutdown());
        }
    }

    /** Takes no more requests, and ends when those on their way have ended: the server asked for that. */
    void retire() {
        retired = true;
    }

    private @Nullable IOException failure(Request request, boolean sent) {
        NbdError error = request.error();
        if (request.isLost()) {
            IOException reason = ending.get();
            return new ConnectionLostException(reason == null ? reasonNotToSend() : reason, sent);
        }
        if (error == null) {
            return null;
        }
        if (error == NbdError.ENOTSUP && (request.flags() & CommandFlags.FAST_ZERO) != 0) {
            return new NotFasterException(description);
        }
        String said = request.errorText().isEmpty() ? "" : "; the server says: " + Printable.quote(request.errorText());
        return error.toException(description + ": " + request + ": " + error.text() + said);
    }

    private void checkTime() {
        long now = System.nanoTime();
        for (Request request : slots.all()) {
            if (request.isOverdue(now)) {
                end(new BlockIOException(
                        BlockIOException.Kind.TIMEOUT,
                        description + ": no whole reply within " + Deadline.text(timeout) + ": " + request,
                        null));
                return;
            }
        }
    }

    /** Ends the connection at once; of several reasons the first counts. The reader then ends the requests. */
    void end(IOException reason) {
        if (ending.compareAndSet(null, reason)) {
            stop();
        }
    }

    /** Ends the connection because of what the reader met, and all requests. */
    void readerEnds(IOException failure) {
        end(failure instanceof ProtocolException ? broken(failure) : lost(failure));
        ended = true;
        for (Request request : slots.all()) {
            loseAndGive(request);
        }
    }

    private BlockIOException lost(IOException cause) {
        String lost = cause instanceof EOFException ? "" : "the connection is lost: ";
        return new BlockIOException(BlockIOException.Kind.IO, description + ": " + lost + cause.getMessage(), cause);
    }

    private ProtocolException broken(IOException cause) {
        ProtocolException exception =
                new ProtocolException(description + ": the server breaks the protocol: " + cause.getMessage());
        exception.initCause(cause);
        return exception;
    }

    /** Waits for the replies that are to come, says goodbye, and ends the connection. */
    @Override
    public void close() {
        if (closing) {
            return;
        }
        closing = true;
        boolean drained = false;
        try {
            drained = ending.get() != null || slots.drain(CLOSING);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        if (drained) {
            disconnect(new AsynchronousCloseException());
        } else {
            end(new AsynchronousCloseException());
        }
    }

    /** Sends DISC and, with TLS, close_notify; a server that does not read is not waited for long. */
    private void disconnect(IOException reason) {
        boolean locked = false;
        Deadline deadline = new Deadline(CLOSING, raw);
        try {
            locked = sending.tryLock(CLOSING.toNanos(), TimeUnit.NANOSECONDS);
            if (locked && ending.compareAndSet(null, reason)) {
                header.set(0, Commands.DISC, 0, 0, 0).put(out.clear(), extended);
                Channels.writeAll(channel, out.flip());
                channel.close();
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            System.getLogger(Connection.class.getName()).log(System.Logger.Level.DEBUG, "saying goodbye", e);
        } finally {
            if (locked) {
                sending.unlock();
            }
            deadline.close();
            end(reason);
            stop();
        }
    }

    private void stop() {
        if (timeKeeper != null) {
            timeKeeper.cancel(false);
        }
        Channels.closeQuietly(raw);
    }
}
