package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ReadableByteChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/** A client and a server that talk TLS inside the process. */
final class TlsPair implements AutoCloseable {
    final TlsChannel client;
    final TlsChannel server;
    private final ExecutorService threads = Executors.newCachedThreadPool();

    private @Nullable IOException clientFailure;
    private @Nullable IOException serverFailure;

    private TlsPair(TlsChannel client, TlsChannel server) {
        this.client = client;
        this.server = server;
    }

    static TlsPair over(ByteChannel client, ByteChannel server, TlsSession clientSession, TlsSession serverSession) {
        return new TlsPair(new TlsChannel(client, clientSession), new TlsChannel(server, serverSession));
    }

    static TlsPair of(TlsSession client, TlsSession server) throws IOException {
        Pipes pipes = Pipes.open();
        return over(pipes.one(), pipes.other(), client, server);
    }

    /** Lets both come to terms; a side that fails is closed, as its owner has to. */
    TlsPair shake() throws Exception {
        Future<@Nullable IOException> other = threads.submit(() -> handshake(server));
        clientFailure = handshake(client);
        serverFailure = other.get();
        return this;
    }

    /** Shakes hands, which has to succeed. */
    TlsPair shaken() throws Exception {
        shake();
        if (clientFailure != null || serverFailure != null) {
            AssertionError failed = new AssertionError("client: " + clientFailure + ", server: " + serverFailure);
            for (IOException failure : new IOException[] {clientFailure, serverFailure}) {
                if (failure != null) {
                    failed.addSuppressed(failure);
                }
            }
            throw failed;
        }
        return this;
    }

    String clientFailure() {
        return String.valueOf(clientFailure);
    }

    String serverFailure() {
        return String.valueOf(serverFailure);
    }

    <T> Future<T> background(Callable<T> task) {
        return threads.submit(task);
    }

    /** Returns what a background task threw. */
    static Throwable failureOf(Future<?> task) throws InterruptedException {
        try {
            return new AssertionError("it succeeded: " + task.get());
        } catch (ExecutionException e) {
            return e.getCause() == null ? e : e.getCause();
        }
    }

    /** Reads so many bytes as text. */
    static String read(ReadableByteChannel from, int bytes) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(bytes);
        int length = 0;
        while (into.hasRemaining() && length >= 0) {
            length = from.read(into);
        }
        return StandardCharsets.US_ASCII.decode(into.flip()).toString();
    }

    static ByteBuffer text(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }

    private static @Nullable IOException handshake(TlsChannel channel) throws IOException {
        try {
            channel.handshake();
            return null;
        } catch (IOException e) {
            channel.close();
            return e;
        }
    }

    @Override
    public void close() throws IOException {
        try (client) {
            server.close();
        } finally {
            threads.shutdownNow();
        }
    }
}
