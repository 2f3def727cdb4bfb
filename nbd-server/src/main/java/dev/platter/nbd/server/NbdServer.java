package dev.platter.nbd.server;

import com.google.common.util.concurrent.Uninterruptibles;
import dev.platter.core.DeviceCatalog;
import dev.platter.nbd.tls.Authorization;
import dev.platter.nbd.tls.TlsCredentials;
import java.io.Closeable;
import java.io.IOException;
import java.net.SocketAddress;
import java.nio.channels.ByteChannel;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/**
 * Serves devices over NBD, on TCP and Unix sockets, to any client: qemu, libnbd, the kernel.
 *
 * <pre>{@code
 * try (NbdServer server = NbdServer.builder()
 *         .bind(new InetSocketAddress("127.0.0.1", 10809))
 *         .export(Export.named("").readOnly().of(disk))
 *         .start()) {
 *     server.awaitClose();
 * }
 * }</pre>
 *
 * <p>Safe for many threads. Each connection has a thread of its own, because reads of files block; reads of devices that
 * are slow (compressed, encrypted, remote) are spread over as many threads as there are processors.
 */
public final class NbdServer implements Closeable {
    /** The port that is NBD's. */
    public static final int PORT = 10809;

    private static final int BACKLOG = 128;
    private static final int POOL_BUFFER_BYTES = 256 * 1024 + 2 * 4096;
    private static final long CLOSE_NANOS = TimeUnit.SECONDS.toNanos(4);

    private final ServerLimits limits;
    private final ServerListener listener;
    private final boolean tlsRequired;
    private final boolean extendedHeaders;
    private final Authorization authorization;
    private final Exports exports = new Exports();
    private final List<Listening> listening = new ArrayList<>();
    private final Map<Connection, Thread> connections = new ConcurrentHashMap<>();
    private final Semaphore admission;
    /** Half of the processors may wait for requests: the others are for clients, and for everybody else. */
    private final Semaphore pollers = new Semaphore(Runtime.getRuntime().availableProcessors() / 2);

    private final AtomicLong accepted = new AtomicLong();
    private final CountDownLatch closed = new CountDownLatch(1);
    private final Watchdog watchdog = new Watchdog("nbd-watchdog");
    private final BufferPool pool;
    private final ExecutorService slowReaders;
    private volatile @Nullable TlsCredentials tls;
    private volatile boolean stopping;

    private NbdServer(Builder builder) {
        this.limits = builder.limits;
        this.listener = builder.listener;
        this.tls = builder.tls;
        this.tlsRequired = builder.tlsRequired;
        this.extendedHeaders = builder.extendedHeaders;
        this.authorization = builder.authorization;
        this.admission = new Semaphore(limits.connections());
        this.pool = new BufferPool(POOL_BUFFER_BYTES, limits.bufferBytes());
        this.slowReaders = Executors.newFixedThreadPool(
                Runtime.getRuntime().availableProcessors(), task -> daemon(task, "nbd-slow-reader"));
    }

    /** Begins a server. */
    public static Builder builder() {
        return new Builder();
    }

    /** Builds a server. */
    public static final class Builder {
        private final List<SocketAddress> addresses = new ArrayList<>();
        private final List<ServerSocketChannel> sockets = new ArrayList<>();
        private final List<Export> exports = new ArrayList<>();
        private final List<DeviceCatalog> catalogs = new ArrayList<>();
        private ServerLimits limits = ServerLimits.defaults();
        private ServerListener listener = ServerListener.NONE;
        private Authorization authorization = (identity, export) -> true;
        private @Nullable TlsCredentials tls;
        private boolean tlsRequired = true;
        private boolean extendedHeaders;

        private Builder() {}

        /**
         * Listens to an address: an {@link java.net.InetSocketAddress}, port 0 for any that is free, or a {@link
         * java.net.UnixDomainSocketAddress}, whose file only this user will be able to open. May be called several times;
         * without any, clients come by {@link NbdServer#attach(ByteChannel)}.
         */
        public Builder bind(SocketAddress address) {
            addresses.add(address);
            return this;
        }

