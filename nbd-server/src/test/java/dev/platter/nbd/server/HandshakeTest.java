package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevices;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.InfoTypes;
import dev.platter.nbd.protocol.ListedExport;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the server says before the first request. */
class HandshakeTest {
    private final AtomicInteger opened = new AtomicInteger();
    private NbdServer server;
    private RawClient client;

    @BeforeEach
    void start() throws IOException {
        server = NbdServer.builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .export(Export.named("").of(BlockDevices.ofBytes("default", ByteBuffer.allocateDirect(1 << 20))))
                .export(Export.named("disk").description("a disk").readOnly().openedBy(() -> {
                    opened.incrementAndGet();
                    return BlockDevices.ofBytes("disk", ByteBuffer.allocateDirect(4096));
                }))
                .export(Export.named("broken").openedBy(() -> {
                    throw new IOException("broken.qcow2: no such file");
                }))
                .start();
        client = RawClient.greet(server);
    }

    @AfterEach
    void stop() throws IOException {
        client.close();
        server.close();
    }

    @Test
    void begins_with_both_magics_and_offers_fixed_newstyle_without_zeroes() throws IOException {
        try (RawClient other = RawClient.connect(server.addresses().get(0))) {
            ByteBuffer greeting = other.take(18);
            assertThat(greeting.getLong()).isEqualTo(Magic.NBD);
            assertThat(greeting.getLong()).isEqualTo(Magic.OPTION);
            assertThat(greeting.getShort()).isEqualTo((short) 3);
        }
    }

    @Test
    void client_flags_that_were_not_offered_end_the_connection() throws IOException {
        try (RawClient other = RawClient.connect(server.addresses().get(0))) {
            other.take(18);
            other.send(ByteBuffer.allocate(4).putInt(0x8003).flip());
            assertThat(other.isHungUp()).isTrue();
        }
    }

    @Test
    void go_tells_size_flags_and_block_sizes() throws IOException {
        List<ExportInfo> infos = infos(client.option(Options.GO, new ExportQuery("", InfoTypes.BLOCK_SIZE).bytes()));
        assertThat(infos).hasSize(2);
        ExportInfo.Export export = (ExportInfo.Export) infos.get(1);
        assertThat(export.size()).isEqualTo(1 << 20);
        assertThat(TransmissionFlags.describe(export.flags())).isEqualTo("flush fua trim zeroes multi cache fast-zero");
        assertThat(((ExportInfo.Sizes) infos.get(0)).sizes().maximumPayload()).isEqualTo(32 << 20);
    }

    @Test
    void read_only_exports_say_so_and_offer_no_writes() throws IOException {
        List<ExportInfo> infos = infos(client.option(Options.INFO, new ExportQuery("disk", InfoTypes.NAME).bytes()));
        assertThat(infos.get(0)).isEqualTo(new ExportInfo.Name("disk"));
        assertThat(infos.get(1)).isEqualTo(new ExportInfo.Description("a disk"));
        assertThat(TransmissionFlags.describe(((ExportInfo.Export) infos.get(3)).flags()))
                .isEqualTo("readonly flush fua multi cache");
    }

    @Test
    void one_connection_is_not_told_that_there_may_be_several() throws IOException {
        Export.Builder forOne = Export.named("one").maximumClients(1);
        server.add(forOne.of(BlockDevices.ofBytes("one", ByteBuffer.allocateDirect(512))));
        List<ExportInfo> infos = infos(client.option(Options.INFO, new ExportQuery("one").bytes()));
        assertThat(((ExportInfo.Export) infos.get(1)).flags() & TransmissionFlags.CAN_MULTI_CONN)
                .isZero();
        try (NbdServer single = NbdServer.builder()
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .export(Export.named("").of(BlockDevices.ofBytes("all", ByteBuffer.allocateDirect(512))))
                        .limits(ServerLimits.defaults().withConnections(1))
                        .start();
                RawClient other = RawClient.greet(single)) {
            List<ExportInfo> answer = infos(other.option(Options.INFO, new ExportQuery("").bytes()));
            assertThat(((ExportInfo.Export) answer.get(1)).flags() & TransmissionFlags.CAN_MULTI_CONN)
                    .isZero();
        }
    }

    @Test
    void a_failed_go_leaves_the_handshake_open() throws IOException {
        assertThat(client.ask(Options.GO, new ExportQuery("nope").bytes())).isEqualTo(OptionReplies.ERR_UNKNOWN);
        assertThat(client.ask(Options.GO, new ExportQuery("disk").bytes())).isEqualTo(OptionReplies.ACK);
    }

