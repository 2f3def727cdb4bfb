package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.Commands;
import dev.platter.testkit.Contents;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousCloseException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Requests of many threads on one connection: replies in any order, threads that leave, ends of all kinds. */
@Timeout(120)
class ConnectionTest {
    private static final NbdClientOptions OPTIONS =
            NbdClientOptions.builder().writable(true).build();

    @TempDir
    Path folder;

    /** What a connection goes through. */
    enum Way {
        MEMORY,
        SOCKET
    }

    private FakeServer server(Way way, FakeServer.Script script) throws IOException {
        if (way == Way.MEMORY) {
            return new FakeServer(script);
        }
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("s"));
        try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listening.bind(address);
            ByteChannel client = SocketChannel.open(address);
            return new FakeServer(listening.accept(), client, script);
        }
    }

    private static FakeServer.Script disk(FakeServer.Script then) {
        return s -> {
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.open();
            then.run(s);
        };
    }

    private static void data(FakeServer s, boolean done, long cookie, long offset, int length) throws IOException {
        s.chunk(done, ChunkTypes.OFFSET_DATA, cookie, offset, TestBytes.of(offset, length));
    }

    @ParameterizedTest
    @EnumSource
    void repliesComeInAnyOrderAndInTurns(Way way) throws Exception {
        FakeServer server = server(way, disk(s -> {
            long[] cookies = new long[3];
            for (int i = 0; i < 3; i++) {
                s.next();
                cookies[(int) (s.request.offset() / 100_000)] = s.request.cookie();
            }
            data(s, false, cookies[2], 250_000, 50_000);
            data(s, false, cookies[1], 100_000, 50_000);
            data(s, false, cookies[2], 200_000, 50_000);
            data(s, true, cookies[0], 0, 100_000);
            data(s, true, cookies[1], 150_000, 50_000);
            s.chunk(true, ChunkTypes.NONE, cookies[2]);
            s.next();
        }));
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            List<ByteBuffer> buffers = new ArrayList<>();
            List<CompletableFuture<Void>> reads = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                buffers.add(i == 1 ? ByteBuffer.allocate(100_000) : ByteBuffer.allocateDirect(100_000));
                reads.add(export.readAsync(100_000L * i, buffers.get(i)));
            }
            for (int i = 0; i < 3; i++) {
                reads.get(i).get(30, TimeUnit.SECONDS);
                Contents.testBytes(FakeServer.SIZE).assertMatch(100_000L * i, buffers.get(i), "read " + i);
            }
        }
        server.join();
    }

    @ParameterizedTest
    @EnumSource
    void interruptedThreadLeavesItsBufferAloneAndTheConnectionAlive(Way way) throws Exception {
        CountDownLatch half = new CountDownLatch(1);
        CountDownLatch left = new CountDownLatch(1);
        FakeServer server = server(way, disk(s -> {
            s.next();
            long cookie = s.request.cookie();
            s.header(true, ChunkTypes.OFFSET_DATA, cookie, 200_008);
            s.send(0L, TestBytes.of(0, 3000));
            half.countDown();
            left.await();
            s.send(ByteBuffer.wrap(TestBytes.of(3000, 197_000)));
            s.serve();
        }));
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            ByteBuffer buffer = ByteBuffer.allocateDirect(200_000);
            Throwable[] thrown = {null};
            boolean[] flag = {false};
            Thread victim = new Thread(() -> {
                try {
                    export.read(0, buffer);
                } catch (IOException e) {
                    thrown[0] = e;
                }
                flag[0] = Thread.currentThread().isInterrupted();
            });
            victim.start();
            half.await();

            victim.interrupt();
            victim.join();

            assertThat(thrown[0]).isInstanceOf(ClosedByInterruptException.class);
            assertThat(flag[0]).isTrue();
            assertThat(buffer.limit()).isEqualTo(200_000);
            byte[] marks = new byte[200_000];
            java.util.Arrays.fill(marks, (byte) 0x5a);
            buffer.clear().put(marks);
            left.countDown();
            Contents.testBytes(FakeServer.SIZE).assertRead(export, 100_000, 100_000);
            assertThat(buffer.flip()).isEqualTo(ByteBuffer.wrap(marks));
        }
        server.join();
    }

    @ParameterizedTest
    @EnumSource
    void slotOfAThreadThatLeftIsUsedAgainWhenItsReplyWasThere(Way way) throws Exception {
        int rounds = 200;
        CountDownLatch go = new CountDownLatch(1);
        FakeServer server = server(way, disk(s -> {
            List<Long> owed = new ArrayList<>();
            for (int i = 0; i < 3; i++) {
                s.next();
                owed.add(s.request.cookie());
            }
            go.await();
            for (long cookie : owed) {
                data(s, true, cookie, 0, 512);
            }
            s.serve();
        }));
        NbdClientOptions few = NbdClientOptions.builder().requestsInFlight(4).build();
        try (NbdExport export = NbdClient.attach(server.client, "", few)) {
            for (int i = 0; i < 3; i++) {
                Thread victim = new Thread(() -> {
                    try {
                        export.read(0, ByteBuffer.allocate(512));
                    } catch (IOException e) {
                        // as it should be
                        Thread.currentThread().interrupt();
                    }
                });
                victim.start();
                while (server.log.size() < 1 + i) {
                    Thread.onSpinWait();
                }
                victim.interrupt();
                victim.join();
            }
            go.countDown();

            for (int i = 0; i < rounds; i++) {
                Contents.testBytes(FakeServer.SIZE).assertRead(export, 512L * i, 512);
            }
        }
        server.join();
    }

    @Test
    void interruptedThreadThatWaitsForASlotIsTurnedAway() throws Exception {
        FakeServer server = new FakeServer(disk(FakeServer::awaitEnd));
        NbdClientOptions one = NbdClientOptions.builder().requestsInFlight(1).build();
        NbdExport export = NbdClient.attach(server.client, "", one);
        CompletableFuture<Void> first = export.readAsync(0, ByteBuffer.allocate(512));
        Throwable[] thrown = {null};
        Thread victim = new Thread(() -> {
            try {
                export.read(0, ByteBuffer.allocate(512));
            } catch (IOException e) {
                thrown[0] = e;
            }
        });

        victim.start();
        victim.interrupt();
        victim.join();

        assertThat(thrown[0]).isInstanceOf(ClosedByInterruptException.class);
        assertThat(first).isNotDone();
        server.close();
        assertThatThrownBy(() -> first.get(30, TimeUnit.SECONDS)).hasMessageContaining("closed the connection");
        export.close();
    }

    /** The socket takes some hundred KiB; the server reads the rest only when the thread was interrupted. */
    @Test
    void interruptedThreadWritesToTheEndWhatItBegan() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch interrupted = new CountDownLatch(1);
        FakeServer server = server(Way.SOCKET, disk(s -> {
            s.next();
            begun.countDown();
            interrupted.await();
            s.answer();
            s.serve();
        }));
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            ByteBuffer from = ByteBuffer.allocateDirect((int) FakeServer.SIZE);
            TestBytes.fill(1 << 30, from);
            Throwable[] thrown = {null};
            boolean[] flag = {false};
            Thread victim = new Thread(() -> {
                try {
                    export.write(0, from.flip(), Durability.NONE);
                } catch (IOException e) {
                    thrown[0] = e;
                }
                flag[0] = Thread.currentThread().isInterrupted();
            });
            victim.start();
            begun.await();
            victim.interrupt();
            interrupted.countDown();
            victim.join();

            assertThat(flag[0]).isTrue();
            if (thrown[0] != null) {
                assertThat(thrown[0]).isInstanceOf(ClosedByInterruptException.class);
            }
            Contents.testBytes((1 << 30) + FakeServer.SIZE)
                    .slice(1 << 30, FakeServer.SIZE)
                    .assertAll(export);
        }
        server.join();
    }

    @ParameterizedTest
    @EnumSource
    void whenTheServerDiesAllRequestsFailWithOneMessage(Way way) throws Exception {
        int threads = 8;
        FakeServer server = server(way, disk(s -> {
            for (int i = 0; i < threads; i++) {
                s.next();
            }
        }));
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            ExecutorService readers = Executors.newFixedThreadPool(threads);
            try {
                List<Future<?>> reads = new ArrayList<>();
                for (int i = 0; i < threads; i++) {
                    reads.add(readers.submit(() -> {
                        export.read(0, ByteBuffer.allocate(512));
                        return null;
                    }));
                }
                for (Future<?> read : reads) {
                    assertThatThrownBy(() -> read.get(30, TimeUnit.SECONDS))
                            .isInstanceOf(ExecutionException.class)
                            .cause()
                            .isInstanceOf(BlockIOException.class)
                            .hasMessage("NBD export: the server closed the connection");
                }
            } finally {
                readers.shutdownNow();
            }
            assertThatThrownBy(() -> export.read(0, ByteBuffer.allocate(512)))
                    .hasMessage("NBD export: the server closed the connection");
        }
        server.join();
    }

    @Test
    void closingWaitsForRepliesThatAreToCome() throws Exception {
        CountDownLatch closing = new CountDownLatch(1);
        FakeServer server = new FakeServer(disk(s -> {
            s.next();
            closing.await();
            s.answer();
            s.next();
            assertThat(s.request.type()).isEqualTo(Commands.DISC);
        }));
        NbdExport export = NbdClient.attach(server.client, "", OPTIONS);
        CompletableFuture<Void> write = export.writeAsync(0, ByteBuffer.allocate(512), Durability.NONE);

        Thread closer = new Thread(export::close);
        closer.start();
        while (!isRefused(export)) {
            Thread.onSpinWait();
        }
        closing.countDown();
        closer.join();

        write.get(30, TimeUnit.SECONDS);
        server.join();
    }

    private static boolean isRefused(NbdExport export) throws IOException {
        try {
            export.read(0, ByteBuffer.allocate(0));
            return false;
        } catch (ClosedChannelException e) {
            return true;
        }
    }

    @Test
    void interruptedCloserDoesNotWait() throws Exception {
        FakeServer server = new FakeServer(disk(FakeServer::awaitEnd));
        NbdExport export = NbdClient.attach(server.client, "", OPTIONS);
        CompletableFuture<Void> read = export.readAsync(0, ByteBuffer.allocate(512));

        Thread.currentThread().interrupt();
        export.close();

        assertThat(Thread.interrupted()).isTrue();
        assertThatThrownBy(() -> read.get(30, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .hasCauseInstanceOf(AsynchronousCloseException.class);
        server.join();
    }

    @ParameterizedTest
    @EnumSource
    void manyRequestsOfManyThreadsAllGetTheirOwnBytes(Way way) throws Exception {
        FakeServer server = server(way, disk(FakeServer::serve));
        NbdClientOptions few = NbdClientOptions.builder().requestsInFlight(5).build();
        try (NbdExport export = NbdClient.attach(server.client, "", few)) {
            ExecutorService readers = Executors.newFixedThreadPool(8);
            try {
                List<Future<?>> all = new ArrayList<>();
                for (int thread = 0; thread < 8; thread++) {
                    int seed = thread;
                    all.add(readers.submit(() -> {
                        for (int i = 0; i < 300; i++) {
                            int length = 1 + (i * 37 + seed) % 5000;
                            long offset = (i * 7919L * (seed + 1)) % (FakeServer.SIZE - length);
                            Contents.testBytes(FakeServer.SIZE).assertRead(export, offset, length);
                        }
                        return null;
                    }));
                }
                for (Future<?> one : all) {
                    one.get(60, TimeUnit.SECONDS);
                }
            } finally {
                readers.shutdownNow();
            }
        }
        server.join();
    }

    @Test
    void completionsThatAskAgainInTheReadersThreadDoNotStop() throws Exception {
        FakeServer server = new FakeServer(disk(FakeServer::serve));
        NbdClientOptions direct = NbdClientOptions.builder()
                .requestsInFlight(1)
                .completions(Runnable::run)
                .build();
        try (NbdExport export = NbdClient.attach(server.client, "", direct)) {
            CompletableFuture<Void> end = new CompletableFuture<>();
            readOn(export, 200, end);

            end.get(30, TimeUnit.SECONDS);
        }
        server.join();
    }

    @SuppressWarnings("FutureReturnValueIgnored") // its end is that of the chain
    private static void readOn(NbdExport export, int more, CompletableFuture<Void> end) {
        try {
            export.readAsync(0, ByteBuffer.allocate(512)).whenComplete((nothing, failure) -> {
                if (failure != null) {
                    end.completeExceptionally(failure);
                } else if (more == 0) {
                    end.complete(null);
                } else {
                    readOn(export, more - 1, end);
                }
            });
        } catch (IOException e) {
            end.completeExceptionally(e);
        }
    }

    @Test
    void futureCannotBeCancelledBecauseTheRequestCannot() throws Exception {
        FakeServer server = new FakeServer(disk(FakeServer::serve));
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            ByteBuffer into = ByteBuffer.allocateDirect(512);
            CompletableFuture<Void> read = export.readAsync(0, into);

            read.cancel(true);

            read.get(30, TimeUnit.SECONDS);
            assertThat(into.position()).isZero();
            Contents.testBytes(512).assertMatch(0, into, "read");
        }
        server.join();
    }

    @Test
    void nothingIsAllocatedForARead() throws Exception {
        FakeServer server = server(Way.SOCKET, disk(FakeServer::serve));
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            ByteBuffer into = ByteBuffer.allocateDirect(4096);
            for (int i = 0; i < 20_000; i++) {
                export.read(4096L * (i % 200), into.clear());
            }

            long bytes = CountingAllocation.of(() -> {
                for (int i = 0; i < 1000; i++) {
                    export.read(4096L * (i % 200), into.clear());
                }
            });

            assertThat(bytes).isLessThan(1000 * 8);
        }
        server.join();
    }
}
