package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.nbd.tls.PskCredentials;
import dev.platter.nbd.tls.X509Credentials;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.TlsFiles;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.opentest4j.TestAbortedException;

/**
 * Every client that others wrote, against our server: it reads all bytes, and where it can write, its bytes arrive. By TCP
 * and on a Unix socket each:
 *
 * <table>
 * <caption>Clients and what they can do</caption>
 * <tr><th>client</th><th>plain</th><th>X.509</th><th>shared key</th></tr>
 * <tr><td>qemu-img, qemu-io</td><td>yes</td><td>yes</td><td>yes</td></tr>
 * <tr><td>nbdcopy, nbdinfo, nbdsh</td><td>yes</td><td>yes</td><td>yes</td></tr>
 * <tr><td>fio, nbdfuse</td><td>yes</td><td colspan="2">impossible: they do not let their library open files that an address
 *     names, and certificates of its own it takes from folders of the whole system</td></tr>
 * <tr><td>the kernel, nbd-client</td><td>{@link GuestBootTest}, TCP</td><td>{@link GuestBootTest}, TCP</td>
 *     <td>impossible: nbd-client has none</td></tr>
 * </table>
 *
 * <p>Impossible too: the kernel on a Unix socket, as the guest has none that the host listens to; and extended headers, which
 * none of these clients has.
 */
@Timeout(120)
class NbdClientGridTest {
    private static final int SIZE = 2 << 20;
    private static final int WRITTEN_AT = 70_000;
    private static final byte WRITTEN = 0x5a;
    private static final int WRITTEN_BYTES = 5000;

    @TempDir
    private static Path pki;

    @TempDir
    private Path folder;

    private Path disk;

    enum Security {
        PLAIN,
        X509,
        PSK
    }

    enum Transport {
        TCP,
        UNIX
    }

    /** Reads all that an address serves, and writes if it can; says whether it wrote. */
    @FunctionalInterface
    interface Client {
        boolean use(Address address, Path folder, Path same) throws IOException;
    }

    /** Where a client goes, in the words of libnbd and in those of qemu. */
    record Address(NbdServer server, Security security) {
        String uri() {
            String scheme = security == Security.PLAIN ? "nbd" : "nbds";
            String user = security == Security.PSK ? TlsFiles.KEY_OWNER + "@" : "";
            String tls = switch (security) {
                case PLAIN -> "";
                case X509 -> "tls-certificates=" + pki;
                case PSK -> "tls-psk-file=" + pki.resolve("keys.psk");
            };
            if (server.addresses().get(0) instanceof InetSocketAddress tcp) {
                return scheme + "://" + user + "127.0.0.1:" + tcp.getPort() + "/" + (tls.isEmpty() ? "" : "?" + tls);
            }
            return scheme + "+unix://" + user + "/?socket=" + server.addresses().get(0)
                    + (tls.isEmpty() ? "" : "&" + tls);
        }

        /** Returns the program with what it needs for TLS. */
        List<String> qemu(String... program) {
            List<String> command = new ArrayList<>(Arrays.asList(program));
            if (security == Security.X509) {
                command.addAll(List.of("--object", "tls-creds-x509,id=tls,endpoint=client,dir=" + pki));
            } else if (security == Security.PSK) {
                command.addAll(List.of(
                        "--object",
                        "tls-creds-psk,id=tls,endpoint=client,username=" + TlsFiles.KEY_OWNER + ",dir=" + pki));
            }
            return command;
        }

        String imageOptions() {
            String place = server.addresses().get(0) instanceof InetSocketAddress tcp
                    ? "type=inet,file.server.host=127.0.0.1,file.server.port=" + tcp.getPort()
                    : "type=unix,file.server.path=" + server.addresses().get(0);
            String tls = switch (security) {
                case PLAIN -> "";
                case X509 -> ",file.tls-creds=tls,file.tls-hostname=localhost";
                case PSK -> ",file.tls-creds=tls";
            };
            return "driver=raw,file.driver=nbd,file.server." + place + tls;
        }
    }