    @Test
    void an_export_that_cannot_be_opened_says_why() throws IOException {
        List<RawClient.OptionReply> replies = client.option(Options.GO, new ExportQuery("broken").bytes());
        assertThat(text(replies.get(0))).isEqualTo("broken.qcow2: no such file");
    }

    @Test
    void list_shows_every_export_and_opens_none() throws IOException {
        List<RawClient.OptionReply> replies = client.option(Options.LIST);
        List<String> names = new ArrayList<>();
        for (RawClient.OptionReply reply : replies.subList(0, replies.size() - 1)) {
            names.add(ListedExport.take(reply.data()).name());
        }
        assertThat(names).containsExactly("", "disk", "broken");
        assertThat(opened).hasValue(0);
    }

    @Test
    void export_name_is_answered_without_a_header() throws IOException {
        client.sendOption(Options.EXPORT_NAME, "disk".getBytes(StandardCharsets.UTF_8));
        ByteBuffer answer = client.take(10);
        assertThat(answer.getLong()).isEqualTo(4096);
        assertThat(answer.getShort() & TransmissionFlags.READ_ONLY).isNotZero();
    }

    @Test
    void an_old_client_gets_124_zeros_behind_export_name() throws IOException {
        try (RawClient old = RawClient.connect(server.addresses().get(0))) {
            old.take(18);
            old.send(ByteBuffer.allocate(4));
            old.sendOption(Options.EXPORT_NAME);
            assertThat(old.take(134).getLong()).isEqualTo(1 << 20);
        }
    }

    @Test
    void an_old_client_may_send_nothing_but_export_name() throws IOException {
        try (RawClient old = RawClient.connect(server.addresses().get(0))) {
            old.take(18);
            old.send(ByteBuffer.allocate(4));
            old.sendOption(Options.LIST);
            assertThat(old.isHungUp()).isTrue();
        }
    }

    @Test
    void export_name_of_no_export_ends_the_connection() throws IOException {
        client.sendOption(Options.EXPORT_NAME, (byte) 'x');
        assertThat(client.isHungUp()).isTrue();
    }

    @Test
    void structured_replies_are_agreed_on_once_and_without_data() throws IOException {
        assertThat(client.ask(Options.STRUCTURED_REPLY, (byte) 1)).isEqualTo(OptionReplies.ERR_INVALID);
        assertThat(client.ask(Options.STRUCTURED_REPLY)).isEqualTo(OptionReplies.ACK);
        assertThat(client.ask(Options.STRUCTURED_REPLY)).isEqualTo(OptionReplies.ERR_INVALID);
    }

    @Test
    void extended_headers_are_offered_only_by_a_server_that_was_told_to() throws IOException {
        assertThat(client.ask(Options.EXTENDED_HEADERS)).isEqualTo(OptionReplies.ERR_UNSUP);
    }

    @Test
    void abort_is_acknowledged_and_ends_the_connection() throws IOException {
        assertThat(client.ask(Options.ABORT)).isEqualTo(OptionReplies.ACK);
        assertThat(client.isHungUp()).isTrue();
    }

    @Test
    void unknown_options_are_taken_whole_and_refused() throws IOException {
        assertThat(client.ask(77, new byte[3000])).isEqualTo(OptionReplies.ERR_UNSUP);
        assertThat(client.ask(Options.PEEK_EXPORT)).isEqualTo(OptionReplies.ERR_UNSUP);
        assertThat(client.ask(Options.LIST)).isEqualTo(OptionReplies.ACK);
    }

    @Test
    void starttls_without_credentials_is_against_the_policy() throws IOException {
        assertThat(client.ask(Options.STARTTLS)).isEqualTo(OptionReplies.ERR_POLICY);
        assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
    }

    @Test
    void contexts_are_listed_by_name_by_namespace_and_all() throws IOException {
        assertThat(contexts(Options.LIST_META_CONTEXT)).containsExactly("base:allocation");
        assertThat(contexts(Options.LIST_META_CONTEXT, "base:")).containsExactly("base:allocation");
        assertThat(contexts(Options.LIST_META_CONTEXT, "base:allocation")).containsExactly("base:allocation");
        assertThat(contexts(Options.LIST_META_CONTEXT, "qemu:", "x")).isEmpty();
    }

