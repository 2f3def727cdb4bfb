package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our client's side against the servers of others. */
@Timeout(120)
class TlsServersDifferentialTest {
    private static final String TLS13 = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
    private static final String TLS12 = "NORMAL:-VERS-ALL:+VERS-TLS1.2";

    @TempDir
    static Path shared;

    private static TestAuthority authority;
    private static Path good;
    private static Path strange;
    private static Path disk;

    @TempDir
    Path folder;

    private Path socket;
    private Path said;

    @BeforeAll
    static void makeCertificates() throws IOException {
        authority = TestAuthority.create(shared.resolve("authority"), "Test authority");
        good = authority.directory(shared.resolve("good"));
        strange = TestAuthority.create(shared.resolve("stranger"), "Another authority")
                .directory(shared.resolve("strange"));
        disk = Files.write(shared.resolve("disk"), new byte[(int) Haggling.SIZE]);
        Files.writeString(good.resolve("keys.psk"), "alice:00112233445566778899aabbccddeeff\nqemu:ffee\n");
        Files.writeString(strange.resolve("keys.psk"), "alice:ffff2233445566778899aabbccddeeff\n");
    }

    @BeforeEach
    void place() {
        socket = folder.resolve("socket");
        said = folder.resolve("said");
    }

    @ParameterizedTest
    @ValueSource(strings = {TLS12, TLS13})
    void qemuNbdByCertificates(String priority) throws Exception {
        try (Program server = qemuNbd(x509(good) + ",priority=" + priority)) {
            TlsChannel channel = Haggling.startTls(
                    server.connect(), X509Credentials.client(good).read().clientSession("localhost"));

            assertThat(channel.peer()).isEqualTo(new PeerIdentity(PeerIdentity.Kind.X509, "CN=localhost"));
            assertThat(Haggling.exports(channel)).containsExactly("disk", "ACK");
        }
    }

    @Test
    void qemuNbdOfAnotherAuthorityIsRefused() throws Exception {
        try (Program server = qemuNbd(x509(strange))) {
            assertThatIOException()
                    .isThrownBy(() -> Haggling.startTls(
                            server.connect(),
                            X509Credentials.client(good).read().clientSession("localhost")))
                    .withMessageContaining("The certificate hasn't got a known issuer");
        }
    }