    static Stream<Arguments> cells() {
        List<Arguments> cells = new ArrayList<>();
        for (Security security : Security.values()) {
            for (Transport transport : Transport.values()) {
                add(cells, "qemu-img", security, transport, NbdClientGridTest::qemuImg);
                add(cells, "qemu-io", security, transport, NbdClientGridTest::qemuIo);
                add(cells, "nbdcopy", security, transport, NbdClientGridTest::nbdcopy);
                add(cells, "nbdinfo", security, transport, NbdClientGridTest::nbdinfo);
                add(cells, "nbdsh", security, transport, NbdClientGridTest::nbdsh);
                if (security == Security.PLAIN) {
                    add(cells, "nbdfuse", security, transport, NbdClientGridTest::nbdfuse);
                    add(cells, "fio", security, transport, NbdClientGridTest::fio);
                }
            }
        }
        return cells.stream();
    }

    private static void add(List<Arguments> cells, String name, Security security, Transport transport, Client client) {
        cells.add(Arguments.of(name, security, transport, client));
    }

    @BeforeAll
    static void makeTlsFiles() throws IOException {
        TlsFiles.make(pki);
    }

    @BeforeEach
    void makeDisk() throws IOException {
        byte[] bytes = TestBytes.of(0, SIZE);
        Arrays.fill(bytes, 1 << 20, 3 << 19, (byte) 0);
        disk = TempImages.raw(folder, "disk.raw", bytes);
    }

