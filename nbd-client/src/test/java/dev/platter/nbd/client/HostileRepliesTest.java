package dev.platter.nbd.client;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.Durability;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.ReplyHeader;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Collections;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Servers that lie about what they send: each lie ends its connection, with words, and no wrong byte is believed. */
@Timeout(60)
class HostileRepliesTest {
    private static final NbdClientOptions OPTIONS =
            NbdClientOptions.builder().writable(true).build();

    private static final int NONE = ChunkTypes.NONE;
    private static final int DATA = ChunkTypes.OFFSET_DATA;
    private static final int HOLE = ChunkTypes.OFFSET_HOLE;
    private static final int STATUS = ChunkTypes.BLOCK_STATUS;
    private static final int ERROR = ChunkTypes.ERROR;
    private static final int ERROR_OFFSET = ChunkTypes.ERROR_OFFSET;

    private static final long OFFSET = 8192;
    private static final int LENGTH = 4096;

    /** What a server answers to a read of 4096 bytes at 8192, or another request. */
    @FunctionalInterface
    interface Reply {
        void send(FakeServer server, long cookie) throws IOException;
    }

    /** What a client asks. */
    @FunctionalInterface
    interface Question {
        void ask(NbdExport export) throws IOException;
    }

    private static Arguments row(String name, String message, Reply reply) {
        return Arguments.of(name, message, reply);
    }

    private static byte[] bytes(int count) {
        return new byte[count];
    }