    @Test
    void qemuNbdOfAnotherNameIsRefused() throws Exception {
        try (Program server = qemuNbd(x509(good))) {
            assertThatIOException()
                    .isThrownBy(() -> Haggling.startTls(
                            server.connect(),
                            X509Credentials.client(good).read().clientSession("bad.example")))
                    .withMessageContaining("Certificate does not match the hostname bad.example");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {TLS12, TLS13})
    void qemuNbdRefusesAClientWithoutACertificate(String priority) throws Exception {
        Path bare = Files.createDirectory(folder.resolve("bare"));
        Files.copy(good.resolve("ca-cert.pem"), bare.resolve("ca-cert.pem"));
        try (Program server = qemuNbd(x509(good) + ",priority=" + priority)) {
            assertThatIOException()
                    .isThrownBy(() -> Haggling.exports(Haggling.startTls(
                            server.connect(),
                            X509Credentials.client(bare).read().clientSession("localhost"))));
        }
    }

    @Test
    void qemuNbdWritesOurNameAsWeDo() throws Exception {
        Path directory = Files.createDirectory(folder.resolve("named"));
        Files.copy(good.resolve("ca-cert.pem"), directory.resolve("ca-cert.pem"));
        authority.issue(
                directory.resolve("client-cert.pem"),
                directory.resolve("client-key.pem"),
                "/C=GB/ST=London/O=Example, \"Org\" #1/OU=a+OU=b/emailAddress=me@example.org/UID=me/CN=laptop ");
        try (Program server =
                qemuNbd(x509(good), "--object", "authz-simple,id=a,identity=nobody", "--tls-authz", "a")) {
            assertThatIOException()
                    .isThrownBy(() -> Haggling.exports(Haggling.startTls(
                            server.connect(),
                            X509Credentials.client(directory).read().clientSession("localhost"))));

            String ours = DistinguishedNames.render(PemFiles.certificates(directory.resolve("client-cert.pem"))
                    .get(0)
                    .getSubjectX500Principal());
            assertThat(server.complaints()).contains("TLS x509 authz check for " + ours + " is denied");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                TLS13,
                TLS12,
                TLS12 + ":-ECDHE-PSK:-DHE-PSK:+DHE-PSK",
                TLS12 + ":-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256",
                TLS12 + ":-CIPHER-ALL:+AES-256-GCM"
            })
    void qemuNbdByKey(String priority) throws Exception {
        try (Program server = qemuNbd(psk(good) + ",priority=" + priority)) {
            TlsChannel channel = Haggling.startTls(
                    server.connect(),
                    PskCredentials.client(good.resolve("keys.psk"), "alice").clientSession(null));

            assertThat(channel.peer()).isEqualTo(new PeerIdentity(PeerIdentity.Kind.PSK, "alice"));
            assertThat(Haggling.exports(channel)).containsExactly("disk", "ACK");
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {TLS12, TLS13})
    void qemuNbdWithAnotherKeyIsRefused(String priority) throws Exception {
        try (Program server = qemuNbd(psk(good) + ",priority=" + priority)) {
            assertThatIOException()
                    .isThrownBy(() -> Haggling.exports(Haggling.startTls(
                            server.connect(),
                            PskCredentials.client(strange.resolve("keys.psk"), "alice")
                                    .clientSession(null))));
        }
    }

    @Test
    void qemuNbdByCertificatesIsNoServerByKey() throws Exception {
        try (Program server = qemuNbd(x509(good))) {
            assertThatIOException()
                    .isThrownBy(() -> Haggling.startTls(
                            server.connect(),
                            PskCredentials.client(good.resolve("keys.psk"), "alice")
                                    .clientSession(null)));
        }
    }

    @Test
    void nbdkitByCertificates() throws Exception {
        try (Program server = nbdkit("--tls-certificates=" + good, "--tls-verify-peer")) {
            TlsChannel channel = Haggling.startTls(
                    server.connect(), X509Credentials.client(good).read().clientSession("localhost"));

            assertThat(channel.peer().name()).isEqualTo("CN=localhost");
            assertThat(Haggling.exports(channel)).containsExactly("", "ACK");
        }
    }

    @Test
    void nbdkitByKey() throws Exception {
        try (Program server = nbdkit("--tls-psk=" + good.resolve("keys.psk"))) {
            TlsChannel channel = Haggling.startTls(
                    server.connect(),
                    PskCredentials.client(good.resolve("keys.psk"), "alice").clientSession(null));

            assertThat(Haggling.exports(channel)).containsExactly("", "ACK");
        }
    }

    private Program qemuNbd(String credentials, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                "qemu-nbd",
                "-k",
                socket.toString(),
                "-t",
                "-r",
                "-f",
                "raw",
                "-x",
                "disk",
                "--object",
                credentials,
                "--tls-creds",
                "tls"));
        command.addAll(List.of(more));
        command.add(disk.toString());
        return Program.start(socket, said, command);
    }

    private Program nbdkit(String... options) throws IOException {
        ReferenceTools.assumeTool("nbdkit");
        List<String> command = new ArrayList<>(List.of("nbdkit", "-f", "-U", socket.toString(), "--tls=require"));
        command.addAll(List.of(options));
        command.addAll(List.of("memory", "1M"));
        return Program.start(socket, said, command);
    }

    private static String x509(Path directory) {
        return "tls-creds-x509,id=tls,endpoint=server,dir=" + directory;
    }

    private static String psk(Path directory) {
        return "tls-creds-psk,id=tls,endpoint=server,dir=" + directory;
    }
}
