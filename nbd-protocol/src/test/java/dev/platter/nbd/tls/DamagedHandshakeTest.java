package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Flights of a handshake that were changed on their way: whoever gets them ends with an IOException, and in time. */
@Timeout(300)
class DamagedHandshakeTest {
    private static final int SEEDS = 100;

    @TempDir
    static Path folder;

    private static X509Credentials certificateServer;
    private static X509Credentials certificateClient;
    private static PskCredentials keyServer;
    private static PskCredentials keyClient;

    @BeforeAll
    static void makeCredentials() throws IOException {
        Path directory = TestAuthority.create(folder.resolve("authority"), "Test authority")
                .directory(folder.resolve("good"));
        certificateServer = X509Credentials.server(directory).read();
        certificateClient = X509Credentials.client(directory).read();
        Path keys = Files.writeString(folder.resolve("keys.psk"), "alice:0011223344\n");
        keyServer = PskCredentials.server(keys);
        keyClient = PskCredentials.client(keys, "alice");
    }

    @Test
    void aServerByCertificates() throws InterruptedException {
        Seeds.run(DamagedHandshakeTest.class, SEEDS, random -> server(certificateServer, certificateClient, random));
    }

    @Test
    void aServerByKey() throws InterruptedException {
        Seeds.run(DamagedHandshakeTest.class, SEEDS, random -> server(keyServer, keyClient, random));
    }

    @Test
    void aClientByCertificates() throws InterruptedException {
        Seeds.run(DamagedHandshakeTest.class, SEEDS, random -> client(certificateServer, certificateClient, random));
    }

    @Test
    void aClientByKey() throws InterruptedException {
        Seeds.run(DamagedHandshakeTest.class, SEEDS, random -> client(keyServer, keyClient, random));
    }

    private static void server(TlsCredentials servers, TlsCredentials clients, Random random) throws IOException {
        byte[] hello = flight(clients.clientSession("localhost"));

        endsWithAnError(servers.serverSession(), damaged(hello, random));
    }

    private static void client(TlsCredentials servers, TlsCredentials clients, Random random) throws IOException {
        TlsSession client = clients.clientSession("localhost");
        TlsSession server = servers.serverSession();
        ByteBuffer hello = ByteBuffer.wrap(flight(client));
        while (hello.hasRemaining()) {
            server.unwrap(hello, ByteBuffer.allocate(0));
        }

        endsWithAnError(client, damaged(flight(server), random));
    }

    private static void endsWithAnError(TlsSession session, byte[] heard) throws IOException {
        IOException failure = null;
        try (TlsChannel channel = new TlsChannel(new Recording(heard), session)) {
            channel.handshake();
            // A client of TLS 1.3 may be content when nothing that it checks was changed.
            channel.read(ByteBuffer.allocate(1));
        } catch (IOException e) {
            failure = e;
        }
        assertThat(failure).isNotNull();
    }

    /** Returns all that a session says before it has to hear something. */
    private static byte[] flight(TlsSession session) throws IOException {
        ByteBuffer out = ByteBuffer.allocate(1 << 17);
        while (session.wrap(ByteBuffer.allocate(0), out) != TlsSession.Status.NEEDS_RECORDS) {
            assertThat(out.remaining()).isGreaterThan(session.recordBytes());
        }
        byte[] bytes = new byte[out.position()];
        out.flip().get(bytes);
        return bytes;
    }

    private static byte[] damaged(byte[] bytes, Random random) {
        byte[] damaged = bytes.clone();
        for (int i = random.nextInt(4); i >= 0; i--) {
            damaged[random.nextInt(damaged.length)] = (byte) random.nextInt();
        }
        return damaged;
    }

    /** A connection that says what was recorded and then ends, and takes anything. */
    private static final class Recording implements ByteChannel {
        private final ByteBuffer said;

        Recording(byte[] said) {
            this.said = ByteBuffer.wrap(said);
        }

        @Override
        public int read(ByteBuffer into) {
            if (!said.hasRemaining()) {
                return -1;
            }
            int length = Math.min(into.remaining(), said.remaining());
            into.put(said.slice(said.position(), length));
            said.position(said.position() + length);
            return length;
        }

        @Override
        public int write(ByteBuffer from) {
            int length = from.remaining();
            from.position(from.limit());
            return length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {}
    }
}
