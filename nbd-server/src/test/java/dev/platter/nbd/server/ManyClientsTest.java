package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevices;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** A thousand clients at once: nobody is kept out for long, and all end with the server. */
@Timeout(120)
class ManyClientsTest {
    private static final int MANY = 1000;

    private final ByteBuffer bytes = ByteBuffer.wrap(TestBytes.of(0, 1 << 20));
    private final List<RawClient> clients = new ArrayList<>();
    private final BlockingQueue<String> endings = new LinkedBlockingQueue<>();

    @SuppressWarnings("NullAway.Init") // each test starts its own
    private NbdServer server;

    @AfterEach
    void stop() throws IOException {
        for (RawClient client : clients) {
            client.close();
        }
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

    private RawClient connect() throws IOException {
        RawClient client = RawClient.connect(server.addresses().get(0));
        clients.add(client);
        return client;
    }

    private RawClient open() throws IOException {
        RawClient client = RawClient.greet(server);
        clients.add(client);
        assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
        return client;
    }

    private void requireRead(RawClient client, int block) throws IOException {
        client.request(0, Commands.READ, block, 512L * block, 512);
        assertThat(client.reply().header().cookie()).isEqualTo(block);
        assertThat(client.take(512)).isEqualTo(bytes.slice(512 * block, 512));
    }

    @Test
    void a_thousand_half_open_connections_keep_nobody_out_and_end_at_their_deadline() throws Exception {
        start(ServerLimits.defaults().withHandshake(Duration.ofSeconds(3)));
        for (int i = 0; i < MANY; i++) {
            connect();
        }

        requireRead(open(), 7);

        for (RawClient silent : clients.subList(0, MANY)) {
            silent.take(18);
            assertThat(silent.isHungUp()).isTrue();
        }
        for (int i = 0; i < MANY; i++) {
            assertThat(endings.poll(20, TimeUnit.SECONDS)).isEqualTo("the handshake took too long");
        }
        requireRead(clients.get(MANY), 8);
    }

    @Test
    void a_thousand_clients_are_served_at_once_and_all_end_with_the_server() throws Exception {
        start(ServerLimits.defaults());
        for (int i = 0; i < MANY; i++) {
            open();
        }
        assertThat(server.clients()).hasSize(MANY);

        for (int i = 0; i < MANY; i++) {
            requireRead(clients.get(i), i);
        }
        server.close();

        for (RawClient client : clients) {
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(server.clients()).isEmpty();
    }

    @Test
    void whoever_is_one_too_many_is_served_when_another_leaves() throws Exception {
        start(ServerLimits.defaults().withConnections(MANY));
        for (int i = 0; i < MANY; i++) {
            open();
        }
        RawClient late = connect();

        clients.get(0).close();

        late.take(18);
        assertThat(endings.poll(20, TimeUnit.SECONDS)).isEmpty();
    }
}