    static Stream<Arguments> repliesToARead() {
        return Stream.of(
                row("no data", "brings only 0 bytes", (s, c) -> s.chunk(true, NONE, c)),
                row("half the data", "brings only 2048 bytes", (s, c) -> s.chunk(true, DATA, c, OFFSET, bytes(2048))),
                row("a gap", "brings only 4095 bytes", (s, c) -> {
                    s.chunk(false, DATA, c, OFFSET, bytes(2047));
                    s.chunk(true, DATA, c, OFFSET + 2048, bytes(2048));
                }),
                row("data twice", "brings bytes twice", (s, c) -> {
                    s.chunk(false, DATA, c, OFFSET, bytes(4096));
                    s.chunk(true, DATA, c, OFFSET, bytes(4096));
                }),
                row("data and a hole that overlap", "brings bytes twice", (s, c) -> {
                    s.chunk(false, HOLE, c, OFFSET, 4096);
                    s.chunk(true, DATA, c, OFFSET + 4095, bytes(1));
                }),
                row(
                        "data before the request",
                        "in the reply to a read",
                        (s, c) -> s.chunk(true, DATA, c, OFFSET - 1, bytes(4096))),
                row(
                        "data behind the request",
                        "in the reply to a read",
                        (s, c) -> s.chunk(true, DATA, c, OFFSET + 1, bytes(4096))),
                row("data far away", "in the reply to a read", (s, c) -> s.chunk(true, DATA, c, -1L, bytes(512))),
                row(
                        "data that wrap around",
                        "in the reply to a read",
                        (s, c) -> s.chunk(true, DATA, c, Long.MIN_VALUE + OFFSET, bytes(512))),
                row(
                        "more data than asked for",
                        "with 4105 bytes",
                        (s, c) -> s.chunk(true, DATA, c, OFFSET, bytes(4097))),
                row("data of 4 GiB", "with 4294967295 bytes", (s, c) -> s.header(true, DATA, c, 0xffff_ffffL)),
                row("data without data", "with 8 bytes", (s, c) -> s.chunk(true, DATA, c, OFFSET)),
                row("data without an offset", "with 4 bytes", (s, c) -> s.chunk(true, DATA, c, 1)),
                row("a hole of no bytes", "hole of no bytes", (s, c) -> s.chunk(true, HOLE, c, OFFSET, 0)),
                row(
                        "a hole that is too long",
                        "in the reply to a read",
                        (s, c) -> s.chunk(true, HOLE, c, OFFSET, 4097)),
                row("a hole of 4 GiB", "in the reply to a read", (s, c) -> s.chunk(true, HOLE, c, OFFSET, -1)),
                row("a hole elsewhere", "in the reply to a read", (s, c) -> s.chunk(true, HOLE, c, 0L, 4096)),
                row("half a hole", "with 8 bytes", (s, c) -> s.chunk(true, HOLE, c, OFFSET)),
                row("a long hole chunk", "with 13 bytes", (s, c) -> s.chunk(true, HOLE, c, OFFSET, 4096, bytes(1))),
                row("a chunk of no known type", "unknown type 77", (s, c) -> s.chunk(true, 77, c)),
                row(
                        "block status",
                        "answers a BLOCK_STATUS",
                        (s, c) -> s.chunk(true, STATUS, c, FakeServer.CONTEXT, LENGTH, 0)),
                row("a cookie that nobody has", "cookie", (s, c) -> s.chunk(true, DATA, c + 64, OFFSET, bytes(4096))),
                row("a cookie of a slot that is free", "cookie", (s, c) -> s.chunk(true, NONE, c + 1)),
                row("a cookie of no slot", "cookie", (s, c) -> s.chunk(true, NONE, -1)),
                row("an empty chunk that is not the last", "not the last", (s, c) -> s.chunk(false, NONE, c)),
                row("an empty chunk that is not empty", "with 1 bytes", (s, c) -> s.chunk(true, NONE, c, bytes(1))),
                row(
                        "a text longer than its chunk",
                        "error text of 2 bytes",
                        (s, c) -> s.chunk(true, ERROR, c, 5, (short) 2, bytes(1))),
                row(
                        "a text that is too long",
                        "error text of 4097 bytes",
                        (s, c) -> s.chunk(true, ERROR, c, 5, (short) 4097, bytes(4097))),
                row("an error without room for one", "with 5 bytes", (s, c) -> s.chunk(true, ERROR, c, 5, bytes(1))),
                row("an error of 4 GiB", "with 4294967295 bytes", (s, c) -> s.header(true, ERROR, c, 0xffff_ffffL)),
                row(
                        "an error with an offset but no room",
                        "with 13 bytes",
                        (s, c) -> s.chunk(true, ERROR_OFFSET, c, 5, (short) 0, bytes(7))),
                row(
                        "an error elsewhere",
                        "in the reply to a read",
                        (s, c) -> s.chunk(true, ERROR_OFFSET, c, 5, (short) 0, OFFSET + 4096)),
                row(
                        "an error before the request",
                        "in the reply to a read",
                        (s, c) -> s.chunk(true, ERROR_OFFSET, c, 5, (short) 0, OFFSET - 1)),
                row(
                        "a text that reaches into the offset",
                        "error text of 3 bytes",
                        (s, c) -> s.chunk(true, ERROR_OFFSET, c, 5, (short) 3, OFFSET, bytes(2))),
                row(
                        "an unknown error with a text longer than it",
                        "error text of 9 bytes",
                        (s, c) -> s.chunk(true, 0x8077, c, 5, (short) 9, bytes(8))),
                row("errors without end", "more than 100 errors", (s, c) -> {
                    while (true) {
                        s.chunk(false, ERROR, c, 5, (short) 0);
                    }
                }),
                row("pieces without need", "more than 1024 pieces", (s, c) -> {
                    for (int i = 0; i < LENGTH; i += 2) {
                        s.chunk(false, DATA, c, OFFSET + i, bytes(1));
                    }
                }),
                row("a simple reply", "needs a structured one", (s, c) -> {
                    s.simple(0, c);
                    s.send(ByteBuffer.allocate(LENGTH));
                }),
                row("a simple error", "needs a structured one", (s, c) -> s.simple(5, c)),
                row("an extended reply", "in the extended form", (s, c) -> {
                    ByteBuffer out = ByteBuffer.allocate(32);
                    ReplyHeader.putExtended(out, 1, NONE, c, OFFSET, 0);
                    s.send(out.flip());
                }),
                row(
                        "no reply at all",
                        "0x00000000 where a reply should begin",
                        (s, c) -> s.send(ByteBuffer.allocate(4))),
                row("a request", "0x25609513 where a reply should begin", (s, c) -> s.send(0x2560_9513)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void repliesToARead(String name, String message, Reply reply) throws Exception {
        assertDies(message, reply, export -> export.read(OFFSET, ByteBuffer.allocateDirect(LENGTH)));
        assertDies(message, reply, export -> export.read(OFFSET, ByteBuffer.allocate(LENGTH)));
    }

    static Stream<Arguments> repliesToAStatusQuery() {
        int context = FakeServer.CONTEXT;
        return Stream.of(
                row(
                        "a range of no bytes",
                        "block status of 0 bytes",
                        (s, c) -> s.chunk(true, STATUS, c, context, 0, 0)),
                row("another context", "was not agreed on", (s, c) -> s.chunk(true, STATUS, c, context + 1, LENGTH, 0)),
                row("no context", "leaves out metadata contexts", (s, c) -> s.chunk(true, NONE, c)),
                row("a context twice", "comes twice", (s, c) -> {
                    s.chunk(false, STATUS, c, context, LENGTH, 0);
                    s.chunk(true, STATUS, c, context, LENGTH, 0);
                }),
                row("half a range", "with 14 bytes", (s, c) -> s.chunk(true, STATUS, c, context, LENGTH, 0, (short) 0)),
                row("no range", "with 4 bytes", (s, c) -> s.chunk(true, STATUS, c, context)),
                row(
                        "a range behind the request",
                        "goes on behind",
                        (s, c) -> s.chunk(true, STATUS, c, context, LENGTH, 0, 1, 0)),
                row("too many ranges", "with 8388620 bytes", (s, c) -> s.header(true, STATUS, c, 8_388_620)),
                row("ranges of 4 GiB", "with 4294967292 bytes", (s, c) -> s.header(true, STATUS, c, 0xffff_fffcL)),
                row(
                        "the extended form",
                        "not agreed on",
                        (s, c) -> s.chunk(true, ChunkTypes.BLOCK_STATUS_EXT, c, context, 1, (long) LENGTH, 0L)),
                row("data", "answers a READ", (s, c) -> s.chunk(true, DATA, c, OFFSET, bytes(4096))),
                row("a simple success", "needs a structured one", (s, c) -> s.simple(0, c)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void repliesToAStatusQuery(String name, String message, Reply reply) throws Exception {
        assertDies(
                message,
                reply,
                export -> export.status(
                        BlockStatusSource.BASE_ALLOCATION, OFFSET, LENGTH, (offset, length, status) -> true));
    }

    @Test
    void twoRangesWhereOneWasAskedForEndTheConnection() throws Exception {
        assertDies(
                "goes on behind",
                (s, c) -> s.chunk(true, STATUS, c, FakeServer.CONTEXT, 512, 0, 512, 1),
                export -> export.statusAt(BlockStatusSource.BASE_ALLOCATION, OFFSET, (offset, length, status) -> true));
    }

    @Test
    void rangeLongerThanTheOneThatWasAskedForEndsTheConnection() throws Exception {
        assertDies(
                "at most",
                (s, c) -> s.chunk(true, STATUS, c, FakeServer.CONTEXT, (int) FakeServer.SIZE, 0),
                export -> export.statusAt(BlockStatusSource.BASE_ALLOCATION, OFFSET, (offset, length, status) -> true));
    }

    @Test
    void twoChunksWhereOnePieceWasAskedForEndTheConnection() throws Exception {
        assertDies(
                "a second chunk",
                (s, c) -> {
                    s.chunk(false, DATA, c, OFFSET, bytes(2048));
                    s.chunk(true, DATA, c, OFFSET + 2048, bytes(2048));
                },
                export -> export.readInOnePiece(OFFSET, ByteBuffer.allocate(LENGTH)));
    }

    @Test
    void dataInReplyToAWriteEndTheConnection() throws Exception {
        assertDies(
                "answers a READ",
                (s, c) -> s.chunk(true, DATA, c, OFFSET, bytes(512)),
                export -> export.discard(OFFSET, LENGTH));
    }

    /** Another request waits meanwhile: it fails with the same words. */
    private static void assertDies(String message, Reply reply, Question question) throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            s.next();
            reply.send(s, s.request.cookie());
            s.awaitEnd();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            CompletableFuture<Void> other = export.readAsync(0, ByteBuffer.allocate(512));

            assertThatThrownBy(() -> question.ask(export))
                    .isInstanceOf(ProtocolException.class)
                    .hasMessageStartingWith("NBD export: the server breaks the protocol: ")
                    .hasMessageContaining(message);

            assertSameEnd(message, other, export);
        }
        server.join();
    }

    private static void assertSameEnd(String message, CompletableFuture<Void> other, NbdExport export) {
        assertThatThrownBy(() -> other.get(30, TimeUnit.SECONDS))
                .isInstanceOf(ExecutionException.class)
                .cause()
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message);
        assertThatThrownBy(() -> export.read(0, ByteBuffer.allocate(1)))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message);
    }

    @Test
    void chunkAfterTheLastOneEndsTheConnection() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            s.chunk(true, HOLE, s.request.cookie(), OFFSET, LENGTH);
            s.chunk(true, HOLE, s.request.cookie(), OFFSET, LENGTH);
            s.awaitEnd();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            export.read(OFFSET, ByteBuffer.allocate(LENGTH));
            server.join();

            assertThatThrownBy(() -> export.read(0, ByteBuffer.allocate(1)))
                    .isInstanceOf(ProtocolException.class)
                    .hasMessageContaining("cookie");
        }
    }

