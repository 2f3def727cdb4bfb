package dev.platter.nbd.server;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Looking for requests before sleeping for them. */
@Timeout(60)
class RequestPollingTest {
    private static final long FOR_EVER = TimeUnit.HOURS.toNanos(1);

    private final Semaphore processors = new Semaphore(1);
    private SocketChannel client;
    private SocketChannel server;

    @BeforeEach
    void connect(@TempDir Path folder) throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("s"));
        try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listening.bind(address);
            client = SocketChannel.open(address);
            server = listening.accept();
        }
    }

    @AfterEach
    void disconnect() throws IOException {
        client.close();
        server.close();
    }

    @Test
    void sleepsForTheFirstRequest() throws Exception {
        RequestPolling polling = new RequestPolling(server, new Semaphore(0), FOR_EVER);
        CompletableFuture<String> request = reading(polling);

        send("first");

        assertThat(request.get()).isEqualTo("first");
        assertThat(server.isBlocking()).isTrue();
    }

    @Test
    void looksForTheRequestBehindOneThatCameAtOnce() throws Exception {
        RequestPolling polling = warm(FOR_EVER);
        CompletableFuture<String> request = reading(polling);
        awaitPolling();

        send("second");

        assertThat(request.get()).isEqualTo("second");
        assertThat(processors.availablePermits()).isEqualTo(1);
        assertThat(server.isBlocking()).isTrue();
    }

    @Test
    void sleepsOnceItHasLookedForLongEnough() throws Exception {
        RequestPolling polling = warm(TimeUnit.MILLISECONDS.toNanos(500));
        CompletableFuture<String> request = reading(polling);
        while (processors.availablePermits() == 1 && !request.isDone()) {
            Thread.onSpinWait();
        }
        while (processors.availablePermits() == 0) {
            Thread.onSpinWait();
        }

        send("late");

        assertThat(request.get()).isEqualTo("late");
        assertThat(server.isBlocking()).isTrue();
    }

    @Test
    void doesNotLookWhileOthersHaveTheProcessors() throws Exception {
        RequestPolling polling = warm(FOR_EVER);
        processors.acquire();
        send("second");

        assertThat(reading(polling).get()).isEqualTo("second");
        assertThat(processors.availablePermits()).isZero();
    }

    @Test
    void tellsTheEndOfTheClient() throws Exception {
        RequestPolling polling = warm(FOR_EVER);
        CompletableFuture<String> request = reading(polling);
        awaitPolling();

        client.close();

        assertThat(request.get()).isEqualTo("end");
    }

    @Test
    void endsWhenTheSocketIsClosedMeanwhile() throws Exception {
        RequestPolling polling = warm(FOR_EVER);
        CompletableFuture<String> request = reading(polling);
        awaitPolling();

        server.close();

        assertThatThrownBy(request::get)
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(ClosedChannelException.class);
        assertThat(processors.availablePermits()).isEqualTo(1);
    }

    @Test
    void aServerLooksForAMillisecondAtMost() {
        ServerLimits limits = ServerLimits.defaults();

        assertThat(limits.withPolling(Duration.ZERO).polling()).isZero();
        assertThatThrownBy(() -> limits.withPolling(Duration.ofMillis(2)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("polling: PT0.002S is not from 0 to 1 ms");
    }

    /** One whose last request was there already when it was asked for. */
    private RequestPolling warm(long longestNanos) throws IOException {
        RequestPolling polling = new RequestPolling(server, processors, longestNanos);
        send("first");
        assertThat(read(polling)).isEqualTo("first");
        return polling;
    }

    private void send(String text) throws IOException {
        client.write(ByteBuffer.wrap(text.getBytes(UTF_8)));
    }

    private void awaitPolling() {
        while (server.isBlocking()) {
            Thread.onSpinWait();
        }
    }

    private static CompletableFuture<String> reading(RequestPolling polling) {
        CompletableFuture<String> result = new CompletableFuture<>();
        new Thread(() -> {
                    try {
                        result.complete(read(polling));
                    } catch (IOException e) {
                        result.completeExceptionally(e);
                    }
                })
                .start();
        return result;
    }

    private static String read(RequestPolling polling) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(64);
        return polling.read(into) < 0 ? "end" : new String(into.array(), 0, into.position(), UTF_8);
    }
}
