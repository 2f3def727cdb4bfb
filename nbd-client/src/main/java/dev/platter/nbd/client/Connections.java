package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.Closeable;
import java.io.IOException;
import java.lang.System.Logger.Level;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/**
 * The connections to one export: which one takes a request, and what happens when one is lost. Safe for many threads.
 *
 * <p>Only requests that change nothing are sent a second time, and those of which not a byte was sent.
 */
final class Connections implements Closeable {
    /** How often one request is sent again. */
    private static final int MOST_REPEATS = 3;

    private static final long FIRST_PAUSE_MILLIS = 50;
    private static final long LONGEST_PAUSE_MILLIS = 1000;

    private final Connector connector;
    private final NbdClientOptions options;
    private final Negotiated negotiated;
    private final boolean reconnects;
    private final UnflushedWrites unflushed = new UnflushedWrites();
    private final ReentrantLock reconnecting = new ReentrantLock();
    private volatile Connection[] all;
    private volatile boolean closed;

    /** Opens as many connections as options and server allow. */
    Connections(Connector connector, NbdClientOptions options) throws IOException {
        this.connector = connector;
        this.options = options;
        this.reconnects = connector.canConnectAgain() && !options.reconnect().isZero();
        Connection first = connector.connect();
        this.negotiated = first.negotiated();
        this.all = withFurther(first);
    }

    private Connection[] withFurther(Connection first) throws IOException {
        boolean several = connector.canConnectAgain() && negotiated.details().has(TransmissionFlags.CAN_MULTI_CONN);
        int count = several ? options.connections() : 1;
        List<Connection> opened = new ArrayList<>(List.of(first));
        try {
            while (opened.size() < count) {
                opened.add(requireSame(connector.connect()));
            }
        } catch (IOException | RuntimeException e) {
            opened.forEach(Connection::close);
            throw e;
        }
        return opened.toArray(new Connection[0]);
    }

    Negotiated negotiated() {
        return negotiated;
    }

    int count() {
        return all.length;
    }

    boolean isClosed() {
        return closed;
    }

    /** Does one request; see {@link Connection#call}. */
    void call(int type, int flags, long offset, long length, @Nullable ByteBuffer data, @Nullable StatusReplies status)
            throws IOException {
        int start = data == null ? 0 : data.position();
        for (int repeats = 0; ; repeats++) {
            Connection connection = choose();
            UnflushedWrites.@Nullable Epoch write = beginWrite(type);
            if (status != null) {
                status.clear(length, negotiated.details().size() - offset);
            }
            try {
                connection.call(type, flags, offset, length, data, status);
                endWrite(write);
                return;
            } catch (ConnectionLostException e) {
                if (!mayRepeat(e, type, repeats)) {
                    throw reason(e, type, offset, length);
                }
                if (data != null) {
                    data.position(start);
                }
            }
        }
    }

    /**
     * Sends one request and returns; the future ends as {@link #call} does.
     *
     * @throws IOException if it was not sent
     */
    PendingRequest submit(int type, int flags, long offset, long length, @Nullable ByteBuffer data) throws IOException {
        PendingRequest pending = new PendingRequest();
        for (int repeats = 0; ; repeats++) {
            Connection connection = choose();
            UnflushedWrites.@Nullable Epoch write = beginWrite(type);
            Request.End end = failure -> aside(() -> {
                IOException outcome = settle(failure, type, flags, offset, length, data);
                if (failure == null) {
                    endWrite(write);
                }
                if (outcome == null) {
                    pending.complete(null);
                } else {
                    pending.completeExceptionally(outcome);
                }
            });
            try {
                connection.submit(type, flags, offset, length, data == null ? null : data.duplicate(), end);
                return pending;
            } catch (ConnectionLostException e) {
                if (!mayRepeat(e, type, repeats)) {
                    throw reason(e, type, offset, length);
                }
            }
        }
    }

    /** Runs what follows on a request where it may take its time. */
    private void aside(Runnable work) {
        try {
            options.completions().execute(work);
        } catch (RejectedExecutionException e) {
            System.getLogger(Connections.class.getName()).log(Level.DEBUG, "completed by the reader", e);
            work.run();
        }
    }

    /** Returns what a request that was not waited for ends with, after it was sent again if it may be. */
    private @Nullable IOException settle(
            @Nullable IOException failure, int type, int flags, long offset, long length, @Nullable ByteBuffer data) {
        if (!(failure instanceof ConnectionLostException lost)) {
            return failure;
        }
        if (!mayRepeat(lost, type, 0)) {
            return reason(lost, type, offset, length);
        }
        try {
            call(type, flags, offset, length, data == null ? null : data.duplicate(), null);
            return null;
        } catch (IOException e) {
            return e;
        }
    }

    /** Sends a request for which nobody waits, if there is room. */
    void hint(int type, long offset, long length) throws IOException {
        choose().hint(type, offset, length);
    }

    /** Makes durable what was replied to on any connection: there are several only where one flush covers all. */
    void flush() throws IOException {
        requireNothingLost();
        UnflushedWrites.Epoch epoch = unflushed.current();
        long replied = epoch.replied();
        if (negotiated.details().has(TransmissionFlags.SEND_FLUSH)) {
            call(Commands.FLUSH, 0, 0, 0, null, null);
        }
        // It may have gone to a server that never saw the writes.
        requireNothingLost();
        epoch.flushed(replied);
    }

