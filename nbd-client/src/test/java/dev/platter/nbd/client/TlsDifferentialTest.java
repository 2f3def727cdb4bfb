package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.nbd.tls.PeerIdentity;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TlsFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** TLS with servers that others wrote, by addresses alone. */
@Timeout(300)
class TlsDifferentialTest {
    private static final long SIZE = 1 << 20;

    @TempDir
    static Path pki;

    @TempDir
    Path folder;

    private @Nullable ServerProcess server;

    @BeforeAll
    static void makeCertificates() throws IOException {
        TlsFiles.make(pki);
    }

    @AfterEach
    void stop() {
        if (server != null) {
            server.close();
        }
    }

    private String raw() throws IOException {
        return TempImages.raw(folder, "disk", Contents.testBytes(SIZE)).toString();
    }

    private ServerProcess qemuNbd(String credentials) throws IOException {
        server = ServerProcess.qemuNbd(folder, "-f", "raw", "-r", "--object", credentials, "--tls-creds", "t", raw());
        return server;
    }

    private static String x509(boolean verify) {
        return "tls-creds-x509,id=t,endpoint=server,dir=" + pki + ",verify-peer=" + (verify ? "on" : "off");
    }

    private static void assertReads(String uri, NbdClientOptions options) throws IOException {
        try (NbdExport export = NbdClient.to(uri).with(options).open()) {
            assertThat(export.protocol().tls()).isTrue();
            Contents.testBytes(SIZE).assertAll(export);
            Contents.testBytes(SIZE).assertRead(export, 100, 5000);
        }
    }

    @Test
    void exportIsReadWithTheServersCertificateVerified() throws Exception {
        String uri = qemuNbd(x509(false)).tlsUri("", "tls-certificates=" + pki + "&tls-hostname=localhost");

        assertReads(uri, NbdClientOptions.defaults());
        try (NbdExport export = NbdClient.to(uri).open()) {
            assertThat(export.protocol().peer()).isEqualTo(new PeerIdentity(PeerIdentity.Kind.X509, "CN=localhost"));
        }
    }

    @Test
    void exportIsReadByTcpWithTheAddressVerified() throws Exception {
        server = ServerProcess.qemuNbdTcp(
                "-f", "raw", "-r", "-e", "4", "--object", x509(true), "--tls-creds", "t", raw());

        assertReads(
                server.tlsUri("", "tls-certificates=" + pki),
                NbdClientOptions.builder().connections(4).build());
    }

    @Test
    void certificateOfAnotherHostIsRefused() throws Exception {
        String uri = qemuNbd(x509(false)).tlsUri("", "tls-certificates=" + pki + "&tls-hostname=other.example");

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("TLS handshake failed");
        assertReads(uri + "&tls-verify-peer=0", NbdClientOptions.defaults());
    }

    @Test
    void unixSocketHasNoNameThatACertificateCouldBeFor() throws Exception {
        String uri = qemuNbd(x509(false)).tlsUri("", "tls-certificates=" + pki);

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("No hostname");
    }

    @Test
    void certificateOfAnUnknownAuthorityIsRefused() throws Exception {
        String uri = qemuNbd(x509(false)).tlsUri("", "tls-hostname=localhost");

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(IOException.class)
                .hasMessageContaining("TLS handshake failed");
    }

    @Test
    void serverWithTlsIsNotUsedWithout() throws Exception {
        String uri = qemuNbd(x509(false)).uri("");

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(OptionRefusedException.class)
                .hasMessageContaining("nbds://");
        assertThatThrownBy(() -> NbdClient.to(uri).list()).isInstanceOf(OptionRefusedException.class);
    }

    @Test
    void serverWithoutTlsIsNotUsedWhereItIsRequired() throws Exception {
        server = ServerProcess.qemuNbd(folder, "-f", "raw", "-r", raw());
        String uri = server.tlsUri("", "tls-certificates=" + pki + "&tls-hostname=localhost");

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(OptionRefusedException.class)
                .hasMessageContaining("refuses TLS, which is required");
    }

    @Test
    void clientWithoutACertificateIsToldWhatTheServerWants() throws Exception {
        Path other = Files.createDirectory(folder.resolve("pki"));
        Files.copy(pki.resolve("ca-cert.pem"), other.resolve("ca-cert.pem"));
        String uri = qemuNbd(x509(true)).tlsUri("", "tls-certificates=" + other + "&tls-hostname=localhost");

        assertThatThrownBy(() -> NbdClient.to(uri).open())
                .isInstanceOf(IOException.class)
                .message()
                .satisfiesAnyOf(
                        text -> assertThat(text).containsIgnoringCase("certificate"),
                        text -> assertThat(text).contains("closed the connection"));
    }

    @Test
    void exportIsReadWithASharedKey() throws Exception {
        ServerProcess running = qemuNbd("tls-creds-psk,id=t,endpoint=server,dir=" + pki);
        String file = "tls-psk-file=" + pki.resolve("keys.psk");

        assertReads(running.tlsUri("alice@", file), NbdClientOptions.defaults());
        assertThatThrownBy(() -> NbdClient.to(running.tlsUri("bob@", file)).open())
                .hasMessageContaining("bob not found in PSK file");
    }

    @Test
    void nbdkitIsReadWithTlsToo() throws Exception {
        server = ServerProcess.nbdkit(
                folder, "--tls=require", "--tls-certificates=" + pki, "--tls-verify-peer", "file", raw());
        String uri = server.tlsUri("", "tls-certificates=" + pki + "&tls-hostname=localhost");

        assertReads(uri, NbdClientOptions.defaults());
        assertThat(NbdClient.to(uri).list().exports()).hasSize(1);
    }

    @Test
    void interruptedThreadLeavesTheEncryptedConnectionAlive() throws Exception {
        String uri = qemuNbd(x509(false)).tlsUri("", "tls-certificates=" + pki + "&tls-hostname=localhost");
        try (NbdExport export = NbdClient.to(uri).open()) {
            for (int i = 0; i < 50; i++) {
                Thread victim = new Thread(() -> {
                    ByteBuffer into = ByteBuffer.allocateDirect((int) SIZE);
                    while (!Thread.currentThread().isInterrupted()) {
                        try {
                            export.read(0, into.clear());
                        } catch (IOException e) {
                            Thread.currentThread().interrupt();
                        }
                    }
                });
                victim.start();
                victim.interrupt();
                Contents.testBytes(SIZE).assertRead(export, 1000, 100_000);
                victim.join();
            }
        }
    }
}
