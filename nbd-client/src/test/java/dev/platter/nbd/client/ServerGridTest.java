package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.Durability;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.TlsFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Our client against every server that others wrote: it reads all bytes, and what it writes is in their file. By TCP and on
 * a Unix socket each:
 *
 * <table>
 * <caption>Servers and what they can do</caption>
 * <tr><th>server</th><th>plain</th><th>X.509</th><th>shared key</th></tr>
 * <tr><td>qemu-nbd</td><td>yes</td><td>yes</td><td>yes</td></tr>
 * <tr><td>nbdkit</td><td>yes</td><td>yes</td><td>yes</td></tr>
 * <tr><td>nbd-server</td><td>yes</td><td>yes</td><td>impossible: it has none</td></tr>
 * </table>
 *
 * <p>Impossible too: extended headers, which none of these servers has in the versions that distributions ship.
 */
@Timeout(120)
class ServerGridTest {
    private static final int SIZE = 1 << 20;

    @TempDir
    static Path pki;

    @TempDir
    Path folder;

    enum Program {
        QEMU_NBD,
        NBDKIT,
        NBD_SERVER
    }

    enum Security {
        PLAIN,
        X509,
        PSK
    }

    static Stream<Arguments> cells() {
        List<Arguments> cells = new ArrayList<>();
        for (Program program : Program.values()) {
            for (Security security : Security.values()) {
                if (program != Program.NBD_SERVER || security != Security.PSK) {
                    cells.add(Arguments.of(program, security, "TCP"));
                    cells.add(Arguments.of(program, security, "Unix"));
                }
            }
        }
        return cells.stream();
    }

    @BeforeAll
    static void makeTlsFiles() throws IOException {
        TlsFiles.make(pki);
    }

    @ParameterizedTest(name = "{0} {1} {2}")
    @MethodSource("cells")
    void bytesAreTheSameOnBothSides(Program program, Security security, String transport) throws IOException {
        Path disk = TempImages.raw(folder, "disk", Contents.testBytes(SIZE));
        byte[] fresh = TestBytes.of(1 << 30, 70_000);
        try (ServerProcess server = start(program, security, transport.equals("Unix"), disk);
                NbdExport export = NbdClient.to(uri(server, program, security))
                        .with(NbdClientOptions.builder().writable(true).build())
                        .open()) {
            assertThat(export.protocol().tls()).isEqualTo(security != Security.PLAIN);
            Contents.testBytes(SIZE).assertAll(export);

            export.write(5000, ByteBuffer.wrap(fresh), Durability.NONE);
            export.flush();
            export.write(500_000, ByteBuffer.wrap(fresh), Durability.FUA);

            byte[] expected = TestBytes.of(0, SIZE);
            System.arraycopy(fresh, 0, expected, 5000, fresh.length);
            System.arraycopy(fresh, 0, expected, 500_000, fresh.length);
            assertThat(Files.readAllBytes(disk)).isEqualTo(expected);
            Contents.of(expected).assertAll(export);
        }
    }

    private ServerProcess start(Program program, Security security, boolean unix, Path disk) throws IOException {
        return switch (program) {
            case QEMU_NBD -> qemuNbd(security, unix, disk);
            case NBDKIT -> nbdkit(security, unix, disk);
            case NBD_SERVER -> nbdServer(security, unix, disk);
        };
    }

    private ServerProcess qemuNbd(Security security, boolean unix, Path disk) throws IOException {
        List<String> options = new ArrayList<>(List.of("-f", "raw"));
        if (security != Security.PLAIN) {
            String kind = security == Security.X509 ? "tls-creds-x509" : "tls-creds-psk";
            options.addAll(List.of("--object", kind + ",id=t,endpoint=server,dir=" + pki, "--tls-creds", "t"));
        }
        options.add(disk.toString());
        String[] all = options.toArray(new String[0]);
        return unix ? ServerProcess.qemuNbd(folder, all) : ServerProcess.qemuNbdTcp(all);
    }

    private ServerProcess nbdkit(Security security, boolean unix, Path disk) throws IOException {
        List<String> options = new ArrayList<>();
        if (security == Security.X509) {
            options.addAll(List.of("--tls=require", "--tls-certificates=" + pki, "--tls-verify-peer"));
        } else if (security == Security.PSK) {
            options.addAll(List.of("--tls=require", "--tls-psk=" + pki.resolve("keys.psk")));
        }
        options.addAll(List.of("file", disk.toString()));
        String[] all = options.toArray(new String[0]);
        return unix ? ServerProcess.nbdkit(folder, all) : ServerProcess.nbdkitTcp(all);
    }

    private ServerProcess nbdServer(Security security, boolean unix, Path disk) throws IOException {
        String[] tls = {
            "certfile = " + pki.resolve("server-cert.pem"),
            "keyfile = " + pki.resolve("server-key.pem"),
            "cacertfile = " + pki.resolve("ca-cert.pem"),
            "force_tls = true"
        };
        return ServerProcess.nbdServer(folder, disk, unix, security == Security.X509 ? tls : new String[0]);
    }

    private static String uri(ServerProcess server, Program program, Security security) {
        String export = program == Program.NBD_SERVER ? "disk" : "";
        return switch (security) {
            case PLAIN -> server.uri(export);
            case X509 -> server.tlsUri("", export, "tls-certificates=" + pki + "&tls-hostname=localhost");
            case PSK -> server.tlsUri(TlsFiles.KEY_OWNER + "@", export, "tls-psk-file=" + pki.resolve("keys.psk"));
        };
    }
}
