package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevices;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.InfoTypes;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that mean no good: each costs its own connection, and nothing else. */
class HostileClientTest {
    private final ByteBuffer bytes = ByteBuffer.wrap(TestBytes.of(0, 1 << 20));
    private final BlockingQueue<String> endings = new LinkedBlockingQueue<>();

    @SuppressWarnings("NullAway.Init") // each test starts its own
    private NbdServer server;

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private void start(ServerLimits limits) throws IOException {
        server = NbdServer.builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .export(Export.named("").of(BlockDevices.ofBytes("disk", bytes)))
                .limits(limits)
                .listener(new ServerListener() {
                    @Override
                    public void disconnected(ClientInfo client, String why) {
                        endings.add(why);
                    }
                })
                .start();
    }

    private String ending() throws InterruptedException {
        String why = endings.poll(20, TimeUnit.SECONDS);
        assertThat(why).as("why the connection ended").isNotNull();
        return why;
    }

    private void requireStillServing() throws IOException {
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
            client.request(0, Commands.READ, 1, 0, 512);
            assertThat(client.reply().header().error()).isZero();
            assertThat(client.take(512)).isEqualTo(bytes.slice(0, 512));
        }
    }

    @Test
    void silence_in_the_handshake_ends_at_the_deadline() throws Exception {
        start(ServerLimits.defaults().withHandshake(Duration.ofMillis(300)));
        try (RawClient silent = RawClient.connect(server.addresses().get(0))) {
            silent.take(18);
            assertThat(silent.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("the handshake took too long");
        requireStillServing();
    }

    @Test
    void options_that_never_end_do_not_prolong_the_handshake() throws Exception {
        start(ServerLimits.defaults().withHandshake(Duration.ofMillis(300)));
        try (RawClient client = RawClient.greet(server)) {
            client.ask(Options.LIST);
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("the handshake took too long");
    }

    @Test
    void a_handshake_that_is_over_has_no_deadline() throws Exception {
        start(ServerLimits.defaults().withHandshake(Duration.ofMillis(200)).withIdle(Duration.ofMillis(200)));
        try (RawClient client = RawClient.greet(server);
                RawClient late = RawClient.connect(server.addresses().get(0))) {
            client.ask(Options.GO, new ExportQuery("").bytes());
            late.take(18);
            assertThat(late.isHungUp()).as("when the other's time is over").isTrue();
            client.request(0, Commands.READ, 1, 0, 512);
            assertThat(client.reply().header().error()).isZero();
        }
    }

    @Test
    void half_a_request_ends_when_it_stays_half() throws Exception {
        start(ServerLimits.defaults().withIdle(Duration.ofMillis(300)));
        try (RawClient client = RawClient.greet(server)) {
            client.ask(Options.GO, new ExportQuery("").bytes());
            client.send(ByteBuffer.allocate(10).putInt(0x2560_9513).clear());
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("the client paused inside a message");
    }

    @Test
    void half_a_payload_ends_when_it_stays_half() throws Exception {
        start(ServerLimits.defaults().withIdle(Duration.ofMillis(300)));
        try (RawClient client = RawClient.greet(server)) {
            client.ask(Options.GO, new ExportQuery("").bytes());
            client.request(0, Commands.WRITE, 1, 0, 1 << 20);
            client.send(ByteBuffer.allocate(1 << 19));
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("the client paused inside a message");
    }

    @Test
    void a_client_that_takes_no_replies_is_not_read_from_and_then_dropped() throws Exception {
        start(ServerLimits.defaults().withIdle(Duration.ofMillis(500)));
        try (RawClient client = RawClient.greet(server)) {
            client.ask(Options.GO, new ExportQuery("").bytes());
            for (int i = 0; i < 64; i++) {
                client.request(0, Commands.READ, i, 0, 1 << 20);
            }
            assertThat(ending()).isEqualTo("the client took no replies");
        }
        requireStillServing();
    }

    @ParameterizedTest
    @ValueSource(longs = {65_537, 1L << 31, 0xffff_ffffL})
    void an_option_with_too_much_data_ends_the_connection_before_any_is_taken(long length) throws Exception {
        start(ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            ByteBuffer out = ByteBuffer.allocate(OptionHeader.BYTES);
            new OptionHeader(Options.GO, length).put(out);
            client.send(out.flip());
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("GO with " + length + " bytes of data");
        requireStillServing();
    }

    @Test
    void a_wrong_magic_ends_the_handshake() throws Exception {
        start(ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            client.send(ByteBuffer.allocate(16));
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).contains("where an option should begin");
    }

    @Test
    void options_without_end_end_the_connection() throws Exception {
        start(ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            for (int i = 0; i < 64; i++) {
                assertThat(client.ask(77)).isEqualTo(OptionReplies.ERR_UNSUP);
            }
            client.sendOption(77);
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("more options than a client needs");
    }

    @Test
    void go_with_lengths_that_lie_is_invalid_and_the_next_one_works() throws Exception {
        start(ServerLimits.defaults());
        List<byte[]> lies = List.of(
                new byte[0],
                new byte[] {0, 0, 0, 9, 'a', 0, 0},
                new byte[] {-1, -1, -1, -1, 0, 0},
                new byte[] {0, 0, 0, 1, 'a', 0, 5},
                new byte[] {0, 0, 0, 0, 0, 0, 0},
                new byte[] {0, 0, 0, 1, 0, 0, 0},
                new byte[] {0, 0, 0, 1, -1, 0, 0},
                ByteBuffer.allocate(4 + 4097 + 2)
                        .putInt(4097)
                        .put("x".repeat(4097).getBytes(StandardCharsets.US_ASCII))
                        .array());
        try (RawClient client = RawClient.greet(server)) {
            for (byte[] lie : lies) {
                assertThat(client.ask(Options.GO, lie)).isEqualTo(OptionReplies.ERR_INVALID);
            }
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
        }
    }

    @Test
    void a_list_of_four_billion_queries_is_invalid() throws Exception {
        start(ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            client.ask(Options.STRUCTURED_REPLY);
            byte[] data = {0, 0, 0, 0, -1, -1, -1, -1, 0, 0, 0, 1, 'x'};
            assertThat(client.ask(Options.SET_META_CONTEXT, data)).isEqualTo(OptionReplies.ERR_INVALID);
            assertThat(client.ask(Options.LIST)).isEqualTo(OptionReplies.ACK);
        }
    }

    @Test
    void hanging_up_at_every_byte_of_a_write_leaves_the_disk_whole() throws Exception {
        start(ServerLimits.defaults());
        ByteBuffer before = ByteBuffer.allocate(512).put(bytes.slice(0, 512)).flip();
        for (int cut = 1; cut < 28 + 512; cut++) {
            try (RawClient client = RawClient.greet(server)) {
                client.ask(Options.GO, new ExportQuery("").bytes());
                ByteBuffer out = ByteBuffer.allocate(28 + 512);
                new RequestHeader().set(0, Commands.WRITE, 1, 0, 512).put(out, false);
                client.send(out.clear().limit(cut));
            }
            assertThat(ending()).isNotNull();
        }
        assertThat(bytes.slice(0, 512)).isEqualTo(before);
        requireStillServing();
    }

    @ParameterizedTest
    @CsvSource({"1,4096", "4096,4095", "512,512", "4095,2", "0,1"})
    void requests_that_do_not_lie_on_blocks_are_refused_and_change_nothing(long offset, int length) throws Exception {
        start(ServerLimits.defaults());
        server.add(Export.named("blocks").of(new ForwardingDevice(BlockDevices.ofBytes("blocks", bytes)) {
            @Override
            public Features features() {
                return new Features(false, true, true, true, true, 0, 4096, 4096, 1 << 20, false, false);
            }
        }));
        ByteBuffer before =
                ByteBuffer.allocate(16_384).put(bytes.slice(0, 16_384)).flip();
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.GO, new ExportQuery("blocks").bytes()))
                    .isEqualTo(OptionReplies.ERR_BLOCK_SIZE_REQD);
            client.ask(Options.GO, new ExportQuery("blocks", InfoTypes.BLOCK_SIZE).bytes());
            for (int type : new int[] {Commands.READ, Commands.TRIM, Commands.WRITE_ZEROES, Commands.CACHE}) {
                client.request(0, type, type, offset, length);
                assertThat(client.reply().header().error())
                        .as(Commands.name(type))
                        .isEqualTo(22);
            }
            client.request(0, Commands.WRITE, 9, offset, length);
            client.send(ByteBuffer.allocate(length));
            assertThat(client.reply().header().error()).isEqualTo(22);
            client.request(0, Commands.READ, 10, 4096, 4096);
            assertThat(client.reply().header().error()).isZero();
        }
        assertThat(bytes.slice(0, 16_384)).isEqualTo(before);
    }

    @Test
    void half_open_connections_wait_for_their_turn_and_keep_nobody_out_for_ever() throws Exception {
        start(ServerLimits.defaults().withConnections(8).withHandshake(Duration.ofMillis(500)));
        List<SocketChannel> idle = new ArrayList<>();
        try {
            for (int i = 0; i < 40; i++) {
                idle.add(SocketChannel.open(server.addresses().get(0)));
            }
            requireStillServing();
        } finally {
            for (SocketChannel channel : idle) {
                channel.close();
            }
        }
    }

    @Test
    @Timeout(20)
    void closing_hangs_up_on_clients_in_every_state() throws Exception {
        start(ServerLimits.defaults());
        try (RawClient silent = RawClient.connect(server.addresses().get(0));
                RawClient haggling = RawClient.greet(server);
                RawClient busy = RawClient.greet(server)) {
            silent.take(18);
            haggling.ask(Options.LIST);
            busy.ask(Options.GO, new ExportQuery("").bytes());
            for (int i = 0; i < 100; i++) {
                busy.request(0, Commands.READ, i, 0, 1 << 20);
            }
            server.close();
            assertThat(silent.isHungUp()).isTrue();
            assertThat(server.clients()).isEmpty();
        }
    }

    @Test
    void flags_that_no_protocol_knows_are_refused() throws Exception {
        start(ServerLimits.defaults());
        try (RawClient client = RawClient.connect(server.addresses().get(0))) {
            client.take(18);
            client.send(ByteBuffer.allocate(4)
                    .putInt(HandshakeFlags.FIXED_NEWSTYLE | 1 << 30)
                    .flip());
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).contains("were not offered");
    }
}