        /** Takes clients from a socket that listens already. The server closes it. */
        public Builder accept(ServerSocketChannel socket) {
            sockets.add(socket);
            return this;
        }

        /** Offers a device. */
        public Builder export(Export export) {
            exports.add(export);
            return this;
        }

        /**
         * Offers all devices of a catalog, read-only: the disk, its partitions, its volumes, by their names without {@code
         * /dev/}.
         */
        public Builder catalog(DeviceCatalog catalog) {
            catalogs.add(catalog);
            return this;
        }

        /** Talks TLS, and only TLS. */
        public Builder tls(TlsCredentials credentials) {
            tls = credentials;
            tlsRequired = true;
            return this;
        }

        /** Talks TLS to clients that ask for it. Whoever sits between can keep them from asking. */
        public Builder tlsOptional(TlsCredentials credentials) {
            tls = credentials;
            tlsRequired = false;
            return this;
        }

        /** Sets who may have which export; everybody by default. */
        public Builder authorization(Authorization who) {
            authorization = who;
            return this;
        }

        /** Sets what clients may cost. */
        public Builder limits(ServerLimits most) {
            limits = most;
            return this;
        }

        /** Sets who is told what happens. */
        public Builder listener(ServerListener who) {
            listener = who;
            return this;
        }

        /**
         * Offers extended headers: lengths of 64 bits. Off by default, because the extension is young and no client in wide
         * use was tested with it.
         */
        public Builder extendedHeaders() {
            extendedHeaders = true;
            return this;
        }

        /**
         * Starts the server; it listens when this returns.
         *
         * @throws IOException if an address cannot be listened to; the message names it
         * @throws IllegalArgumentException if two exports have one name
         */
        public NbdServer start() throws IOException {
            NbdServer server = new NbdServer(this);
            try {
                exports.forEach(server.exports::add);
                catalogs.forEach(server.exports::add);
                for (SocketAddress address : addresses) {
                    server.listening.add(Listening.to(address, BACKLOG));
                }
                for (ServerSocketChannel socket : sockets) {
                    server.listening.add(Listening.on(socket));
                }
                for (Listening socket : server.listening) {
                    new Thread(() -> server.acceptFrom(socket), "nbd-accept " + socket.address()).start();
                }
                return server;
            } catch (IOException | RuntimeException e) {
                server.close();
                throw e;
            }
        }
    }

    /** Returns the addresses that this server listens to, with the ports that were found free. */
    public List<SocketAddress> addresses() {
        return listening.stream().map(Listening::address).toList();
    }

    /**
     * Offers another device.
     *
     * @throws IllegalArgumentException if there is an export of that name
     */
    public void add(Export export) {
        exports.add(export);
    }

    /** Offers a device no longer. Clients that have it keep it; {@link #disconnect} ends them. Returns whether it was there. */
    public boolean remove(String name) {
        return exports.remove(name) != null;
    }

    /** Returns the clients that are connected, in no order. */
    public List<ClientInfo> clients() {
        return connections.keySet().stream().map(Connection::info).toList();
    }

    /** Hangs up on a client; returns whether it was there. */
    public boolean disconnect(long id) {
        for (Connection connection : connections.keySet()) {
            if (connection.id() == id) {
                connection.hangUp();
                return true;
            }
        }
        return false;
    }

    /** Shows other credentials to clients that come from now on. Those that are here stay. */
    public void setTls(TlsCredentials credentials) {
        if (tls == null) {
            throw new IllegalStateException("this server was started without TLS");
        }
        tls = credentials;
    }

    /**
     * Serves a client that came in some other way, with the whole handshake. The server closes the channel.
     *
     * @param channel blocking; a thread inside it is freed when it is closed
     * @return the number of the connection
     * @throws IOException if the server is closed, or there are as many connections as there may be
     */
    public long attach(ByteChannel channel) throws IOException {
        return attach(channel, null);
    }

