package dev.platter.nbd.tls;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIOException;

import dev.platter.nbd.protocol.Options;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.OutputStream;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Our server's side against the clients of others. */
@Timeout(120)
class TlsClientsDifferentialTest {
    private static final PeerIdentity LAPTOP =
            new PeerIdentity(PeerIdentity.Kind.X509, "C=GB,O=Example\\, Org,CN=laptop");
    private static final PeerIdentity ALICE = new PeerIdentity(PeerIdentity.Kind.PSK, "alice");

    @TempDir
    static Path shared;

    private static Path good;
    private static Path strange;

    private final ExecutorService threads = Executors.newCachedThreadPool();

    @TempDir
    Path folder;

    private Path socket;
    private ServerSocketChannel listening;

    @BeforeAll
    static void makeCertificates() throws IOException {
        good = TestAuthority.create(shared.resolve("authority"), "Test authority")
                .directory(shared.resolve("good"));
        strange = TestAuthority.create(shared.resolve("stranger"), "Another authority")
                .directory(shared.resolve("strange"));
        Files.writeString(good.resolve("keys.psk"), "alice:00112233445566778899aabbccddeeff\n");
        Files.writeString(strange.resolve("keys.psk"), "alice:ffff2233445566778899aabbccddeeff\n");
    }

    @BeforeEach
    void listen() throws IOException {
        socket = folder.resolve("socket");
        listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listening.bind(UnixDomainSocketAddress.of(socket));
    }

    @AfterEach
    void stop() throws IOException {
        listening.close();
        threads.shutdownNow();
    }

    @Test
    void nbdinfoByKey() throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        Future<Haggling.Client> client = serveOne(psk());

        ToolResult result =
                nbdinfo("nbds+unix://alice@/?socket=" + socket + "&tls-psk-file=" + good.resolve("keys.psk"));