    @Test
    void chunkWhereSimpleRepliesWereAgreedOnEndsTheConnection() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.replies = ReplyHeader.Form.SIMPLE;
            s.open();
            s.next();
            s.chunk(true, DATA, s.request.cookie(), OFFSET, bytes(LENGTH));
            s.awaitEnd();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertThatThrownBy(() -> export.read(OFFSET, ByteBuffer.allocate(LENGTH)))
                    .isInstanceOf(ProtocolException.class)
                    .hasMessageContaining("in the structured form");
        }
        server.join();
    }

    static Stream<Arguments> brokenOff() {
        return Stream.of(
                row("nothing", "the server closed the connection", (s, c) -> {}),
                row("half a header", "in the middle of a message", (s, c) -> s.send(0x668e_33ef)),
                row("half the data", "in the middle of a message", (s, c) -> {
                    s.header(true, DATA, c, LENGTH + 8);
                    s.send(OFFSET, bytes(2048));
                }),
                row("half a hole", "in the middle of a message", (s, c) -> s.header(true, HOLE, c, 12)),
                row("half an error", "in the middle of a message", (s, c) -> {
                    s.header(true, ERROR, c, 16);
                    s.send(5, (short) 10, bytes(4));
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void brokenOff(String name, String message, Reply reply) throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            s.next();
            reply.send(s, s.request.cookie());
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            CompletableFuture<Void> other = export.readAsync(0, ByteBuffer.allocate(512));

            assertThatThrownBy(() -> export.read(OFFSET, ByteBuffer.allocate(LENGTH)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining(message);

            assertSameEnd(message, other, export);
        }
        server.join();
    }

    @Test
    void unknownErrorFailsItsRequestAlone() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            s.chunk(false, DATA, s.request.cookie(), OFFSET, bytes(512));
            s.chunk(true, 0x8077, s.request.cookie(), 28, (short) 4, "full".getBytes(UTF_8), bytes(99));
            s.disk = bytes((int) FakeServer.SIZE);
            s.serve();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertThatThrownBy(() -> export.read(OFFSET, ByteBuffer.allocate(LENGTH)))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NO_SPACE))
                    .hasMessageContaining("read of 4096 at 8192")
                    .hasMessageContaining("\"full\"");
            export.read(OFFSET, ByteBuffer.allocate(LENGTH));
        }
        server.join();
    }

    @Test
    void firstOfSeveralErrorsCountsAndDataBesideThemAreNotBelieved() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            long cookie = s.request.cookie();
            s.chunk(false, ERROR_OFFSET, cookie, NbdError.EIO.number(), (short) 3, "bad".getBytes(UTF_8), OFFSET);
            s.chunk(false, ERROR, cookie, NbdError.ENOSPC.number(), (short) 5, "worse".getBytes(UTF_8));
            s.chunk(true, DATA, cookie, OFFSET, bytes(LENGTH));
            s.disk = bytes((int) FakeServer.SIZE);
            s.serve();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertThatThrownBy(() -> export.read(OFFSET, ByteBuffer.allocate(LENGTH)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("\"bad\"");
            export.read(OFFSET, ByteBuffer.allocate(LENGTH));
        }
        server.join();
    }

    @Test
    void textOfAnErrorIsShownEscaped() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            s.chunk(true, ERROR, s.request.cookie(), 0, (short) 6, "\u001b[2Jx\n".getBytes(UTF_8));
            s.next();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertThatThrownBy(() -> export.read(OFFSET, ByteBuffer.allocate(LENGTH)))
                    .hasMessageContaining("invalid argument")
                    .hasMessageContaining("\\x1b[2Jx\\x0a");
        }
        server.join();
    }

    @Test
    void silenceEndsTheConnectionWhenTheTimeIsUp() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.awaitEnd();
        });
        assertTimesOut(server);
    }

    @Test
    void tricklingDataDoNotHoldTheTimeUp() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            s.header(true, DATA, s.request.cookie(), LENGTH + 8);
            s.send(OFFSET);
            while (!s.gone.await(5, TimeUnit.MILLISECONDS)) {
                s.send(bytes(1));
            }
        });
        assertTimesOut(server);
    }

    @Test
    void serverThatDoesNotReadEndsWhenTheTimeIsUp() throws Exception {
        FakeServer server = new FakeServer(MemoryChannel.pair(1 << 16), s -> {
            s.open();
            s.gone.await();
        });
        NbdClientOptions options = NbdClientOptions.builder()
                .writable(true)
                .requestTimeout(Duration.ofMillis(200))
                .build();
        try (NbdExport export = NbdClient.attach(server.client, "", options)) {
            assertThatThrownBy(() -> export.write(0, ByteBuffer.allocate(1 << 20), Durability.NONE))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.TIMEOUT))
                    .hasMessageContaining("write of 1048576 at 0");
        }
        server.gone.countDown();
    }

    private static void assertTimesOut(FakeServer server) throws Exception {
        NbdClientOptions options = NbdClientOptions.builder()
                .requestTimeout(Duration.ofMillis(200))
                .build();
        try (NbdExport export = NbdClient.attach(server.client, "", options)) {
            assertThatThrownBy(() -> export.read(OFFSET, ByteBuffer.allocateDirect(LENGTH)))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.TIMEOUT))
                    .hasMessageContaining("within 200 ms")
                    .hasMessageContaining("read of 4096 at 8192");
        }
        server.join();
    }

    @Test
    void repliesWithoutRequestsEndTheConnection() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            for (Object ignored : Collections.nCopies(100, 0)) {
                s.simple(0, 1);
            }
            s.awaitEnd();
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            server.join();

            assertThatThrownBy(() -> export.flush())
                    .isInstanceOf(ProtocolException.class)
                    .hasMessageContaining("cookie");
        }
    }

    @Test
    void serverThatShutsDownIsLeftWhenItsOtherRepliesAreThere() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.open();
            s.next();
            long first = s.request.cookie();
            s.next();
            s.fail(NbdError.ESHUTDOWN);
            s.chunk(true, HOLE, first, 0L, 512);
            s.next();
            assertThat(s.request).hasToString("DISC of 0 bytes at 0");
        });
        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            CompletableFuture<Void> first = export.readAsync(0, ByteBuffer.allocate(512));
            ThrowingCallable read = () -> export.read(OFFSET, ByteBuffer.allocate(LENGTH));

            assertThatThrownBy(read)
                    .isInstanceOfSatisfying(
                            BlockIOException.class,
                            e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.SHUTDOWN));
            first.get(30, TimeUnit.SECONDS);
            server.join();
            assertThatThrownBy(read).hasMessageContaining("shutting down");
        }
    }
}
