package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevices;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.tls.PeerIdentity;
import dev.platter.nbd.tls.TlsCredentials;
import dev.platter.nbd.tls.TlsSession;
import dev.platter.nbd.tls.X509Credentials;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.TlsFiles;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that try to get around TLS, or to profit from what was said before it. */
@Timeout(60)
class HostileTlsClientTest {
    @TempDir
    private static Path pki;

    @TempDir
    private Path folder;

    private final ByteBuffer bytes = ByteBuffer.wrap(TestBytes.of(0, 1 << 20));
    private final BlockingQueue<String> endings = new LinkedBlockingQueue<>();

    @SuppressWarnings("NullAway.Init") // each test starts its own
    private NbdServer server;

    @BeforeAll
    static void makeTlsFiles() throws IOException {
        TlsFiles.make(pki);
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private void start(boolean required, ServerLimits limits) throws IOException {
        TlsCredentials credentials =
                X509Credentials.server(pki).verifyPeer(true).read();
        NbdServer.Builder builder = NbdServer.builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .export(Export.named("").of(BlockDevices.ofBytes("disk", bytes)))
                .limits(limits)
                .listener(new ServerListener() {
                    @Override
                    public void disconnected(ClientInfo client, String why) {
                        endings.add(why);
                    }
                });
        server = (required ? builder.tls(credentials) : builder.tlsOptional(credentials)).start();
    }

    private static TlsSession session(Path files) throws IOException {
        return X509Credentials.client(files).read().clientSession("localhost");
    }

    private String ending() throws InterruptedException {
        String why = endings.poll(20, TimeUnit.SECONDS);
        assertThat(why).as("why the connection ended").isNotNull();
        return why;
    }

    private void requireStillServing() throws IOException {
        try (RawClient clear = RawClient.greet(server);
                RawClient client = clear.secure(session(pki))) {
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
            client.request(0, Commands.READ, 1, 0, 512);
            assertThat(client.reply().header().error()).isZero();
            assertThat(client.take(512)).isEqualTo(bytes.slice(0, 512));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 16, 40})
    void plaintext_behind_starttls_ends_the_connection_before_tls_begins(int more) throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            ByteBuffer both = ByteBuffer.allocate(OptionHeader.BYTES + more);
            new OptionHeader(Options.STARTTLS, 0).put(both);
            if (more >= OptionHeader.BYTES) {
                new OptionHeader(Options.STRUCTURED_REPLY, 0).put(both);
            }
            client.send(both.clear());
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo(more + " bytes behind STARTTLS, before TLS began");
        requireStillServing();
    }

    @Test
    void starttls_with_data_ends_the_connection() throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            client.sendOption(Options.STARTTLS, (byte) 1);
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("STARTTLS takes no data");
        requireStillServing();
    }

    @Test
    void starttls_within_tls_is_refused_and_the_next_option_works() throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient clear = RawClient.greet(server);
                RawClient client = clear.secure(session(pki))) {
            assertThat(client.ask(Options.STARTTLS)).isEqualTo(OptionReplies.ERR_INVALID);
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
        }
    }

    @Test
    void what_was_agreed_on_in_the_clear_is_forgotten() throws Exception {
        start(false, ServerLimits.defaults());
        byte[] contexts = new MetaContextQuery("", List.of("base:allocation")).bytes();
        try (RawClient clear = RawClient.greet(server)) {
            assertThat(clear.ask(Options.STRUCTURED_REPLY)).isEqualTo(OptionReplies.ACK);
            assertThat(clear.ask(Options.SET_META_CONTEXT, contexts)).isEqualTo(OptionReplies.ACK);
            RawClient client = clear.secure(session(pki));
            assertThat(client.ask(Options.SET_META_CONTEXT, contexts)).isEqualTo(OptionReplies.ERR_INVALID);
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
            client.request(0, Commands.BLOCK_STATUS, 1, 0, 4096);
            assertThat(client.reply().header().error()).isEqualTo(22);
            client.request(0, Commands.READ, 2, 0, 512);
            assertThat(client.reply().header().error()).as("a simple reply").isZero();
            assertThat(client.take(512)).isEqualTo(bytes.slice(0, 512));
        }
    }

    @Test
    void nothing_but_starttls_and_abort_is_done_before_tls_that_is_required() throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            for (int option : new int[] {
                Options.LIST,
                Options.INFO,
                Options.GO,
                Options.STRUCTURED_REPLY,
                Options.LIST_META_CONTEXT,
                Options.SET_META_CONTEXT,
                Options.EXTENDED_HEADERS,
                77
            }) {
                assertThat(client.ask(option)).as(Options.name(option)).isEqualTo(OptionReplies.ERR_TLS_REQD);
            }
            assertThat(client.ask(Options.ABORT)).isEqualTo(OptionReplies.ACK);
        }
    }

    @Test
    void export_name_before_tls_that_is_required_ends_the_connection() throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            client.sendOption(Options.EXPORT_NAME);
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("EXPORT_NAME without TLS, which is required");
    }

    @Test
    void half_a_hello_of_tls_ends_at_the_deadline() throws Exception {
        start(true, ServerLimits.defaults().withHandshake(Duration.ofMillis(500)));
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.STARTTLS)).isEqualTo(OptionReplies.ACK);
            // a record of 512 bytes, of which five are the header
            client.send(ByteBuffer.wrap(new byte[] {22, 3, 1, 2, 0, 1, 0, 1}));
            assertThat(client.isHungUp()).isTrue();
        }
        assertThat(ending()).isEqualTo("the handshake took too long");
    }

    @Test
    void what_is_no_hello_of_tls_ends_the_connection() throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.STARTTLS)).isEqualTo(OptionReplies.ACK);
            client.sendOption(Options.GO, new ExportQuery("").bytes());
            assertThat(ending()).startsWith("TLS handshake failed");
        }
        requireStillServing();
    }

    @Test
    void client_without_a_certificate_gets_nothing() throws Exception {
        start(true, ServerLimits.defaults());
        Path other = Files.createDirectory(folder.resolve("pki"));
        Files.copy(pki.resolve("ca-cert.pem"), other.resolve("ca-cert.pem"));
        try (RawClient clear = RawClient.greet(server)) {
            // with TLS 1.3 the client is told after its handshake
            assertThatThrownBy(() -> clear.secure(session(other)).ask(Options.LIST))
                    .isInstanceOf(IOException.class);
        }
        assertThat(ending()).startsWith("TLS handshake failed");
    }

    @Test
    void who_a_client_is_comes_from_its_certificate() throws Exception {
        start(true, ServerLimits.defaults());
        try (RawClient clear = RawClient.greet(server);
                RawClient client = clear.secure(session(pki))) {
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
            assertThat(server.clients())
                    .extracting(ClientInfo::identity)
                    .containsExactly(new PeerIdentity(PeerIdentity.Kind.X509, TlsFiles.CLIENT));
        }
    }
}
