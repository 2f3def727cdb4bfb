package dev.platter.nbd.client;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.InfoTypes;
import dev.platter.nbd.protocol.ListedExport;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.OptionReplyHeader;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.tls.TlsCredentials;
import dev.platter.nbd.tls.TlsSession;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/** Servers that break the handshake: each ends in an exception that says how, and in a closed connection. */
@Timeout(60)
class HostileHandshakeTest {
    private static final NbdClientOptions OPTIONS = NbdClientOptions.builder()
            .contexts(List.of("base:allocation", "x:y"))
            .build();

    private static Arguments row(String name, String message, FakeServer.Script script) {
        return Arguments.of(name, message, script);
    }

    /** The contexts are stated, so they are not listed. */
    private static void agree(FakeServer s) throws IOException {
        s.greet();
        s.expect(Options.STRUCTURED_REPLY);
        s.ack(Options.STRUCTURED_REPLY);
        s.setContexts();
    }

    private static Arguments go(String name, String message, FakeServer.Script answer) {
        return row(name, message, s -> {
            agree(s);
            s.expect(Options.GO);
            answer.run(s);
        });
    }

    private static Arguments sizes(String name, String message, int minimum, int preferred, int maximum) {
        return go(
                name,
                message,
                s -> s.send(
                        Magic.OPTION_REPLY,
                        Options.GO,
                        OptionReplies.INFO,
                        14,
                        (short) InfoTypes.BLOCK_SIZE,
                        minimum,
                        preferred,
                        maximum));
    }