    private void requireNothingLost() throws BlockIOException {
        if (unflushed.takeLoss()) {
            throw new BlockIOException(
                    BlockIOException.Kind.IO,
                    connector.description() + ": flush: the connection was lost after writes that no flush had covered;"
                            + " they may be lost too",
                    null);
        }
    }

    private UnflushedWrites.@Nullable Epoch beginWrite(int type) {
        if (!reconnects || !isWrite(type)) {
            return null;
        }
        UnflushedWrites.Epoch epoch = unflushed.current();
        epoch.begin();
        return epoch;
    }

    private static void endWrite(UnflushedWrites.@Nullable Epoch epoch) {
        if (epoch != null) {
            epoch.reply();
        }
    }

    private static boolean isWrite(int type) {
        return type == Commands.WRITE || type == Commands.WRITE_ZEROES || type == Commands.TRIM;
    }

    private boolean mayRepeat(ConnectionLostException lost, int type, int repeats) {
        boolean harmless = type == Commands.READ || type == Commands.BLOCK_STATUS || type == Commands.FLUSH;
        return !closed
                && repeats < MOST_REPEATS
                && (!lost.isSent() || (reconnects && harmless && !lost.isServersFault()));
    }

    private IOException reason(ConnectionLostException lost, int type, long offset, long length) {
        IOException reason = closed ? new AsynchronousCloseException() : lost.reason();
        if (reconnects && lost.isSent() && isWrite(type) && reason instanceof BlockIOException failure) {
            return new BlockIOException(
                    failure.kind(),
                    failure.getMessage() + "; the " + Request.describe(type, offset, length)
                            + " may have happened or not",
                    failure);
        }
        return reason;
    }

    /** Returns the connection with the fewest requests on their way. */
    private Connection choose() throws IOException {
        while (true) {
            if (closed) {
                throw new ClosedChannelException();
            }
            Connection[] now = all;
            Connection best = null;
            int fewest = Integer.MAX_VALUE;
            for (Connection connection : now) {
                int load = connection.isUsable() ? connection.inFlight() : Integer.MAX_VALUE;
                if (load < fewest) {
                    best = connection;
                    fewest = load;
                }
            }
            if (best != null) {
                return best;
            }
            replace(now);
        }
    }

    /** Connects again, unless another thread just did. */
    private void replace(Connection[] lost) throws IOException {
        IOException ending = endingOf(lost);
        if (!reconnects || ending instanceof ProtocolException) {
            throw closed ? new ClosedChannelException() : ConnectionLostException.copyOf(ending);
        }
        try {
            reconnecting.lockInterruptibly();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ClosedByInterruptException();
        }
        try {
            if (all == lost) {
                unflushed.noteLoss();
                all = withFurther(connectAgain());
            }
        } finally {
            reconnecting.unlock();
            if (closed) {
                closeAll();
            }
        }
    }

    private IOException endingOf(Connection[] lost) {
        for (Connection connection : lost) {
            IOException ending = connection.ending();
            if (ending != null) {
                return ending;
            }
        }
        return new BlockIOException(
                BlockIOException.Kind.SHUTDOWN, connector.description() + ": the server is shutting down", null);
    }

    /** Tries as often as it takes, until the time is up. */
    private Connection connectAgain() throws IOException {
        long start = System.nanoTime();
        for (long pause = FIRST_PAUSE_MILLIS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MILLIS)) {
            Connection connection;
            try {
                connection = connector.connect();
            } catch (BlockIOException e) {
                long left = options.reconnect().toNanos() - (System.nanoTime() - start);
                if (left <= 0 || closed || e.kind() == BlockIOException.Kind.NOT_SUPPORTED) {
                    throw e;
                }
                pause(Math.min(left, TimeUnit.MILLISECONDS.toNanos(pause)));
                continue;
            }
            return requireSame(connection);
        }
    }

    private static void pause(long nanos) throws ClosedByInterruptException {
        try {
            TimeUnit.NANOSECONDS.sleep(nanos);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new ClosedByInterruptException();
        }
    }

    /** What is known of the export must hold on every connection to it. */
    private Connection requireSame(Connection connection) throws IOException {
        ExportDetails before = negotiated.details();
        ExportDetails now = connection.negotiated().details();
        boolean same = now.size() == before.size()
                && now.flags() == before.flags()
                && Objects.equals(now.blockSizes(), before.blockSizes())
                && connection.negotiated().protocol().replies()
                        == negotiated.protocol().replies()
                && connection.negotiated().contexts().equals(negotiated.contexts());
        if (!same) {
            connection.close();
            throw new BlockIOException(
                    BlockIOException.Kind.IO,
                    connector.description() + ": the export is not what it was: " + words(before) + " then, "
                            + words(now) + " now",
                    null);
        }
        return connection;
    }

    private static String words(ExportDetails details) {
        return details.size() + " bytes (" + TransmissionFlags.describe(details.flags()) + ")";
    }

    @Override
    public void close() {
        closed = true;
        closeAll();
    }

    private void closeAll() {
        for (Connection connection : all) {
            connection.close();
        }
    }
}
