package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockStatusSource;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.nbd.client.NbdProtocol.Style;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.InfoTypes;
import dev.platter.nbd.protocol.ListedExport;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.TransmissionFlags;
import dev.platter.testkit.Contents;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What is asked and agreed on, with servers of all abilities. */
@Timeout(60)
class HandshakeTest {
    private static final NbdClientOptions OPTIONS = NbdClientOptions.defaults();
    private static final NbdClientOptions OLDSTYLE =
            NbdClientOptions.builder().oldstyle(true).build();

    /** A server whose disk has test bytes. */
    private static FakeServer server(FakeServer.Script handshake) {
        return new FakeServer(s -> {
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            handshake.run(s);
            s.serve();
        });
    }

    private static void assertReads(NbdExport export) throws IOException {
        Contents.testBytes(FakeServer.SIZE).assertRead(export, 12_288, 8192);
    }

    @Test
    void everythingIsAskedInOrder() throws Exception {
        FakeServer server = server(FakeServer::open);

        try (NbdExport export = NbdClient.attach(server.client, "disk", OPTIONS)) {
            assertReads(export);
            assertThat(export.protocol().style()).isEqualTo(Style.FIXED_NEWSTYLE);
            assertThat(export.protocol().replies()).isEqualTo(Form.STRUCTURED);
            assertThat(export.contexts()).containsExactly("base:allocation");
            assertThat(export.details().name()).isEqualTo("disk");
            assertThat(export.size()).isEqualTo(FakeServer.SIZE);
            assertThat(export.description()).isEqualTo("NBD export \"disk\"");
        }
        server.join();
        assertThat(server.options).containsExactly("STRUCTURED_REPLY", "LIST_META_CONTEXT", "SET_META_CONTEXT", "GO");
        assertThat(server.log).containsExactly("READ of 8192 bytes at 12288", "DISC of 0 bytes at 0");
    }

