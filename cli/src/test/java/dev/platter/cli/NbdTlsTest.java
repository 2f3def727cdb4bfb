package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code platter nbd} with TLS, in the words of the manual page, and clients of others. */
final class NbdTlsTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    private Path disk;

    @BeforeEach
    void makeDisk() throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        disk = TempImages.sparse(folder, "a.raw", MIB);
    }

    @Test
    void sharedKeyIsDemanded() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        Path keys = keys();

        try (NbdRun server = NbdRun.start(
                folder,
                "-t",
                "--object",
                "tls-creds-psk,id=tls0,dir=" + keys + ",endpoint=server",
                "--tls-creds",
                "tls0",
                "-f",
                "raw",
                disk)) {
            String address = "alice@/?socket=" + server.socket() + "&tls-psk-file=" + keys.resolve("keys.psk");
            assertThat(ReferenceTools.runOk("nbdinfo", "--size", "nbds+unix://" + address)
                            .stdout())
                    .isEqualTo(MIB + "\n");
            ToolResult clear =
                    ReferenceTools.run("qemu-nbd", "-L", "-k", server.socket().toString());
            assertThat(clear.exit()).isEqualTo(1);
            assertThat(clear.stderr()).contains("server reported: Option 0x3 not permitted before TLS");
            assertThat(Cli.run("nbd", "-L", "-k", server.socket()).assertExit(1).err())
                    .isEqualTo("""
                            platter nbd: TLS negotiation required before option 3 (list)
                            Did you forget a valid tls-creds?
                            """);
        }
    }

    @Test
    void certificateDecidesWhoIsLetIn() throws IOException {
        Path pki = certificates();
        // the name as it stands in the certificate, with doubled commas
        try (NbdRun server = NbdRun.start(
                folder,
                "-t",
                "--object",
                "tls-creds-x509,id=tls0,endpoint=server,dir=" + pki,
                "--object",
                "authz-simple,id=auth0,identity=C=GB,,O=Example Org,,CN=laptop.example.com",
                "--tls-creds",
                "tls0",
                "--tls-authz",
                "auth0",
                "-f",
                "raw",
                disk)) {
            assertThat(list(server, pki).assertSuccess().stdout()).contains("size:  " + MIB);
        }
        try (NbdRun server = NbdRun.start(
                folder,
                "-t",
                "--object",
                "tls-creds-x509,id=tls0,endpoint=server,dir=" + pki,
                "--object",
                "authz-list,id=auth0,policy=deny,rules.0.match=*CN=desk*,rules.0.policy=allow,rules.0.format=glob",
                "--tls-creds",
                "tls0",
                "--tls-authz",
                "auth0",
                "-f",
                "raw",
                disk)) {
            assertThat(list(server, pki).stdout()).doesNotContain("size:");
        }
    }

    @Test
    void listingShowsTheCertificateOfTheOtherServer() throws IOException {
        Path pki = certificates();
        Path socket = folder.resolve("q");
        Path pid = folder.resolve("pid");
        ReferenceTools.runOk(
                "qemu-nbd",
                "--fork",
                "-t",
                "--pid-file",
                pid.toString(),
                "--object",
                "tls-creds-x509,id=tls0,endpoint=server,dir=" + pki,
                "--tls-creds",
                "tls0",
                "-k",
                socket.toString(),
                "-f",
                "raw",
                disk.toString());
        try {
            Object[] words = {
                "nbd",
                "-L",
                "-k",
                socket,
                "--object",
                "tls-creds-x509,id=tls0,dir=" + pki,
                "--tls-creds",
                "tls0",
                "--tls-hostname",
                "server.example.com"
            };
            assertThat(Cli.run(words).assertExit(0).out()).contains("size:  " + MIB);
            words[words.length - 1] = "other.example.com";
            Cli.run(words).assertExit(1);
        } finally {
            ProcessHandle.of(Long.parseLong(Files.readString(pid).strip())).ifPresent(process -> process.destroy());
        }
    }

    @Test
    void listingPrintsWhatQemuPrints() throws IOException {
        Path image = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", image.toString(), "b0");

        try (NbdRun server =
                NbdRun.start(folder, "-t", "-A", "-B", "b0", "-x", "a b", "-D", "my disk", "--devices", "-r", image)) {
            String socket = server.socket().toString();

            assertThat(Cli.run("nbd", "-L", "-k", socket).assertExit(0).out())
                    .isEqualTo(
                            ReferenceTools.runOk("qemu-nbd", "-L", "-k", socket).stdout());
        }
        Cli gone = Cli.run("nbd", "-L", "-k", folder.resolve("none")).assertExit(1);
        assertThat(gone.err().replace("platter nbd", "qemu-nbd"))
                .isEqualTo(ReferenceTools.run(
                                "qemu-nbd", "-L", "-k", folder.resolve("none").toString())
                        .stderr());
        assertThat(Cli.run("nbd", "-L", "-b", "127.0.0.1", "-p", "1")
                        .assertExit(1)
                        .err())
                .isEqualTo("platter nbd: Failed to connect to '127.0.0.1:1': Connection refused\n");
    }

    private ToolResult list(NbdRun server, Path pki) throws IOException {
        return ReferenceTools.run(
                "qemu-nbd",
                "-L",
                "-k",
                server.socket().toString(),
                "--object",
                "tls-creds-x509,id=tls0,endpoint=client,dir=" + pki,
                "--tls-creds",
                "tls0",
                "--tls-hostname",
                "server.example.com");
    }

    private Path keys() throws IOException {
        Path keys = Files.createDirectory(folder.resolve("keys"));
        Files.writeString(
                keys.resolve("keys.psk"), "alice:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n");
        return keys;
    }

    /** Makes an authority, and certificates of a server and a client, in one folder. */
    private Path certificates() throws IOException {
        ReferenceTools.assumeTool("openssl");
        Path pki = Files.createDirectory(folder.resolve("pki"));
        Files.writeString(pki.resolve("empty.cnf"), "[req]\ndistinguished_name = none\n[none]\n");
        certificate(pki, "ca", "/CN=authority", "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign");
        certificate(
                pki,
                "server",
                "/CN=server.example.com",
                "basicConstraints=critical,CA:FALSE",
                "subjectAltName=DNS:server.example.com",
                "extendedKeyUsage=serverAuth");
        certificate(
                pki,
                "client",
                "/C=GB/O=Example Org/CN=laptop.example.com",
                "basicConstraints=critical,CA:FALSE",
                "extendedKeyUsage=clientAuth");
        return pki;
    }

    private static void certificate(Path pki, String name, String subject, String... extensions) throws IOException {
        List<String> command =
                new ArrayList<>(List.of("openssl", "req", "-x509", "-config", "empty.cnf", "-newkey", "ec"));
        command.addAll(List.of("-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject));
        command.addAll(List.of("-keyout", name + "-key.pem", "-out", name + "-cert.pem"));
        if (!name.equals("ca")) {
            command.addAll(List.of("-CA", "ca-cert.pem", "-CAkey", "ca-key.pem"));
        }
        for (String extension : extensions) {
            command.addAll(List.of("-addext", extension));
        }
        ReferenceTools.runIn(pki, command.toArray(new String[0])).assertSuccess();
    }
}