        assertThat(result.assertSuccess().stdout()).isEqualTo(Haggling.SIZE + "\n");
        assertThat(client.get().peer()).isEqualTo(ALICE);
    }

    @Test
    void nbdinfoWithAnotherKeyIsRefused() throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        Future<Haggling.Client> client = serveOne(psk());

        ToolResult result =
                nbdinfo("nbds+unix://alice@/?socket=" + socket + "&tls-psk-file=" + strange.resolve("keys.psk"));

        assertThat(result.exit()).isNotZero();
        assertThat(TlsPair.failureOf(client)).hasMessageContaining("the key of the other side is not the same");
    }

    @Test
    void nbdinfoByCertificates() throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        Future<Haggling.Client> client = serveOne(x509());

        ToolResult result = nbdinfo("nbds+unix:///?socket=" + socket + "&tls-certificates=" + good);

        assertThat(result.assertSuccess().stdout()).isEqualTo(Haggling.SIZE + "\n");
        assertThat(client.get().peer()).isEqualTo(LAPTOP);
        assertThat(client.get().options()).contains(Options.GO);
    }

    @Test
    void nbdinfoOfAnotherAuthorityIsRefused() throws Exception {
        ReferenceTools.assumeTool("nbdinfo");
        Path mixed = Files.createDirectory(folder.resolve("mixed"));
        Files.copy(good.resolve("ca-cert.pem"), mixed.resolve("ca-cert.pem"));
        Files.copy(strange.resolve("client-cert.pem"), mixed.resolve("client-cert.pem"));
        Files.copy(strange.resolve("client-key.pem"), mixed.resolve("client-key.pem"));
        Future<Haggling.Client> client = serveOne(x509());

        ToolResult result = nbdinfo("nbds+unix:///?socket=" + socket + "&tls-certificates=" + mixed);

        assertThat(result.exit()).isNotZero();
        assertThat(TlsPair.failureOf(client)).isInstanceOf(IOException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", ",priority=NORMAL:-VERS-ALL:+VERS-TLS1.2", ",priority=NORMAL:-VERS-ALL:+VERS-TLS1.3"})
    void qemuImgByCertificates(String priority) throws Exception {
        ReferenceTools.assumeTool("qemu-img");
        Future<Haggling.Client> client = serveOne(x509());

        ToolResult result = qemuImg("tls-creds-x509,id=tls,endpoint=client,dir=" + good + priority);

        assertThat(result.assertSuccess().stdout()).contains("virtual size: 1 MiB (1048576 bytes)");
        assertThat(client.get().peer()).isEqualTo(LAPTOP);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                ",priority=NORMAL:-VERS-ALL:+VERS-TLS1.3",
                ",priority=NORMAL:-VERS-ALL:+VERS-TLS1.2",
                ",priority=NORMAL:-VERS-ALL:+VERS-TLS1.2:-GROUP-EC-ALL",
                ",priority=NORMAL:-VERS-ALL:+VERS-TLS1.2:-CIPHER-ALL:+AES-128-CBC:-MAC-ALL:+SHA256"
            })
    void qemuImgByKey(String priority) throws Exception {
        ReferenceTools.assumeTool("qemu-img");
        Future<Haggling.Client> client = serveOne(psk());

        ToolResult result = qemuImg("tls-creds-psk,id=tls,endpoint=client,username=alice,dir=" + good + priority);

        assertThat(result.assertSuccess().stdout()).contains("virtual size: 1 MiB (1048576 bytes)");
        assertThat(client.get().peer()).isEqualTo(ALICE);
    }

    @Test
    void tls11IsRefused() throws Exception {
        ReferenceTools.assumeTool("openssl");
        for (TlsSession session : new TlsSession[] {x509(), psk()}) {
            Process process = ReferenceTools.builder(List.of(
                            "timeout",
                            "60",
                            "openssl",
                            "s_client",
                            "-unix",
                            socket.toString(),
                            "-tls1_1",
                            "-cipher",
                            "ALL@SECLEVEL=0",
                            "-psk",
                            "00112233445566778899aabbccddeeff",
                            "-psk_identity",
                            "alice"))
                    .start();
            try (SocketChannel accepted = listening.accept();
                    TlsChannel channel = new TlsChannel(accepted, session)) {
                assertThatIOException().isThrownBy(channel::handshake).withMessageContaining("rotocol");
            } finally {
                ReferenceTools.end(process);
            }
        }
    }

    @Test
    void newKeysInTheMiddleOfASessionByCertificates() throws Exception {
        askForNewKeys(
                x509(),
                "-CAfile",
                good.resolve("ca-cert.pem").toString(),
                "-cert",
                good.resolve("client-cert.pem").toString(),
                "-key",
                good.resolve("client-key.pem").toString());
    }

    @Test
    void newKeysInTheMiddleOfASessionByKey() throws Exception {
        askForNewKeys(psk(), "-psk", "00112233445566778899aabbccddeeff", "-psk_identity", "alice");
    }

    /** A line of a K makes the client of openssl ask for new keys; what it reads and says goes on under these. */
    private void askForNewKeys(TlsSession session, String... options) throws Exception {
        ReferenceTools.assumeTool("openssl");
        List<String> command =
                new ArrayList<>(List.of("timeout", "60", "openssl", "s_client", "-unix", socket.toString(), "-tls1_3"));
        command.addAll(List.of(options));
        Process process = ReferenceTools.builder(command)
                .redirectInput(ProcessBuilder.Redirect.PIPE)
                .redirectOutput(ProcessBuilder.Redirect.PIPE)
                .redirectErrorStream(true)
                .start();
        try (SocketChannel accepted = listening.accept();
                TlsChannel channel = new TlsChannel(accepted, session);
                OutputStream say = process.getOutputStream();
                BufferedReader hear = process.inputReader(StandardCharsets.UTF_8)) {
            channel.handshake();
            for (int i = 0; i < 3; i++) {
                say(say, "one\n");
                assertThat(TlsPair.read(channel, 4)).isEqualTo("one\n");
                say(say, "K\n");
                awaitLine(hear, "KEYUPDATE");
                say(say, "two\n");
                assertThat(TlsPair.read(channel, 4)).isEqualTo("two\n");
                channel.write(TlsPair.text("three\n"));
                awaitLine(hear, "three");
            }
            say(say, "Q\n");
            assertThat(channel.read(ByteBuffer.allocate(1))).isEqualTo(-1);
        } finally {
            ReferenceTools.end(process);
        }
    }

    private static void say(OutputStream to, String line) throws IOException {
        to.write(line.getBytes(StandardCharsets.US_ASCII));
        to.flush();
    }

    private static void awaitLine(BufferedReader from, String line) throws IOException {
        StringBuilder said = new StringBuilder();
        while (!said.toString().endsWith(line + "\n")) {
            String next = from.readLine();
            if (next == null) {
                throw new IOException("it ended before it said " + line + ": " + said);
            }
            said.append(next).append('\n');
        }
    }

    private ToolResult nbdinfo(String uri) throws IOException {
        return ReferenceTools.run("nbdinfo", "--size", uri);
    }

    private ToolResult qemuImg(String credentials) throws IOException {
        String hostName = credentials.startsWith("tls-creds-x509") ? ",file.tls-hostname=localhost" : "";
        return ReferenceTools.run(
                "qemu-img",
                "info",
                "--object",
                credentials,
                "--image-opts",
                "driver=raw,read-only=on,file.driver=nbd,file.server.type=unix,file.server.path=" + socket
                        + ",file.tls-creds=tls" + hostName);
    }

    private Future<Haggling.Client> serveOne(TlsSession session) {
        return threads.submit(() -> {
            try (SocketChannel accepted = listening.accept()) {
                return Haggling.serve(accepted, session);
            }
        });
    }

    private static TlsSession x509() throws IOException {
        return X509Credentials.server(good).read().serverSession();
    }

    private static TlsSession psk() throws IOException {
        return PskCredentials.server(good.resolve("keys.psk")).serverSession();
    }
}