    @Test
    void goAsksForTheExportAndForAllInformation() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.agree();
            ExportQuery query = ExportQuery.take(s.expect(Options.GO));
            assertThat(query.name()).isEqualTo("dïsk");
            assertThat(query.wants(InfoTypes.NAME)).isTrue();
            assertThat(query.wants(InfoTypes.DESCRIPTION)).isTrue();
            assertThat(query.wants(InfoTypes.BLOCK_SIZE)).isTrue();
            s.info(Options.GO, new ExportInfo.Name("canonical"));
            s.info(Options.GO, new ExportInfo.Unknown(99));
            s.info(Options.GO, new ExportInfo.Export(513, FakeServer.FLAGS | 1 << 15));
            s.info(Options.GO, new ExportInfo.Description("about\u001b"));
            s.info(Options.GO, new ExportInfo.Sizes(new BlockSizes(1, 65536, 0xffff_ffffL)));
            s.ack(Options.GO);
            s.serve();
        });

        try (NbdExport export = NbdClient.attach(server.client, "dïsk", OPTIONS)) {
            assertThat(export.details().name()).isEqualTo("canonical");
            assertThat(export.details().description()).isEqualTo("about\u001b");
            assertThat(export.size()).isEqualTo(513);
            assertThat(export.features().preferredTransfer()).isEqualTo(65536);
            assertThat(export.features().maximumTransfer()).isEqualTo(32 << 20);
        }
        server.join();
    }

    @Test
    void serverThatDoesNotKnowGoIsAskedByTheNameAlone() throws Exception {
        FakeServer server = server(s -> {
            s.agree();
            s.expect(Options.GO);
            s.refuse(Options.GO, OptionReplies.ERR_UNSUP, "");
            s.expect(Options.EXPORT_NAME);
            s.send(FakeServer.SIZE, (short) FakeServer.FLAGS);
        });

        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertReads(export);
            assertThat(export.details().blockSizes()).isNull();
            assertThat(Extents.at(export, 0).allocated()).isTrue();
            assertThat(export.contexts()).containsExactly("base:allocation");
        }
        server.join();
    }

    @Test
    void zerosBehindTheAnswerToExportNameAreSkipped() throws Exception {
        FakeServer server = server(s -> {
            int flags = s.greet(HandshakeFlags.FIXED_NEWSTYLE);
            assertThat(flags).isEqualTo(HandshakeFlags.FIXED_NEWSTYLE);
            s.expect(Options.STRUCTURED_REPLY);
            s.refuse(Options.STRUCTURED_REPLY, OptionReplies.ERR_UNSUP, "");
            s.expect(Options.GO);
            s.refuse(Options.GO, OptionReplies.ERR_UNSUP, "");
            s.expect(Options.EXPORT_NAME);
            s.send(FakeServer.SIZE, (short) FakeServer.FLAGS, new byte[124]);
            s.replies = Form.SIMPLE;
        });

        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertReads(export);
        }
        server.join();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, HandshakeFlags.NO_ZEROES, 0x8000 | HandshakeFlags.NO_ZEROES})
    void serverWithoutOptionsIsAskedByTheNameAlone(int offered) throws Exception {
        FakeServer server = server(s -> {
            assertThat(s.greet(offered)).isEqualTo(offered & HandshakeFlags.NO_ZEROES);
            assertThat(s.expect(Options.EXPORT_NAME).remaining()).isEqualTo(3);
            s.send(FakeServer.SIZE, (short) FakeServer.FLAGS, new byte[offered == 0 ? 124 : 0]);
            s.replies = Form.SIMPLE;
        });

        try (NbdExport export = NbdClient.attach(server.client, "abc", OPTIONS)) {
            assertReads(export);
            assertThat(export.protocol().style()).isEqualTo(Style.NEWSTYLE);
        }
        server.join();
    }

    @Test
    void oldstyleServerIsUsedWhereThatIsAllowed() throws Exception {
        FakeServer server = server(s -> {
            s.send(Magic.NBD, Magic.OLDSTYLE, FakeServer.SIZE, 0xffff_0000 | FakeServer.FLAGS, new byte[124]);
            s.replies = Form.SIMPLE;
        });

        try (NbdExport export = NbdClient.attach(server.client, "", OLDSTYLE)) {
            assertReads(export);
            assertThat(export.protocol().style()).hasToString("oldstyle");
            assertThat(export.details().flags()).isEqualTo(FakeServer.FLAGS);
        }
        server.join();
    }

    @Test
    void oldstyleServerHasNoNamedExport() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.send(Magic.NBD, Magic.OLDSTYLE, FakeServer.SIZE, FakeServer.FLAGS, new byte[124]);
            s.awaitEnd();
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "disk", OLDSTYLE))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("no export \"disk\"");
        server.join();
    }

    @Test
    void structuredRepliesAreNotAskedForWhereTheyAreNotWanted() throws Exception {
        FakeServer server = server(s -> {
            s.replies = Form.SIMPLE;
            s.greet();
            s.go();
        });
        NbdClientOptions simple =
                NbdClientOptions.builder().structuredReplies(false).build();

        try (NbdExport export = NbdClient.attach(server.client, "", simple)) {
            assertReads(export);
            assertThat(export.protocol().replies()).isEqualTo(Form.SIMPLE);
        }
        server.join();
    }

    @Test
    void extendedHeadersAreUsedWhereTheyAreWantedAndKnown() throws Exception {
        FakeServer server = server(s -> {
            s.replies = Form.EXTENDED;
            s.greet();
            s.expect(Options.EXTENDED_HEADERS);
            s.ack(Options.EXTENDED_HEADERS);
            s.agreeOnContexts();
            s.go();
        });

        try (NbdExport export = NbdClient.attach(server.client, "", extended())) {
            assertReads(export);
            assertThat(export.protocol().replies()).isEqualTo(Form.EXTENDED);
            assertThat(Extents.at(export, 4096))
                    .isEqualTo(new Extent(4096, FakeServer.SIZE - 4096, Extent.ALLOCATED, 0, null, -1));
        }
        server.join();
    }

    @Test
    void extendedHeadersAreNoNeed() throws Exception {
        FakeServer server = server(s -> {
            s.greet();
            s.expect(Options.EXTENDED_HEADERS);
            s.refuse(Options.EXTENDED_HEADERS, OptionReplies.ERR_UNSUP, "what?");
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.agreeOnContexts();
            s.go();
        });

        try (NbdExport export = NbdClient.attach(server.client, "", extended())) {
            assertReads(export);
        }
        server.join();
    }

    @Test
    void withExtendedHeadersThereIsNoWayBackFromGo() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.EXTENDED_HEADERS);
            s.ack(Options.EXTENDED_HEADERS);
            s.agreeOnContexts();
            s.expect(Options.GO);
            s.refuse(Options.GO, OptionReplies.ERR_UNSUP, "");
            s.expect(Options.ABORT);
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", extended()))
                .isInstanceOf(OptionRefusedException.class);
        server.join();
    }

    private static NbdClientOptions extended() {
        return NbdClientOptions.builder().extendedHeaders(true).build();
    }

    @Test
    void severalContextsAreAskedForAndKnownByTheirNumbers() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            MetaContextQuery query = MetaContextQuery.take(s.expect(Options.SET_META_CONTEXT));
            assertThat(query).isEqualTo(new MetaContextQuery("x", List.of("a:1", "b:2", "c:3")));
            s.reply(Options.SET_META_CONTEXT, OptionReplies.META_CONTEXT, new MetaContext(-1, "c:3").bytes());
            s.reply(Options.SET_META_CONTEXT, OptionReplies.META_CONTEXT, new MetaContext(0, "a:1").bytes());
            s.ack(Options.SET_META_CONTEXT);
            s.go();
            s.next();
            s.chunk(false, 5, s.request.cookie(), 0, 1024, 10, 3072, 11);
            s.chunk(true, 5, s.request.cookie(), -1, 4096, -1);
            s.next();
        });
        NbdClientOptions options = NbdClientOptions.builder()
                .contexts(List.of("a:1", "b:2", "c:3"))
                .build();

        try (NbdExport export = NbdClient.attach(server.client, "x", options)) {
            List<String> ranges = new ArrayList<>();
            assertThat(export.contexts()).containsExactly("base:allocation", "c:3", "a:1");
            export.status("c:3", 0, 4096, (offset, length, status) -> ranges.add(offset + "+" + length + "=" + status));
            assertThat(ranges).containsExactly("0+4096=4294967295");
            assertThatThrownBy(() -> export.status("b:2", 0, 4096, (offset, length, status) -> true))
                    .isInstanceOf(UnsupportedFeatureException.class)
                    .hasMessageContaining("\"b:2\"; agreed on are c:3, a:1");
            export.status(
                    BlockStatusSource.BASE_ALLOCATION, 0, 512, (offset, length, status) -> ranges.add("" + status));
            assertThat(ranges).hasSize(2);
        }
        server.join();
    }

    @Test
    void contextsThatTheServerHasAreAskedForUpToALimit() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            MetaContextQuery all = MetaContextQuery.take(s.expect(Options.LIST_META_CONTEXT));
            assertThat(all.queries()).isEmpty();
            for (int i = 0; i < 100; i++) {
                s.reply(Options.LIST_META_CONTEXT, OptionReplies.META_CONTEXT, new MetaContext(0, "x:" + i).bytes());
            }
            s.ack(Options.LIST_META_CONTEXT);
            MetaContextQuery query = MetaContextQuery.take(s.expect(Options.SET_META_CONTEXT));
            assertThat(query.queries()).hasSize(64).contains("x:0", "x:63");
            s.ack(Options.SET_META_CONTEXT);
            s.go();
            s.next();
        });

        NbdClient.attach(server.client, "", OPTIONS).close();
        server.join();
    }

    @Test
    void refusedContextsAreNoReasonToStop() throws Exception {
        FakeServer server = server(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.expect(Options.SET_META_CONTEXT);
            s.refuse(Options.SET_META_CONTEXT, OptionReplies.ERR_POLICY, "");
            s.go();
        });
        NbdClientOptions options =
                NbdClientOptions.builder().contexts(List.of("a:1")).build();

        try (NbdExport export = NbdClient.attach(server.client, "", options)) {
            assertReads(export);
        }
        server.join();
    }

    @Test
    void contextsThatCannotBeListedAreNotAskedFor() throws Exception {
        FakeServer server = server(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.expect(Options.LIST_META_CONTEXT);
            s.refuse(Options.LIST_META_CONTEXT, OptionReplies.ERR_UNSUP, "");
            s.go();
        });

        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertReads(export);
        }
        server.join();
    }

    @Test
    void exportThatIsNotThereIsRefusedInTheServersWords() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.agree();
            s.expect(Options.GO);
            s.info(Options.GO, new ExportInfo.Description("partial"));
            s.refuse(Options.GO, OptionReplies.ERR_UNKNOWN, "export 'nope\u001b' not present");
            s.expect(Options.ABORT);
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "nope\u001b", OPTIONS))
                .isInstanceOfSatisfying(OptionRefusedException.class, e -> {
                    assertThat(e.option()).isEqualTo(Options.GO);
                    assertThat(e.reply()).isEqualTo(OptionReplies.ERR_UNKNOWN);
                })
                .hasMessage(
                        "NBD export \"nope\\x1b\": the server does not open the export \"nope\\x1b\": no such export;"
                                + " the server says: \"export 'nope\\x1b' not present\"");
        server.join();
    }

    @Test
    void serverThatWantsTlsSaysSo() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            for (int option : new int[] {Options.STRUCTURED_REPLY, Options.GO}) {
                s.expect(option);
                s.refuse(option, OptionReplies.ERR_TLS_REQD, "");
            }
            s.expect(Options.ABORT);
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", OPTIONS))
                .isInstanceOf(OptionRefusedException.class)
                .hasMessageContaining("requires TLS")
                .hasMessageContaining("nbds://");
        server.join();
    }

    @Test
    void serverThatShutsDownIsNotAskedFurther() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.refuse(Options.STRUCTURED_REPLY, OptionReplies.ERR_SHUTDOWN, "");
            s.expect(Options.ABORT);
        });

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", OPTIONS))
                .isInstanceOf(OptionRefusedException.class)
                .hasMessageContaining("shutting down");
        server.join();
    }

    @Test
    void readOnlyExportIsNotOpenedForWriting() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.flags |= TransmissionFlags.READ_ONLY;
            s.open();
            s.next();
        });
        NbdClientOptions writable = NbdClientOptions.builder().writable(true).build();

        assertThatThrownBy(() -> NbdClient.attach(server.client, "", writable))
                .isInstanceOf(ReadOnlyDeviceException.class);
        server.join();
    }

    @Test
    void channelOnWhichTheHandshakeIsDoneCanBeTakenOver() throws Exception {
        FakeServer first = server(FakeServer::open);
        NbdProtocol protocol;
        ExportDetails details;
        try (NbdExport export = NbdClient.attach(first.client, "", OPTIONS)) {
            protocol = export.protocol();
            details = export.details();
        }
        FakeServer second = server(s -> {});
        Negotiated negotiated =
                new Negotiated(protocol, details, List.of(new MetaContext(FakeServer.CONTEXT, "base:allocation")));

        try (NbdExport export = NbdClient.attach(second.client, negotiated, OPTIONS)) {
            assertReads(export);
            assertThat(Extents.at(export, 0).length()).isEqualTo(FakeServer.SIZE);
        }
        second.join();
    }

    @Test
    void interruptedThreadDoesNotEvenBegin() {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> NbdClient.to("nbd://localhost:1").open())
                    .isInstanceOf(java.nio.channels.ClosedByInterruptException.class);
        } finally {
            assertThat(Thread.interrupted()).isTrue();
        }
    }

    @Test
    void exportsAreListedWithAllThatTheServerSays() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.expect(Options.LIST);
            s.reply(Options.LIST, OptionReplies.SERVER, new ListedExport("", "the first").bytes());
            s.reply(Options.LIST, OptionReplies.SERVER, new ListedExport("b", "").bytes());
            s.reply(Options.LIST, OptionReplies.SERVER, new ListedExport("c", "").bytes());
            s.ack(Options.LIST);
            describe(s, "");
            describe(s, "b");
            s.expect(Options.INFO);
            s.refuse(Options.INFO, OptionReplies.ERR_POLICY, "not for you");
            s.expect(Options.ABORT);
        });

        NbdListing listing = new Handshake(server.client, new Requirements("server", null), OPTIONS).list();

        ExportDetails details = new ExportDetails(
                "", "described", 77, FakeServer.FLAGS, null, List.of("base:allocation", "qemu:allocation-depth"));
        ExportDetails second = new ExportDetails("b", "described", 77, FakeServer.FLAGS, null, details.contexts());
        assertThat(listing.protocol().replies()).isEqualTo(Form.STRUCTURED);
        assertThat(listing.exports())
                .containsExactly(
                        new NbdServerExport("", "the first", details, null),
                        new NbdServerExport("b", "described", second, null),
                        new NbdServerExport("c", "", null, "not allowed by the server's policy: \"not for you\""));
        assertThat(listing.exports().get(0)).hasToString("\"\" (the first)");
        server.join();
    }

    private static void describe(FakeServer s, String name) throws IOException {
        assertThat(ExportQuery.take(s.expect(Options.INFO)).name()).isEqualTo(name);
        s.info(Options.INFO, new ExportInfo.Export(77, FakeServer.FLAGS));
        s.info(Options.INFO, new ExportInfo.Description("described"));
        s.ack(Options.INFO);
        s.expect(Options.LIST_META_CONTEXT);
        for (String context : List.of("base:allocation", "qemu:allocation-depth")) {
            s.reply(Options.LIST_META_CONTEXT, OptionReplies.META_CONTEXT, new MetaContext(0, context).bytes());
        }
        s.ack(Options.LIST_META_CONTEXT);
    }

    @Test
    void oneExportIsDescribedWithoutOpeningIt() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            describe(s, "b");
            s.expect(Options.ABORT);
        });

        NbdListing listing = new Handshake(server.client, new Requirements("server", null), OPTIONS).describe("b");

        assertThat(listing.exports()).singleElement().satisfies(export -> {
            assertThat(export.name()).isEqualTo("b");
            assertThat(export.details()).isNotNull();
        });
        server.join();
    }

    @Test
    void serverThatListsNothingIsNoMistake() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet();
            s.expect(Options.STRUCTURED_REPLY);
            s.ack(Options.STRUCTURED_REPLY);
            s.expect(Options.LIST);
            s.ack(Options.LIST);
            s.expect(Options.ABORT);
        });

        assertThat(new Handshake(server.client, new Requirements("server", null), OPTIONS)
                        .list()
                        .exports())
                .isEmpty();
        server.join();
    }

    @Test
    void oldstyleServerListsItsOnlyExport() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.send(Magic.NBD, Magic.OLDSTYLE, 512L, FakeServer.FLAGS, new byte[124]);
            s.awaitEnd();
        });

        NbdListing listing = new Handshake(server.client, new Requirements("server", null), OLDSTYLE).list();

        assertThat(listing.exports())
                .singleElement()
                .extracting(NbdServerExport::name)
                .isEqualTo("");
        server.join();
    }

    @Test
    void serverWithoutOptionsHasNoList() throws Exception {
        FakeServer server = new FakeServer(s -> {
            s.greet(0);
            s.awaitEnd();
        });

        assertThatThrownBy(() -> new Handshake(server.client, new Requirements("server", null), OPTIONS).list())
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining(
                        "server: the server speaks the handshake newstyle, which has no way to list exports");
        server.join();
    }

    @Test
    void readingNeedsNoMoreThanTheServerOffers() throws Exception {
        FakeServer server = server(s -> {
            s.replies = Form.SIMPLE;
            s.flags = TransmissionFlags.HAS_FLAGS;
            s.open();
        });

        try (NbdExport export = NbdClient.attach(server.client, "", OPTIONS)) {
            assertReads(export);
            export.flush();
            export.prefetch(0, 512);
            assertThatThrownBy(() -> export.readInOnePiece(0, ByteBuffer.allocate(1)))
                    .isInstanceOf(UnsupportedFeatureException.class);
        }
        server.join();
        assertThat(server.log).hasSize(2);
    }
}
