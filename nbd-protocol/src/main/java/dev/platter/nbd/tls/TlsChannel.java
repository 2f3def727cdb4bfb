package dev.platter.nbd.tls;

import dev.platter.core.DirectBuffers;
import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.GatheringByteChannel;
import java.nio.channels.IllegalBlockingModeException;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * TLS over any blocking channel. First {@link #handshake}, then {@link #read} and {@link #write}, one thread each at the same
 * time; {@link #close} from any thread. The channel below must not be used by others from the beginning on, and nothing may
 * have been read from it ahead: what came in clear before the handshake does not belong to the session.
 *
 * <p>A connection that ends without close_notify is an error, as it may have been cut off by somebody in between. After an
 * error every call fails. There are no time limits here: who has them closes the channel below, which ends any call.
 */
public final class TlsChannel implements ByteChannel, GatheringByteChannel {
    private static final ByteBuffer NOTHING = ByteBuffer.allocate(0);

    /** So many records go to the channel below, or come from it, in one call. */
    private static final int RECORDS_AT_ONCE = 4;

    /** Records without data that may come one after the other. Nobody who means well sends more than a few tickets. */
    private static final int MAX_EMPTY_RECORDS = 64;

    /** Answers (to a request for new keys) that may wait for the next write; each takes memory. */
    private static final int MAX_ANSWERS_OWED = 32;

    /** Enough for a handshake in records of one byte each. */
    private static final int MAX_HANDSHAKE_STEPS = 1 << 15;

    private final ByteChannel channel;
    private final TlsSession session;
    private final ReentrantLock reading = new ReentrantLock();
    private final ReentrantLock writing = new ReentrantLock();
    private final AtomicInteger answersOwed = new AtomicInteger();
    private final AtomicBoolean closed = new AtomicBoolean();

    /** Records that are read and not unwrapped, from position to limit. */
    private final ByteBuffer in;

    /** Records that are wrapped and not written, from 0 to position. */
    private final ByteBuffer out;

    /** Bytes that are unwrapped and not read, from position to limit. Empty until the handshake is over. */
    private ByteBuffer plain = NOTHING.duplicate();

    private boolean ended;
    private volatile boolean established;
    private volatile @Nullable IOException failure;

    /**
     * Lays a session over a channel. Nothing is sent.
     *
     * @param channel in blocking mode; closed by {@link #close}
     * @param session a new one
     */
    public TlsChannel(ByteChannel channel, TlsSession session) {
        this.channel = channel;
        this.session = session;
        in = DirectBuffers.allocate(RECORDS_AT_ONCE * session.recordBytes()).limit(0);
        out = DirectBuffers.allocate(RECORDS_AT_ONCE * session.recordBytes());
    }

    /**
     * Comes to terms with the other side. To be called once, before anything else. If it fails, {@link #close} tells the
     * other side why.
     *
     * @throws IOException if the two do not come to terms, or one is not who it must be; the message says why
     */
    public void handshake() throws IOException {
        reading.lock();
        writing.lock();
        try {
            requireUsable();
            if (established) {
                throw new IllegalStateException("the handshake is over");
            }
            shakeHands();
            plain = DirectBuffers.allocate(session.plainBytes()).limit(0);
            established = true;
        } catch (IOException e) {
            throw failed(new IOException("TLS handshake failed: " + reason(e), e));
        } finally {
            writing.unlock();
            reading.unlock();
        }
    }

    /** Returns who the other side is; {@link PeerIdentity#ANONYMOUS} before the handshake is over. */
    public PeerIdentity peer() {
        return session.peer();
    }

    /**
     * Reads plain bytes, at least one if {@code into} has room.
     *
     * @return -1 if the other side ended the session by close_notify
     * @throws IOException also if the connection ends without that
     * @throws IllegalStateException if the handshake is not over
     */
    @Override
    public int read(ByteBuffer into) throws IOException {
        reading.lock();
        try {
            requireEstablished();
            if (!into.hasRemaining()) {
                return 0;
            }
            if (plain.hasRemaining()) {
                return take(into);
            }
            if (ended) {
                return -1;
            }
            if (into.remaining() >= plain.capacity()) {
                return unwrap(into);
            }
            plain.clear();
            try {
                unwrap(plain);
            } finally {
                plain.flip();
            }
            return ended ? -1 : take(into);
        } catch (IOException e) {
            throw failed(e);
        } finally {
            reading.unlock();
        }
    }

    /**
     * Writes plain bytes, all of them.
     *
     * @throws IllegalStateException if the handshake is not over
     */
    @Override
    public int write(ByteBuffer from) throws IOException {
        writing.lock();
        try {
            requireEstablished();
            int length = from.remaining();
            wrap(from);
            drain();
            return length;
        } catch (IOException e) {
            throw failed(e);
        } finally {
            writing.unlock();
        }
    }

    /** Writes plain bytes, all of them, and gathers their records: a header and its data leave together. */
    @Override
    public long write(ByteBuffer[] from, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, from.length);
        writing.lock();
        try {
            requireEstablished();
            long written = 0;
            for (int i = offset; i < offset + length; i++) {
                written += from[i].remaining();
                wrap(from[i]);
            }
            drain();
            return written;
        } catch (IOException e) {
            throw failed(e);
        } finally {
            writing.unlock();
        }
    }

    @Override
    public long write(ByteBuffer[] from) throws IOException {
        return write(from, 0, from.length);
    }

    @Override
    public boolean isOpen() {
        return !closed.get() && channel.isOpen();
    }

    /**
     * Says close_notify, or why the session failed, and closes the channel below. A write that goes on in another thread is
     * not waited for: it fails, and nothing is said. Blocks as a write does if the other side reads nothing; closing the
     * channel below ends that.
     */
    @Override
    public void close() throws IOException {
        if (!closed.compareAndSet(false, true)) {
            return;
        }
        try (channel) {
            if (channel.isOpen() && writing.tryLock()) {
                try {
                    sayGoodbye();
                } catch (IOException e) {
                    // Nobody has to be there to hear it.
                    failed(e);
                } finally {
                    writing.unlock();
                }
            }
        }
    }

    private void shakeHands() throws IOException {
        for (int steps = 0; session.isHandshaking(); steps++) {
            if (steps == MAX_HANDSHAKE_STEPS) {
                throw new IOException("it does not come to an end");
            }
            switch (session.wrap(NOTHING, out)) {
                case OK, NEEDS_WRAP -> {}
                case NEEDS_ROOM -> makeRoom();
                case NEEDS_RECORDS -> {
                    drain();
                    hear();
                }
                case CLOSED -> throw new IOException("the session ended");
            }
        }
        drain();
    }

    private void hear() throws IOException {
        while (true) {
            switch (session.unwrap(in, NOTHING)) {
                case OK, NEEDS_WRAP -> {
                    return;
                }
                case NEEDS_RECORDS -> {
                    if (!fill()) {
                        throw new IOException("the other side closed the connection");
                    }
                }
                case NEEDS_ROOM -> throw new IOException("the other side sends data already");
                case CLOSED -> throw new IOException("the other side ended the session");
            }
        }
    }

    /** Puts plain bytes; none if the session ended. */
    private int unwrap(ByteBuffer into) throws IOException {
        int start = into.position();
        int empty = 0;
        while (true) {
            TlsSession.Status status = session.unwrap(in, into);
            if (into.position() > start) {
                return into.position() - start;
            }
            switch (status) {
                case OK -> {}
                case NEEDS_WRAP -> {
                    // It may go in front of the next data (RFC 8446, 4.6.3). Sent from here, it would wait for a peer
                    // that
                    // waits until we read.
                    if (answersOwed.incrementAndGet() > MAX_ANSWERS_OWED) {
                        throw new IOException("TLS: the other side asks for new keys again and again");
                    }
                }
                case NEEDS_RECORDS -> {
                    if (!fill()) {
                        throw new IOException(
                                "TLS: the connection ended without close_notify, so it may have been cut off");
                    }
                    continue;
                }
                case NEEDS_ROOM ->
                    throw new IOException("TLS: a record holds more than " + plain.capacity() + " bytes");
                case CLOSED -> {
                    // A session that failed in the other thread is closed too.
                    requireUsable();
                    ended = true;
                    return -1;
                }
            }
            if (++empty > MAX_EMPTY_RECORDS) {
                throw new IOException("TLS: the other side sends records without data again and again");
            }
        }
    }

    private void wrap(ByteBuffer from) throws IOException {
        int idle = 0;
        while (from.hasRemaining()) {
            int before = from.remaining();
            switch (session.wrap(from, out)) {
                case OK, NEEDS_WRAP, NEEDS_RECORDS -> {
                    if (from.remaining() < before) {
                        idle = 0;
                    } else if (++idle > MAX_EMPTY_RECORDS) {
                        throw new IOException("TLS: the session takes no data");
                    }
                }
                case NEEDS_ROOM -> makeRoom();
                case CLOSED -> throw new IOException("TLS: the session ended, nothing more can be sent");
            }
        }
        answersOwed.set(0);
    }

    private int take(ByteBuffer into) {
        int length = Math.min(into.remaining(), plain.remaining());
        into.put(into.position(), plain, plain.position(), length);
        into.position(into.position() + length);
        plain.position(plain.position() + length);
        return length;
    }

    /** Reads records; returns false at the end of the connection. */
    private boolean fill() throws IOException {
        in.compact();
        try {
            if (!in.hasRemaining()) {
                throw new IOException("TLS: a record is longer than " + in.capacity() + " bytes");
            }
            int length = channel.read(in);
            if (length == 0) {
                throw new IllegalBlockingModeException();
            }
            return length > 0;
        } finally {
            in.flip();
        }
    }

    private void makeRoom() throws IOException {
        if (out.position() == 0) {
            throw new IOException("TLS: a record is longer than " + out.capacity() + " bytes");
        }
        drain();
    }

    private void drain() throws IOException {
        out.flip();
        try {
            while (out.hasRemaining()) {
                if (channel.write(out) == 0) {
                    throw new IllegalBlockingModeException();
                }
            }
        } finally {
            out.compact();
        }
    }

    private void sayGoodbye() throws IOException {
        session.closeOutbound();
        boolean more = true;
        boolean toldWhy = false;
        for (int steps = 0; more && steps < MAX_EMPTY_RECORDS; steps++) {
            try {
                more = switch (session.wrap(NOTHING, out)) {
                    case OK, NEEDS_WRAP -> true;
                    case NEEDS_ROOM -> {
                        makeRoom();
                        yield true;
                    }
                    case NEEDS_RECORDS, CLOSED -> false;
                };
            } catch (IOException e) {
                // A session that failed may say so once more, and gives its alert only then.
                more = !toldWhy;
                toldWhy = true;
                failed(e);
            }
        }
        drain();
    }

    private void requireEstablished() throws IOException {
        requireUsable();
        if (!established) {
            throw new IllegalStateException("the handshake is not over");
        }
    }

    private void requireUsable() throws IOException {
        if (closed.get()) {
            throw new ClosedChannelException();
        }
        IOException known = failure;
        if (known != null) {
            throw new IOException("TLS failed before: " + reason(known), known);
        }
    }

    private IOException failed(IOException e) {
        if (failure == null) {
            failure = e;
        }
        return e;
    }

    /** The other side has its part in what is said about it. */
    private static String reason(IOException e) {
        String message = e.getMessage();
        return Printable.escape(message == null ? e.toString() : message);
    }
}