    /**
     * Serves a client that knows all that a handshake would tell it, as a kernel device does: the next byte is that of a
     * request, and replies are simple. The server closes the channel.
     *
     * @param export name of the export that it gets
     * @return the number of the connection
     * @throws IOException if there is no such export, the server is closed, or there are as many connections as there may be
     */
    public long attachTo(String export, ByteChannel channel) throws IOException {
        OpenExport open = exports.find(export);
        if (open == null) {
            throw new IOException("export '" + export + "' not present");
        }
        return attach(channel, open);
    }

    private long attach(ByteChannel channel, @Nullable OpenExport export) throws IOException {
        if (stopping || !admission.tryAcquire()) {
            throw new IOException(stopping ? "the server is closed" : limits.connections() + " connections already");
        }
        return begin(channel, "attached", export);
    }

    private void acceptFrom(Listening socket) {
        while (!stopping) {
            admission.acquireUninterruptibly();
            boolean begun = false;
            try {
                SocketChannel client = socket.accept();
                begin(client, String.valueOf(client.getRemoteAddress()), null);
                begun = true;
            } catch (IOException e) {
                if (stopping || !socket.isOpen()) {
                    return;
                }
                // Out of descriptors, mostly: the next try may come too early, but not at once.
                listener.acceptFailed(String.valueOf(socket.address()), e);
                Uninterruptibles.sleepUninterruptibly(Duration.ofMillis(100));
            } finally {
                if (!begun) {
                    admission.release();
                }
            }
        }
    }

    private long begin(ByteChannel channel, String address, @Nullable OpenExport export) throws IOException {
        Connection connection = new Connection(this, accepted.incrementAndGet(), channel, address, export);
        Thread thread = daemon(connection, "nbd-client-" + connection.id());
        connections.put(connection, thread);
        try {
            thread.start();
        } catch (OutOfMemoryError e) {
            // This is how the JVM says that there are no more threads.
            connections.remove(connection);
            connection.abandon();
            throw new IOException("no thread for another client", e);
        }
        if (stopping) {
            connection.hangUp();
        }
        return connection.id();
    }

    private static Thread daemon(Runnable task, String name) {
        Thread thread = new Thread(task, name);
        thread.setDaemon(true);
        return thread;
    }

    void ended(Connection connection) {
        connections.remove(connection);
        admission.release();
    }

    /** Waits until the server is closed. */
    public void awaitClose() throws InterruptedException {
        closed.await();
    }

    /**
     * Stops listening, hangs up on all clients, and waits for what they began to end, for 5 seconds at most. Devices that
     * the server opened are closed. Closing again does nothing.
     */
    @Override
    public void close() throws IOException {
        stopping = true;
        IOException failure = null;
        for (Listening socket : listening) {
            try {
                socket.close();
            } catch (IOException e) {
                failure = e;
            }
        }
        long deadline = System.nanoTime() + CLOSE_NANOS;
        connections.keySet().forEach(Connection::hangUp);
        for (Thread thread : connections.values()) {
            long left = deadline - System.nanoTime();
            if (left > 0 && thread != Thread.currentThread()) {
                Uninterruptibles.joinUninterruptibly(thread, Duration.ofNanos(left));
            }
        }
        slowReaders.shutdown();
        watchdog.close();
        closed.countDown();
        if (failure != null) {
            throw failure;
        }
    }

    boolean isStopping() {
        return stopping;
    }

    ServerLimits limits() {
        return limits;
    }

    ServerListener listener() {
        return listener;
    }

    Exports exports() {
        return exports;
    }

    Authorization authorization() {
        return authorization;
    }

    @Nullable
    TlsCredentials tls() {
        return tls;
    }

    boolean isTlsRequired() {
        return tlsRequired;
    }

    boolean offersExtendedHeaders() {
        return extendedHeaders;
    }

    Semaphore pollers() {
        return pollers;
    }

    BufferPool pool() {
        return pool;
    }

    Watchdog watchdog() {
        return watchdog;
    }

    ExecutorService slowReaders() {
        return slowReaders;
    }
}