    @Test
    void contexts_are_set_by_their_very_name_after_structured_replies() throws IOException {
        byte[] query = new MetaContextQuery("", List.of("base:allocation")).bytes();
        assertThat(client.ask(Options.SET_META_CONTEXT, query)).isEqualTo(OptionReplies.ERR_INVALID);
        client.ask(Options.STRUCTURED_REPLY);
        assertThat(contexts(Options.SET_META_CONTEXT, "base:")).isEmpty();
        assertThat(contexts(Options.SET_META_CONTEXT)).isEmpty();
        assertThat(contexts(Options.SET_META_CONTEXT, "base:allocation", "base:allocation"))
                .containsExactly("base:allocation");
    }

    @Test
    void contexts_are_those_of_the_last_query_and_of_its_export() throws IOException {
        client.ask(Options.STRUCTURED_REPLY);
        assertThat(contexts(Options.SET_META_CONTEXT, "base:allocation")).isNotEmpty();
        byte[] failing = new MetaContextQuery("nope", List.of("base:allocation")).bytes();
        assertThat(client.ask(Options.SET_META_CONTEXT, failing)).isEqualTo(OptionReplies.ERR_UNKNOWN);
        requireNoContexts(client, "");
        try (RawClient other = RawClient.greet(server)) {
            other.ask(Options.STRUCTURED_REPLY);
            other.ask(Options.SET_META_CONTEXT, new MetaContextQuery("", List.of("base:allocation")).bytes());
            requireNoContexts(other, "disk");
        }
    }

    private static void requireNoContexts(RawClient of, String export) throws IOException {
        assertThat(of.ask(Options.GO, new ExportQuery(export).bytes())).isEqualTo(OptionReplies.ACK);
        of.request(0, Commands.BLOCK_STATUS, 1, 0, 512);
        assertThat(of.reply().payload().getInt()).isEqualTo(22);
    }

    @Test
    void a_device_is_closed_when_a_client_that_only_looked_goes_away() throws Exception {
        client.ask(Options.INFO, new ExportQuery("disk").bytes());
        client.ask(Options.INFO, new ExportQuery("disk").bytes());
        assertThat(opened).hasValue(1);
        client.ask(Options.ABORT);
        assertThat(client.isHungUp()).isTrue();
        try (RawClient next = RawClient.greet(server)) {
            next.ask(Options.INFO, new ExportQuery("disk").bytes());
        }
        assertThat(opened).hasValue(2);
    }

    @Test
    void clients_of_one_export_share_its_device() throws IOException {
        try (RawClient second = RawClient.greet(server)) {
            client.ask(Options.GO, new ExportQuery("disk").bytes());
            second.ask(Options.GO, new ExportQuery("disk").bytes());
            assertThat(opened).hasValue(1);
            // the server notes the export after it has agreed to it, and before it answers a request
            for (RawClient each : List.of(client, second)) {
                each.request(0, Commands.FLUSH, 1, 0, 0);
                each.reply();
            }
            assertThat(server.clients()).extracting(ClientInfo::export).containsOnly("disk");
        }
    }

    @Test
    void two_exports_of_one_name_are_refused() {
        Export again = Export.named("disk").of(BlockDevices.ofBytes("other", ByteBuffer.allocate(512)));
        assertThatThrownBy(() -> server.add(again)).hasMessage("there is export \"disk\" already");
    }

    @Test
    void an_export_that_was_removed_is_unknown() throws IOException {
        assertThat(server.remove("disk")).isTrue();
        assertThat(client.ask(Options.GO, new ExportQuery("disk").bytes())).isEqualTo(OptionReplies.ERR_UNKNOWN);
    }

    @Test
    void a_client_can_be_disconnected() throws IOException {
        client.ask(Options.GO, new ExportQuery("").bytes());
        assertThat(server.disconnect(server.clients().get(0).id())).isTrue();
        assertThatThrownBy(() -> client.take(1)).isInstanceOf(IOException.class);
    }

    private List<String> contexts(int option, String... queries) throws IOException {
        List<RawClient.OptionReply> replies = client.option(option, new MetaContextQuery("", List.of(queries)).bytes());
        List<String> names = new ArrayList<>();
        for (RawClient.OptionReply reply : replies) {
            if (reply.reply() == OptionReplies.META_CONTEXT) {
                names.add(MetaContext.take(reply.data()).name());
            }
        }
        return names;
    }

    private static List<ExportInfo> infos(List<RawClient.OptionReply> replies) throws IOException {
        List<ExportInfo> infos = new ArrayList<>();
        for (RawClient.OptionReply reply : replies) {
            if (reply.reply() == OptionReplies.INFO) {
                infos.add(ExportInfo.take(reply.data()));
            }
        }
        return infos;
    }

    private static String text(RawClient.OptionReply reply) {
        return StandardCharsets.UTF_8.decode(reply.data()).toString();
    }
}
