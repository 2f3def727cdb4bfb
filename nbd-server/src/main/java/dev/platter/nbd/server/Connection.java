package dev.platter.nbd.server;

import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.server.Agreement.ReplyStyle;
import dev.platter.nbd.tls.PeerIdentity;
import dev.platter.nbd.tls.TlsChannel;
import dev.platter.nbd.tls.TlsCredentials;
import java.io.IOException;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.SocketChannel;
import java.time.Instant;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** One client, from its first byte to its last, on a thread of its own. */
final class Connection implements Runnable {
    private final NbdServer server;
    private final long id;
    private final String address;
    private final @Nullable OpenExport attached;
    private final Instant since = Instant.now();
    private final AtomicLong requests = new AtomicLong();
    private final AtomicLong bytesRead = new AtomicLong();
    private final AtomicLong bytesWritten = new AtomicLong();
    private final AtomicReference<@Nullable Throwable> broken = new AtomicReference<>();
    private final Watchdog.Watch receiving;
    private final Watchdog.Watch sending;
    private final ByteChannel socket;
    private ByteChannel channel;
    private Wire wire;
    private @Nullable Replies replies;
    private volatile PeerIdentity identity = PeerIdentity.ANONYMOUS;
    private volatile @Nullable String exportName;
    private volatile boolean negotiated;

    /** @param attached the export that the client has from the start, without a handshake; null if it has to choose */
    Connection(NbdServer server, long id, ByteChannel socket, String address, @Nullable OpenExport attached) {
        this.server = server;
        this.id = id;
        this.socket = socket;
        this.channel = socket;
        this.address = address;
        this.attached = attached;
        this.receiving = server.watchdog().watch(socket);
        this.sending = server.watchdog().watch(socket);
        this.wire = new Wire(socket, receiving, 0);
    }

    long id() {
        return id;
    }

    Wire wire() {
        return wire;
    }

    Replies replies() {
        Replies present = replies;
        if (present == null) {
            throw new IllegalStateException("no requests yet");
        }
        return present;
    }

    ClientInfo info() {
        return new ClientInfo(
                id, address, identity, exportName, since, requests.get(), bytesRead.get(), bytesWritten.get());
    }

    /** Returns whether what is sent may go from the page cache to the socket; TCP was measured to be slower with that. */
    boolean sendsPages() {
        try {
            return channel instanceof SocketChannel plain && plain.getLocalAddress() instanceof UnixDomainSocketAddress;
        } catch (IOException e) {
            return false;
        }
    }

    /** Returns what looks for requests before it sleeps for them, null where it cannot or is not asked to. */
    @Nullable
    RequestPolling polling() {
        long nanos = server.limits().polling().toNanos();
        return nanos > 0 && channel instanceof SocketChannel plain
                ? new RequestPolling(plain, server.pollers(), nanos)
                : null;
    }

    @Override
    public void run() {
        String why = "";
        try {
            server.listener().connected(info());
            serve();
        } catch (ClosedChannelException e) {
            why = ending();
        } catch (IOException | RuntimeException e) {
            broken.compareAndSet(null, e);
            Throwable first = failure();
            why = receiving.isExpired() || sending.isExpired() || first == null
                    ? ending()
                    : String.valueOf(first.getMessage());
        } finally {
            if (replies != null) {
                replies.drop();
            }
            close();
            receiving.end();
            sending.end();
            server.ended(this);
            server.listener().disconnected(info(), why);
        }
    }

    private String ending() {
        if (receiving.isExpired()) {
            return negotiated ? "the client paused inside a message" : "the handshake took too long";
        }
        if (sending.isExpired()) {
            return "the client took no replies";
        }
        Throwable first = broken.get();
        return first != null ? String.valueOf(first.getMessage()) : "closed by the server";
    }

    private void serve() throws IOException {
        Agreement agreement;
        if (attached != null) {
            agreement = new Agreement(attached, attached.acquire(), ReplyStyle.SIMPLE, List.of());
        } else {
            long limit = server.limits().handshake().toNanos();
            if (limit > 0) {
                receiving.within(limit);
            }
            Agreement made = new Handshake(this, server).run();
            receiving.off();
            if (made == null) {
                return;
            }
            agreement = made;
        }
        try {
            exportName = agreement.export().export().name();
            negotiated = true;
            server.listener().negotiated(info());
            long idle = server.limits().idle().toNanos();
            wire.pauseAtMost(idle);
            replies = new Replies(channel, sending, idle, server.pool());
            new Transmission(this, server, agreement, replies).run();
        } finally {
            if (attached == null) {
                agreement.export().leave();
            }
            agreement.export().release();
        }
    }

    /** Sends a message of the handshake. */
    void send(ByteBuffer message) throws IOException {
        while (message.hasRemaining()) {
            channel.write(message);
        }
    }

    /** Goes over to TLS; returns who the client proved to be. */
    PeerIdentity secure() throws IOException {
        TlsCredentials credentials = server.tls();
        if (credentials == null) {
            throw new IllegalStateException("no credentials");
        }
        TlsChannel tls = new TlsChannel(channel, credentials.serverSession());
        tls.handshake();
        channel = tls;
        wire = new Wire(tls, receiving, 0);
        identity = tls.peer();
        return identity;
    }

    void count(RequestHeader request) {
        // Only this thread writes them; others read.
        requests.lazySet(requests.get() + 1);
        if (request.type() == Commands.READ) {
            bytesRead.lazySet(bytesRead.get() + Math.max(0, request.length()));
        } else if (request.type() == Commands.WRITE) {
            bytesWritten.lazySet(bytesWritten.get() + Math.max(0, request.length()));
        }
    }

    /** Ends the connection because of what happened on another thread. */
    void fail(Throwable cause) {
        broken.compareAndSet(null, cause);
        hangUp();
    }

    /** Returns what ended the connection; null if nothing did but a goodbye. */
    @Nullable
    Throwable failure() {
        return broken.get();
    }

    /** Ends a connection whose thread never began. */
    void abandon() {
        receiving.end();
        sending.end();
        hangUp();
    }

    /** Ends the connection from outside, at once. */
    void hangUp() {
        try {
            socket.close();
        } catch (IOException e) {
            broken.compareAndSet(null, e);
        }
    }

    private void close() {
        try {
            if (channel != socket && !receiving.isExpired()) {
                // TLS says goodbye, which a client that takes nothing would hold up.
                receiving.within(server.limits().idle().toNanos());
                channel.close();
            }
            socket.close();
        } catch (IOException e) {
            // The client is gone already; there is nobody left to tell.
            broken.compareAndSet(null, e);
        }
    }
}