    private static Arguments contexts(String name, String message, MetaContext... contexts) {
        return row(name, message, s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.expect(Options.SET_META_CONTEXT);
            for (MetaContext context : contexts) {
                s.reply(Options.SET_META_CONTEXT, OptionReplies.META_CONTEXT, context.bytes());
            }
        });
    }

    static Stream<Arguments> serverBreaksTheProtocol() {
        return Stream.of(
                row("something else", "no NBD server", s -> s.send("SSH-2.0-OpenSSH_".getBytes(US_ASCII))),
                row("half a magic", "names no handshake", s -> s.send(Magic.NBD, 0L)),
                row("the magic of a reply", "no NBD server", s -> s.send(Magic.OPTION_REPLY, Magic.NBD)),
                row("an answer to something else", "reply to GO, asked was STRUCTURED_REPLY", s -> {
                    s.greet();
                    s.expect(Options.STRUCTURED_REPLY);
                    s.ack(Options.GO);
                }),
                row("no answer", "where the reply to an option should begin", s -> {
                    s.greet();
                    s.send(new byte[20]);
                }),
                row("an answer of 2 GiB", "2147483648 bytes", s -> {
                    s.greet();
                    s.send(Magic.OPTION_REPLY, Options.STRUCTURED_REPLY, OptionReplies.ACK, 1 << 31);
                }),
                row("an answer of 64 KiB and a byte", "65537 bytes", s -> {
                    s.greet();
                    s.send(Magic.OPTION_REPLY, Options.STRUCTURED_REPLY, OptionReplies.ERR_UNSUP, 65537);
                }),
                row("an error text that is too long", "error text of 4097 bytes", s -> {
                    s.greet();
                    s.reply(Options.STRUCTURED_REPLY, OptionReplies.ERR_UNSUP, new byte[4097]);
                }),
                row("a reply of no known kind", "unknown reply 0x4d", s -> {
                    s.greet();
                    s.reply(Options.STRUCTURED_REPLY, 77);
                }),
                row("a reply of another kind", "SERVER in reply to STRUCTURED_REPLY", s -> {
                    s.greet();
                    s.reply(Options.STRUCTURED_REPLY, OptionReplies.SERVER, new ListedExport("", "").bytes());
                }),
                contexts("a context that nobody asked for", "nobody asked for", new MetaContext(1, "base:other")),
                contexts(
                        "a context twice",
                        "not unique",
                        new MetaContext(1, "base:allocation"),
                        new MetaContext(2, "base:allocation")),
                contexts(
                        "two contexts of one number",
                        "not unique",
                        new MetaContext(1, "base:allocation"),
                        new MetaContext(1, "x:y")),
                contexts(
                        "contexts without end",
                        "more than 2 replies to SET_META_CONTEXT",
                        new MetaContext(1, "base:allocation"),
                        new MetaContext(2, "x:y"),
                        new MetaContext(3, "x:z")),
                row("a context without a number", "2 bytes of data", s -> {
                    s.greet();
                    s.expect(Options.STRUCTURED_REPLY);
                    s.ack(Options.STRUCTURED_REPLY);
                    s.expect(Options.SET_META_CONTEXT);
                    s.reply(Options.SET_META_CONTEXT, OptionReplies.META_CONTEXT, new byte[2]);
                }),
                go("an export without facts", "are missing", s -> s.ack(Options.GO)),
                go("facts that come twice", "come twice", s -> {
                    s.info(Options.GO, new ExportInfo.Export(512, FakeServer.FLAGS));
                    s.info(Options.GO, new ExportInfo.Export(512, FakeServer.FLAGS));
                }),
                go("facts that are too short", "where 10", s -> s.reply(Options.GO, OptionReplies.INFO, new byte[11])),
                go("facts that are too long", "where 10", s -> s.reply(Options.GO, OptionReplies.INFO, new byte[13])),
                go(
                        "information without a type",
                        "has no type",
                        s -> s.reply(Options.GO, OptionReplies.INFO, new byte[1])),
                go(
                        "a size of 2^63",
                        "9223372036854775808",
                        s -> s.info(Options.GO, new ExportInfo.Export(Long.MIN_VALUE, FakeServer.FLAGS))),
                go(
                        "a size of 2^64-1",
                        "18446744073709551615",
                        s -> s.info(Options.GO, new ExportInfo.Export(-1, FakeServer.FLAGS))),
                go(
                        "flags without the first",
                        "lack the bit",
                        s -> s.info(Options.GO, new ExportInfo.Export(512, FakeServer.FLAGS & ~1))),
                go(
                        "a name with a NUL",
                        "holds a NUL",
                        s -> s.reply(Options.GO, OptionReplies.INFO, (byte) 0, (byte) InfoTypes.NAME, (byte) 0)),
                go(
                        "a description that is not UTF-8",
                        "not UTF-8",
                        s -> s.reply(
                                Options.GO, OptionReplies.INFO, (byte) 0, (byte) InfoTypes.DESCRIPTION, (byte) 0xff)),
                go(
                        "a description that is too long",
                        "longer than 4096",
                        s -> s.info(Options.GO, new ExportInfo.Description("x".repeat(4097)))),
                go("information without end", "more than 1000 replies to GO", s -> {
                    while (true) {
                        s.info(Options.GO, new ExportInfo.Unknown(99));
                    }
                }),
                sizes("blocks of no bytes", "minimum block size 0", 0, 4096, 1 << 20),
                sizes("blocks of 3000 bytes", "minimum block size 3000", 3000, 4096, 1 << 20),
                sizes("blocks of 1 MiB", "minimum block size 1048576", 1 << 20, 1 << 20, 1 << 20),
                sizes("preferred blocks of 5000 bytes", "preferred block size 5000", 1, 5000, 1 << 20),
                sizes("requests of at most 5000 bytes", "maximum block size 5000", 4096, 4096, 5000),
                row("a size of 2^63 by the name", "9223372036854775808", s -> {
                    s.greet(HandshakeFlags.NO_ZEROES);
                    s.expect(Options.EXPORT_NAME);
                    s.send(Long.MIN_VALUE, (short) FakeServer.FLAGS);
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void serverBreaksTheProtocol(String name, String message, FakeServer.Script script) throws Exception {
        FakeServer server = new FakeServer(s -> {
            script.run(s);
            s.awaitEnd();
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", OPTIONS))
                .isInstanceOf(ProtocolException.class)
                .hasMessageStartingWith("NBD export: the server breaks the protocol in the handshake: ")
                .hasMessageContaining(message);
        server.join();
    }

    static Stream<Arguments> listings() {
        return Stream.of(
                row("exports without end", "more than 10000 replies to LIST", s -> {
                    while (true) {
                        s.reply(Options.LIST, OptionReplies.SERVER, new ListedExport("x", "").bytes());
                    }
                }),
                row("long exports without end", "longer than 16777216 bytes together", s -> {
                    byte[] longest = new ListedExport("x".repeat(4096), "y".repeat(4096)).bytes();
                    while (true) {
                        s.reply(Options.LIST, OptionReplies.SERVER, longest);
                    }
                }),
                row(
                        "a name longer than its reply",
                        "4 bytes, where 3",
                        s -> s.reply(
                                Options.LIST,
                                OptionReplies.SERVER,
                                (byte) 0,
                                (byte) 0,
                                (byte) 0,
                                (byte) 4,
                                (byte) 1,
                                (byte) 1,
                                (byte) 1)),
                row(
                        "no room for a name",
                        "3 bytes of data",
                        s -> s.reply(Options.LIST, OptionReplies.SERVER, new byte[3])),
                row("contexts without end", "more than 1000 replies to LIST_META_CONTEXT", s -> {
                    s.reply(Options.LIST, OptionReplies.SERVER, new ListedExport("x", "").bytes());
                    s.ack(Options.LIST);
                    s.expect(Options.INFO);
                    s.info(Options.INFO, new ExportInfo.Export(512, FakeServer.FLAGS));
                    s.ack(Options.INFO);
                    s.expect(Options.LIST_META_CONTEXT);
                    while (true) {
                        s.reply(
                                Options.LIST_META_CONTEXT,
                                OptionReplies.META_CONTEXT,
                                new MetaContext(0, "x:y").bytes());
                    }
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void listings(String name, String message, FakeServer.Script answer) throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.expect(Options.LIST);
            answer.run(s);
            s.awaitEnd();
        });

        assertThatThrownBy(() -> new Handshake(server.client, new Requirements("server", null), OPTIONS).list())
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining(message);
        server.join();
    }

    static Stream<Arguments> serverHangsUp() {
        return Stream.of(
                row("at once", "where its greeting was due", s -> {}),
                row("in its greeting", "in the middle of a message", s -> s.send(Magic.NBD)),
                row("instead of an answer", "where its answer to STRUCTURED_REPLY was due", s -> {
                    s.greet();
                    s.expect(Options.STRUCTURED_REPLY);
                }),
                row("in an answer", "in the middle of a message", s -> {
                    s.greet();
                    s.expect(Options.STRUCTURED_REPLY);
                    s.send(Magic.OPTION_REPLY);
                }),
                row("in the data of an answer", "in the middle of a message", s -> {
                    s.greet();
                    s.expect(Options.STRUCTURED_REPLY);
                    s.send(Magic.OPTION_REPLY, Options.STRUCTURED_REPLY, OptionReplies.ERR_UNSUP, 10, 0);
                }),
                row("instead of opening", "where its answer to GO was due", s -> {
                    agree(s);
                    s.expect(Options.GO);
                }),
                row("at a name", "where the export \"\" (a server that lacks it hangs up) was due", s -> {
                    s.greet(0);
                    s.expect(Options.EXPORT_NAME);
                }),
                row("in the zeros", "in the middle of a message", s -> {
                    s.greet(0);
                    s.expect(Options.EXPORT_NAME);
                    s.send(512L, (short) FakeServer.FLAGS, new byte[123]);
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void serverHangsUp(String name, String message, FakeServer.Script script) throws Exception {
        FakeServer server = new FakeServer(script);

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", OPTIONS))
                .isInstanceOfSatisfying(
                        BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.IO))
                .hasMessageContaining(message);
        server.join();
    }

    static Stream<Arguments> serverTakesItsTime() {
        return Stream.of(
                row("silence", "its greeting", FakeServer::awaitEnd),
                row("silence behind the greeting", "its answer to STRUCTURED_REPLY", s -> {
                    s.greet();
                    s.awaitEnd();
                }),
                row(
                        "a greeting of single bytes",
                        "its greeting",
                        s -> trickle(s, "NBDMAGICIHAVEOPT\0\3".getBytes(US_ASCII))),
                row("a text of single bytes", "its answer to GO", s -> {
                    s.agree();
                    s.send(Magic.OPTION_REPLY, Options.GO, OptionReplies.ERR_UNKNOWN, 4096);
                    trickle(s, new byte[4096]);
                }));
    }

    private static void trickle(FakeServer server, byte[] bytes) throws IOException, InterruptedException {
        for (byte one : bytes) {
            if (server.gone.await(20, TimeUnit.MILLISECONDS)) {
                return;
            }
            server.send(new byte[] {one});
        }
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void serverTakesItsTime(String name, String message, FakeServer.Script script) throws Exception {
        FakeServer server = new FakeServer(script);
        NbdClientOptions options = NbdClientOptions.builder()
                .handshakeTimeout(Duration.ofMillis(150))
                .build();

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", options))
                .isInstanceOfSatisfying(
                        BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.TIMEOUT))
                .hasMessageContaining("waiting for " + message)
                .hasMessageContaining("not done after 150 ms");
        server.join();
    }

    /** Credentials that are never asked for a session, because it never comes to that. */
    private static final class Unasked implements TlsCredentials {
        @Override
        public TlsSession clientSession(@Nullable String host) {
            throw new AssertionError("TLS begins");
        }

        @Override
        public TlsSession serverSession() {
            throw new AssertionError("TLS begins");
        }
    }

    static Stream<Arguments> tlsThatIsRequiredIsNeverDoneWithout() {
        return Stream.of(
                row("no options", "which has no way to encrypt", s -> s.greet(HandshakeFlags.NO_ZEROES)),
                row(
                        "oldstyle",
                        "speaks the oldstyle handshake, which has none",
                        s -> s.send(Magic.NBD, Magic.OLDSTYLE, 512L, FakeServer.FLAGS, new byte[124])),
                row("not known", "refuses TLS, which is required: not supported", s -> {
                    s.greet();
                    s.expect(Options.STARTTLS);
                    s.refuse(Options.STARTTLS, OptionReplies.ERR_UNSUP, "");
                }),
                row("not allowed", "refuses TLS, which is required: not allowed", s -> {
                    s.greet();
                    s.expect(Options.STARTTLS);
                    s.refuse(Options.STARTTLS, OptionReplies.ERR_POLICY, "no");
                }),
                row("bytes in clear behind the answer", "20 bytes in clear behind the answer to STARTTLS", s -> {
                    s.greet();
                    s.expect(Options.STARTTLS);
                    ByteBuffer both = ByteBuffer.allocate(2 * OptionReplyHeader.BYTES);
                    new OptionReplyHeader(Options.STARTTLS, OptionReplies.ACK, 0).put(both);
                    new OptionReplyHeader(Options.STRUCTURED_REPLY, OptionReplies.ACK, 0).put(both);
                    s.send(both.flip());
                }));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource
    void tlsThatIsRequiredIsNeverDoneWithout(String name, String message, FakeServer.Script script) throws Exception {
        FakeServer server = new FakeServer(s -> {
            script.run(s);
            s.awaitEnd();
        });
        Requirements requirements = new Requirements("server", new Requirements.Tls(new Unasked(), "host"));
        NbdClientOptions options = NbdClientOptions.builder().oldstyle(true).build();

        assertThatThrownBy(() -> new Handshake(server.client, requirements, options).open("x"))
                .isInstanceOf(IOException.class)
                .hasMessageContaining(message);
        server.join();
        assertThat(server.options).noneMatch(line -> line.equals("GO") || line.equals("EXPORT_NAME"));
    }

    @Test
    void sizeOfTwoToThe63IsRefusedFromAnOldstyleServerToo() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.send(Magic.NBD, Magic.OLDSTYLE, Long.MIN_VALUE, FakeServer.FLAGS, new byte[124]);
            s.awaitEnd();
        });
        NbdClientOptions options = NbdClientOptions.builder().oldstyle(true).build();

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", options))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("9223372036854775808");
        server.join();
    }

    @Test
    void oldstyleServerIsNotUsedUnlessThatIsAllowed() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.send(Magic.NBD, Magic.OLDSTYLE, 512L, FakeServer.FLAGS, new byte[124]);
            s.awaitEnd();
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", OPTIONS))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("has to be allowed (oldstyle)");
        server.join();
    }
}
