package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.security.KeyStore;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import javax.net.ssl.KeyManager;
import javax.net.ssl.SSLContext;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Sessions by certificates, both sides ours. */
@Timeout(120)
class X509SessionTest {
    private static final AtomicInteger FOLDERS = new AtomicInteger();

    @TempDir
    static Path folder;

    private static TestAuthority authority;
    private static TestAuthority stranger;
    private static Path good;
    private static Path strange;

    private X509Credentials server;
    private X509Credentials client;

    @BeforeAll
    static void makeCertificates() throws IOException {
        authority = TestAuthority.create(folder.resolve("authority"), "Test authority");
        stranger = TestAuthority.create(folder.resolve("stranger"), "Another authority");
        good = authority.directory(folder.resolve("good"));
        strange = stranger.directory(folder.resolve("strange"));
    }

    @BeforeEach
    void readCertificates() throws IOException {
        server = X509Credentials.server(good).read();
        client = X509Credentials.client(good).read();
    }

    @ParameterizedTest
    @ValueSource(strings = {"localhost", "localhost.", "LOCALHOST", "127.0.0.1"})
    void bothSidesLearnWhoTheOtherIs(String host) throws Exception {
        try (TlsPair pair =
                TlsPair.of(client.clientSession(host), server.serverSession()).shaken()) {
            assertThat(pair.server.peer())
                    .isEqualTo(new PeerIdentity(PeerIdentity.Kind.X509, "C=GB,O=Example\\, Org,CN=laptop"));
            assertThat(pair.client.peer()).isEqualTo(new PeerIdentity(PeerIdentity.Kind.X509, "CN=localhost"));
        }
    }