    private NbdServer serve(DiskImage image, Security security, Transport transport) throws IOException {
        NbdServer.Builder builder = NbdServer.builder()
                .bind(
                        transport == Transport.TCP
                                ? new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)
                                : UnixDomainSocketAddress.of(folder.resolve("s")))
                .export(Export.named("").of(image));
        switch (security) {
            case PLAIN -> {
                // nothing to add
            }
            case X509 ->
                builder.tls(X509Credentials.server(pki).verifyPeer(true).read());
            case PSK -> builder.tls(PskCredentials.server(pki.resolve("keys.psk")));
        }
        return builder.start();
    }

    @ParameterizedTest(name = "{0} {1} {2}")
    @MethodSource("cells")
    void clientReadsAndWritesTheSameBytes(String name, Security security, Transport transport, Client client)
            throws IOException {
        ReferenceTools.assumeTool(name);
        Path same = Files.copy(disk, folder.resolve("same.raw"));
        boolean wrote;
        try (DiskImage image = DiskImages.open(
                        disk, OpenOptions.builder().format("raw").writable(true).build());
                NbdServer server = serve(image, security, transport)) {
            wrote = client.use(new Address(server, security), folder, same);
        }
        if (wrote) {
            try (FileChannel expected = FileChannel.open(same, StandardOpenOption.WRITE)) {
                byte[] bytes = new byte[WRITTEN_BYTES];
                Arrays.fill(bytes, WRITTEN);
                expected.write(ByteBuffer.wrap(bytes), WRITTEN_AT);
            }
        }
        assertThat(Files.mismatch(disk, same)).isEqualTo(-1);
    }

    private static boolean qemuImg(Address address, Path folder, Path same) throws IOException {
        List<String> compare = address.qemu("qemu-img", "compare");
        compare.addAll(List.of("--image-opts", address.imageOptions(), "driver=raw,file.filename=" + same));
        assertThat(ReferenceTools.run(compare).assertSuccess().stdout()).isEqualTo("Images are identical.\n");
        List<String> convert = address.qemu("qemu-img", "convert");
        convert.addAll(List.of("-n", "-f", "raw", "--target-image-opts", same.toString(), address.imageOptions()));
        ReferenceTools.run(convert).assertSuccess();
        return false;
    }

    private static boolean qemuIo(Address address, Path folder, Path same) throws IOException {
        List<String> command = address.qemu("qemu-io");
        command.addAll(List.of("--image-opts", address.imageOptions()));
        command.addAll(List.of("-c", "read -P 0 1M 512k"));
        command.addAll(List.of("-c", "write -P " + WRITTEN + " " + WRITTEN_AT + " " + WRITTEN_BYTES));
        command.addAll(List.of("-c", "read -P " + WRITTEN + " " + WRITTEN_AT + " " + WRITTEN_BYTES));
        ToolResult result = ReferenceTools.run(command).assertSuccess();
        assertThat(result.stdout()).doesNotContain("failed");
        return true;
    }

    private static boolean nbdcopy(Address address, Path folder, Path same) throws IOException {
        Path copy = folder.resolve("copy.raw");
        ReferenceTools.runOk("nbdcopy", address.uri(), copy.toString());
        assertThat(Files.mismatch(copy, same)).isEqualTo(-1);
        try (FileChannel changed = FileChannel.open(copy, StandardOpenOption.WRITE)) {
            byte[] bytes = new byte[WRITTEN_BYTES];
            Arrays.fill(bytes, WRITTEN);
            changed.write(ByteBuffer.wrap(bytes), WRITTEN_AT);
        }
        ReferenceTools.runOk("nbdcopy", "--flush", copy.toString(), address.uri());
        return true;
    }

    private static boolean nbdinfo(Address address, Path folder, Path same) throws IOException {
        String said = ReferenceTools.runOk("nbdinfo", address.uri()).stdout();
        assertThat(said)
                .contains("export-size: " + SIZE)
                .contains(address.security() == Security.PLAIN ? "without TLS" : "with TLS");
        return false;
    }

    private static boolean nbdsh(Address address, Path folder, Path same) throws IOException {
        String program = """
                h.set_uri_allow_local_file(True)
                h.connect_uri("%s")
                assert h.get_size() == %d
                assert h.pread(%d, 0) == open("%s", "rb").read()
                h.pwrite(b"\\x%02x" * %d, %d)
                h.flush()
                h.shutdown()
                """.formatted(address.uri(), SIZE, SIZE, same, WRITTEN, WRITTEN_BYTES, WRITTEN_AT);
        // the system's Python has the library; another one may come first
        ReferenceTools.runOk("env", "PATH=/usr/bin:/bin", "nbdsh", "-c", program);
        return true;
    }

    private static boolean nbdfuse(Address address, Path folder, Path same) throws IOException {
        ReferenceTools.assumeTool("fusermount3");
        Path mounted = Files.createDirectory(folder.resolve("fuse"));
        Path file = mounted.resolve("nbd");
        Path errors = folder.resolve("errors");
        Process process = ReferenceTools.builder(List.of("nbdfuse", mounted.toString(), address.uri()))
                .redirectError(errors.toFile())
                .start();
        try {
            awaitMount(process, file, errors);
            assertThat(Files.mismatch(file, same)).isEqualTo(-1);
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
                byte[] bytes = new byte[WRITTEN_BYTES];
                Arrays.fill(bytes, WRITTEN);
                channel.write(ByteBuffer.wrap(bytes), WRITTEN_AT);
                channel.force(true);
            }
        } finally {
            ReferenceTools.run("fusermount3", "-u", mounted.toString());
            ReferenceTools.end(process);
        }
        return true;
    }

    private static void awaitMount(Process process, Path file, Path errors) throws IOException {
        while (!Files.exists(file)) {
            try {
                if (process.waitFor(10, TimeUnit.MILLISECONDS)) {
                    String said = Files.readString(errors);
                    if (said.contains("fuse: ") || said.contains("fusermount")) {
                        throw new TestAbortedException("nothing can be mounted here: " + said);
                    }
                    throw new AssertionError("nbdfuse: " + said);
                }
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new IOException("the test was interrupted", e);
            }
        }
    }

    private static boolean fio(Address address, Path folder, Path same) throws IOException {
        ToolResult result = ReferenceTools.run(
                "fio",
                "--name=verify",
                "--ioengine=nbd",
                "--uri=" + address.uri(),
                "--rw=write",
                "--offset=" + WRITTEN_AT,
                "--size=" + WRITTEN_BYTES,
                "--bs=1000",
                "--iodepth=4",
                "--verify=pattern",
                "--verify_pattern=0x" + Integer.toHexString(WRITTEN));
        assumeFalse(result.stderr().contains("not loadable"), "fio has no nbd engine here");
        result.assertSuccess();
        return true;
    }
}