    @Test
    void carriesDataBothWaysAtTheSameTime() throws Exception {
        byte[] sent = new byte[5_000_001];
        for (int i = 0; i < sent.length; i++) {
            sent[i] = (byte) (i / 7);
        }
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), server.serverSession())
                .shaken()) {
            Future<Integer> up = pair.background(() -> pair.client.write(ByteBuffer.wrap(sent)));
            Future<Integer> down = pair.background(() -> pair.server.write(ByteBuffer.wrap(sent)));
            Future<byte[]> received = pair.background(() -> readFully(pair.server, sent.length));

            assertThat(readFully(pair.client, sent.length)).isEqualTo(sent);
            assertThat(received.get()).isEqualTo(sent);
            assertThat(up.get() + down.get()).isEqualTo(2 * sent.length);
        }
    }

    @Test
    void worksByteByByte() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(
                        Pipes.trickling(pipes.one(), 1),
                        Pipes.trickling(pipes.other(), 1),
                        client.clientSession("localhost"),
                        server.serverSession())
                .shaken()) {
            pair.client.write(TlsPair.text("hello"));
            assertThat(TlsPair.read(pair.server, 5)).isEqualTo("hello");
        }
    }

    @Test
    void closeIsHeardAsTheEnd() throws Exception {
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), server.serverSession())
                .shaken()) {
            pair.client.write(TlsPair.text("bye"));
            pair.client.close();

            assertThat(TlsPair.read(pair.server, 3)).isEqualTo("bye");
            assertThat(pair.server.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void aConnectionCutOffIsAnError() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(
                        pipes.one(), pipes.other(), client.clientSession("localhost"), server.serverSession())
                .shaken()) {
            pair.client.write(TlsPair.text("half"));
            pipes.one().close();

            assertThat(TlsPair.read(pair.server, 4)).isEqualTo("half");
            assertThatIOException()
                    .isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("without close_notify");
        }
    }

    @Test
    void aRecordThatWasTamperedWithIsAnError() throws Exception {
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(
                        pipes.one(), pipes.other(), client.clientSession("localhost"), server.serverSession())
                .shaken()) {
            pipes.one().write(ByteBuffer.wrap(new byte[] {23, 3, 3, 0, 40}));
            pipes.one().write(ByteBuffer.allocate(40));

            assertThatIOException()
                    .isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("Tag mismatch");
            assertThatIOException().isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)));
            pair.server.close();
            assertThatIOException()
                    .isThrownBy(() -> pair.client.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("bad_record_mac");
        }
    }

    @Test
    void clearTextInThePlaceOfTlsIsAnError() throws Exception {
        Pipes pipes = Pipes.open();
        ByteChannel attacker = pipes.one();
        try (TlsChannel channel = new TlsChannel(pipes.other(), server.serverSession())) {
            attacker.write(TlsPair.text("IHAVEOPT and so on, in clear"));

            assertThatIOException().isThrownBy(channel::handshake).withMessageStartingWith("TLS handshake failed: ");
        }
    }

    @Test
    void aServerOfAStrangerIsRefused() throws Exception {
        X509Credentials other =
                X509Credentials.server(strange).verifyPeer(false).read();
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), other.serverSession())
                .shake()) {
            assertThat(pair.clientFailure()).contains("The certificate hasn't got a known issuer");
            assertThat(pair.serverFailure()).contains("Received fatal alert");
        }
    }

    @Test
    void aClientOfAStrangerIsRefusedAndHearsItWhenItReads() throws Exception {
        Path mixed = Files.createDirectories(folder.resolve("mixed"));
        Files.copy(good.resolve("ca-cert.pem"), mixed.resolve("ca-cert.pem"));
        Files.copy(strange.resolve("client-cert.pem"), mixed.resolve("client-cert.pem"));
        Files.copy(strange.resolve("client-key.pem"), mixed.resolve("client-key.pem"));
        X509Credentials other = X509Credentials.client(mixed).read();

        try (TlsPair pair = TlsPair.of(other.clientSession("localhost"), server.serverSession())
                .shake()) {
            assertThat(pair.serverFailure()).contains("The certificate hasn't got a known issuer");
            assertThat(pair.clientFailure()).isEqualTo("null");
            assertThatIOException()
                    .isThrownBy(() -> pair.client.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("Received fatal alert");
        }
    }

    @Test
    void aClientWithoutACertificateIsRefusedAndHearsItWhenItReads() throws Exception {
        X509Credentials nobody = X509Credentials.client(authorityFolder()).read();

        try (TlsPair pair = TlsPair.of(nobody.clientSession("localhost"), server.serverSession())
                .shake()) {
            assertThat(pair.serverFailure()).contains("Empty client certificate chain");
            assertThat(pair.clientFailure()).isEqualTo("null");
            assertThatIOException()
                    .isThrownBy(() -> pair.client.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("Received fatal alert");
        }
    }

    @Test
    void aServerThatDoesNotVerifyAsksForNothing() throws Exception {
        X509Credentials careless =
                X509Credentials.server(good).verifyPeer(false).read();
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), careless.serverSession())
                .shaken()) {
            assertThat(pair.server.peer()).isEqualTo(PeerIdentity.ANONYMOUS);
        }
    }

    @Test
    void aClientThatDoesNotVerifyTakesAnybodyAsNobody() throws Exception {
        X509Credentials careless =
                X509Credentials.client(good).verifyPeer(false).read();
        X509Credentials other =
                X509Credentials.server(strange).verifyPeer(false).read();
        try (TlsPair pair =
                TlsPair.of(careless.clientSession(null), other.serverSession()).shaken()) {
            assertThat(pair.client.peer()).isEqualTo(PeerIdentity.ANONYMOUS);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"bad.example", "127.0.0.2", "localhost.example", "::1", "under_score"})
    void anotherHostNameIsRefused(String host) throws Exception {
        try (TlsPair pair =
                TlsPair.of(client.clientSession(host), server.serverSession()).shake()) {
            assertThat(pair.clientFailure()).contains("Certificate does not match the hostname " + host);
            assertThat(pair.serverFailure()).contains("Received fatal alert");
        }
    }

    @Test
    void anExpiredServerIsRefused() throws Exception {
        Path expired = authorityFolder();
        Instant now = Instant.now();
        authority.issue(
                expired.resolve("server-cert.pem"),
                expired.resolve("server-key.pem"),
                "/CN=localhost",
                now.minus(3, ChronoUnit.DAYS),
                now.minus(1, ChronoUnit.DAYS),
                "subjectAltName=DNS:localhost");
        X509Credentials old = X509Credentials.server(expired).sanityCheck(false).read();

        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), old.serverSession())
                .shake()) {
            assertThat(pair.clientFailure()).contains("The certificate has expired");
            assertThat(pair.serverFailure()).contains("Received fatal alert");
        }
    }

    @Test
    void aClientOfTomorrowIsRefused() throws Exception {
        Path early = authorityFolder();
        Instant now = Instant.now();
        authority.issue(
                early.resolve("client-cert.pem"),
                early.resolve("client-key.pem"),
                "/CN=early",
                now.plus(1, ChronoUnit.DAYS),
                now.plus(3, ChronoUnit.DAYS));
        X509Credentials tomorrow =
                X509Credentials.client(early).sanityCheck(false).read();

        try (TlsPair pair = TlsPair.of(tomorrow.clientSession("localhost"), server.serverSession())
                .shake()) {
            assertThat(pair.serverFailure()).contains("The certificate is not yet activated");
        }
    }

    @Test
    void aRevokedClientIsRefusedByThoseWhoHaveTheList() throws Exception {
        TestAuthority own = TestAuthority.create(newFolder(), "Revoking authority");
        Path directory = own.directory(newFolder());
        Path another = Files.createDirectories(newFolder());
        Files.copy(own.certificate(), another.resolve("ca-cert.pem"));
        own.issue(another.resolve("client-cert.pem"), another.resolve("client-key.pem"), "/CN=good");
        X509Credentials before = X509Credentials.server(directory).read();
        X509Credentials revoked = X509Credentials.client(directory).read();
        X509Credentials other = X509Credentials.client(another).read();
        own.revoke(directory.resolve("client-cert.pem"));
        own.writeRevocationList(directory.resolve("ca-crl.pem"));

        TlsPair.of(revoked.clientSession("localhost"), before.serverSession())
                .shaken()
                .close();
        before.reload();
        try (TlsPair pair = TlsPair.of(revoked.clientSession("localhost"), before.serverSession())
                .shake()) {
            assertThat(pair.serverFailure()).contains("The certificate has been revoked");
            assertThatIOException()
                    .isThrownBy(() -> pair.client.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("Received fatal alert");
        }
        TlsPair.of(other.clientSession("localhost"), before.serverSession())
                .shaken()
                .close();
    }

    @Test
    void aListThatIsOutOfDateRevokesAll() throws Exception {
        Path directory = authorityFolder();
        for (String name : new String[] {"server-cert.pem", "server-key.pem"}) {
            Files.copy(good.resolve(name), directory.resolve(name));
        }
        authority.writeOldRevocationList(directory.resolve("ca-crl.pem"));
        X509Credentials careful = X509Credentials.server(directory).read();

        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), careful.serverSession())
                .shake()) {
            assertThat(pair.serverFailure())
                    .contains("The list of revoked certificates is out of date since 2020-02-01");
        }
    }

    @Test
    void aChainThroughAnIntermediateAuthorityIsTrusted() throws Exception {
        TestAuthority below = authority.intermediate(newFolder(), "Department");
        Path directory = authorityFolder();
        Path leaf = newFolder();
        below.issue(leaf, directory.resolve("server-key.pem"), "/CN=deep", "subjectAltName=DNS:localhost");
        Files.writeString(
                directory.resolve("server-cert.pem"), Files.readString(leaf) + Files.readString(below.certificate()));
        X509Credentials deep = X509Credentials.server(directory).read();

        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), deep.serverSession())
                .shaken()) {
            assertThat(pair.client.peer().name()).isEqualTo("CN=deep");
        }
    }

    @Test
    void aSecondSessionOfTheSameCredentialsKnowsItsPeerToo() throws Exception {
        for (int i = 0; i < 3; i++) {
            try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), server.serverSession())
                    .shaken()) {
                pair.client.write(TlsPair.text("x"));
                pair.server.write(TlsPair.text("y"));
                assertThat(TlsPair.read(pair.client, 1) + TlsPair.read(pair.server, 1))
                        .isEqualTo("yx");
                assertThat(pair.server.peer().name()).isEqualTo("C=GB,O=Example\\, Org,CN=laptop");
                assertThat(pair.client.peer().name()).isEqualTo("CN=localhost");
            }
        }
    }

    @Test
    void afterAReloadNoOldSessionIsTakenUp() throws Exception {
        Path directory = authorityFolder();
        for (String name : new String[] {"server-cert.pem", "server-key.pem"}) {
            Files.copy(good.resolve(name), directory.resolve(name));
        }
        X509Credentials own = X509Credentials.server(directory).read();
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), own.serverSession())
                .shaken()) {
            // The ticket comes with the first data.
            pair.server.write(TlsPair.text("y"));
            assertThat(TlsPair.read(pair.client, 1)).isEqualTo("y");
        }
        Files.copy(
                strange.resolve("ca-cert.pem"), directory.resolve("ca-cert.pem"), StandardCopyOption.REPLACE_EXISTING);
        own.reload();

        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), own.serverSession())
                .shake()) {
            assertThat(pair.serverFailure()).contains("hasn't got a known issuer");
        }
    }

    @Test
    void talksTls12Too() throws Exception {
        try (TlsPair pair = TlsPair.of(new EngineSession(engine("TLSv1.2", "localhost"), true), server.serverSession())
                .shaken()) {
            assertThat(pair.server.peer().name()).isEqualTo("C=GB,O=Example\\, Org,CN=laptop");
            pair.client.write(TlsPair.text("hello"));
            assertThat(TlsPair.read(pair.server, 5)).isEqualTo("hello");
            pair.server.close();
            assertThat(pair.client.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        }
    }

    @Test
    void aNewHandshakeInsideASessionIsRefused() throws Exception {
        SSLEngine engine = engine("TLSv1.2", "localhost");
        Pipes pipes = Pipes.open();
        try (TlsPair pair = TlsPair.over(
                        pipes.one(), pipes.other(), new EngineSession(engine, true), server.serverSession())
                .shaken()) {
            ByteBuffer hello = ByteBuffer.allocate(engine.getSession().getPacketBufferSize());
            engine.beginHandshake();
            engine.wrap(ByteBuffer.allocate(0), hello);
            pipes.one().write(hello.flip());

            assertThatIOException()
                    .isThrownBy(() -> pair.server.read(ByteBuffer.allocate(1)))
                    .withMessageContaining("asks for a new handshake");
        }
    }

    @Test
    void dataLargerThanARecordArrivesInLargeReads() throws Exception {
        byte[] sent = "some text that is long".repeat(5000).getBytes(StandardCharsets.US_ASCII);
        try (TlsPair pair = TlsPair.of(client.clientSession("localhost"), server.serverSession())
                .shaken()) {
            Future<Integer> writing = pair.background(() -> pair.client.write(ByteBuffer.wrap(sent)));
            ByteBuffer into = ByteBuffer.allocateDirect(sent.length + (1 << 16));
            while (into.position() < sent.length) {
                pair.server.read(into);
            }
            writing.get();

            byte[] received = new byte[sent.length];
            into.flip().get(received);
            assertThat(received).isEqualTo(sent);
        }
    }

    /** Makes a client's engine with the good credentials. */
    private static SSLEngine engine(String protocol, String host) throws Exception {
        KeyStore authorities = KeyStore.getInstance(KeyStore.getDefaultType());
        authorities.load(null, null);
        authorities.setCertificateEntry(
                "ca", PemFiles.certificates(good.resolve("ca-cert.pem")).get(0));
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(authorities);
        OwnCertificate own = new OwnCertificate(
                PemFiles.certificates(good.resolve("client-cert.pem")),
                PrivateKeys.read(good.resolve("client-key.pem"), null));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(new KeyManager[] {own}, trust.getTrustManagers(), null);
        SSLEngine engine = context.createSSLEngine(host, -1);
        engine.setUseClientMode(true);
        engine.setEnabledProtocols(new String[] {protocol});
        return engine;
    }

    private static Path authorityFolder() throws IOException {
        Path directory = Files.createDirectories(newFolder());
        Files.copy(good.resolve("ca-cert.pem"), directory.resolve("ca-cert.pem"));
        return directory;
    }

    private static Path newFolder() {
        return folder.resolve("folder" + FOLDERS.incrementAndGet());
    }

    private static byte[] readFully(TlsChannel from, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        while (into.hasRemaining()) {
            if (from.read(into) < 0) {
                throw new IOException("it ended after " + into.position());
            }
        }
        return into.array();
    }
}
