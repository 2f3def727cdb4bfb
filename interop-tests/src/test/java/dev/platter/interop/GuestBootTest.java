package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.common.hash.Hashing;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.nbd.tls.X509Credentials;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.TlsFiles;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A Linux guest whose disks are on our server: once QEMU is the client, once the guest's own kernel is. Both start once only,
 * because a start takes so long. The kernel cannot be a client on a Unix socket here: the server's would have to be inside
 * the guest; and it has no shared keys, because nbd-client has none.
 */
@Timeout(300)
class GuestBootTest {
    private static final long SIZE = 24 << 20;
    private static final byte[] GIVEN = TestBytes.of(0, 1 << 20);
    private static final int LINES = 3000;

    /** Mounts, reads, writes, deletes and trims on a device, and says what it read. */
    private static final String USE = """
            use() {
              mount -t ext4 -o discard $1 /mnt
              echo "given $(sha256sum </mnt/given)"
              i=0
              while [ $i -lt %d ]; do echo "line $i of the guest"; i=$((i + 1)); done >/mnt/written
              rm /mnt/victim
              sync
              fstrim /mnt
              umount /mnt
            }
            """.formatted(LINES);

    @TempDir
    private Path folder;

    /** Makes a disk that is one file system, with a file to read and another to delete. */
    private Path disk(String name) throws IOException {
        ReferenceTools.assumeTool("mke2fs");
        ReferenceTools.assumeTool("e2fsck");
        ReferenceTools.assumeTool("debugfs");
        Path contents = Files.createDirectories(folder.resolve("contents"));
        Files.write(contents.resolve("given"), GIVEN);
        Files.write(contents.resolve("victim"), TestBytes.of(1 << 30, 3 << 20));
        Path disk = TempImages.sparse(folder, name, SIZE);
        ReferenceTools.runOk("mke2fs", "-q", "-F", "-t", "ext4", "-d", contents.toString(), disk.toString());
        return disk;
    }

    private static DiskImage open(Path image, String format) throws IOException {
        return DiskImages.open(
                image, OpenOptions.builder().format(format).writable(true).build());
    }

    private static String wasRead() {
        return "given " + Hashing.sha256().hashBytes(GIVEN) + "  -\n";
    }

    /** The file system is whole, and what the guest wrote is in it. */
    private static void assertWritten(Path disk) throws IOException {
        ReferenceTools.runOk("e2fsck", "-f", "-n", disk.toString());
        StringBuilder expected = new StringBuilder();
        for (int i = 0; i < LINES; i++) {
            expected.append("line ").append(i).append(" of the guest\n");
        }
        assertThat(debugfs(disk, "cat /written")).isEqualTo(expected.toString());
        assertThat(debugfs(disk, "ls /")).contains("given").doesNotContain("victim");
    }

    private static String debugfs(Path disk, String command) throws IOException {
        return ReferenceTools.runOk("debugfs", "-R", command, disk.toString()).stdout();
    }

    @Test
    void guestRunsOnRawAndQcow2DisksOfOurServer() throws IOException {
        LinuxGuest guest = LinuxGuest.with("virtio_pci", "virtio_blk");
        Path raw = disk("raw.img");
        Path qcow2 = TempImages.qemuConvert(disk("other.img"), "disk.qcow2", "qcow2");

        try (DiskImage first = open(raw, "raw");
                DiskImage second = open(qcow2, "qcow2");
                NbdServer server = NbdServer.builder()
                        .bind(UnixDomainSocketAddress.of(folder.resolve("s")))
                        .export(Export.named("").of(first))
                        .export(Export.named("second").of(second))
                        .start()) {
            String place = "file=nbd:unix:" + server.addresses().get(0);
            String said = guest.run(
                    folder,
                    USE + "use /dev/vda\nuse /dev/vdb\n",
                    "-drive",
                    place + ",format=raw,if=virtio,discard=unmap",
                    "-drive",
                    place + ":exportname=second,format=raw,if=virtio,discard=unmap");

            assertThat(said).containsSubsequence(wasRead(), wasRead());
        }

        assertWritten(raw);
        assertThat(ReferenceTools.runOk("qemu-img", "check", qcow2.toString()).stdout())
                .contains("No errors were found");
        Path converted = folder.resolve("converted.raw");
        ReferenceTools.runOk("qemu-img", "convert", "-f", "qcow2", "-O", "raw", qcow2.toString(), converted.toString());
        assertWritten(converted);
    }

    @Test
    void kernelIsAClientByTcpAndASnapshotLeavesTheDiskAlone() throws IOException {
        LinuxGuest guest =
                LinuxGuest.with("virtio_pci", "virtio_blk", "virtio_net", "nbd").program("nbd-client");
        Path pki = Files.createDirectory(folder.resolve("pki"));
        TlsFiles.make(pki);
        for (String name : new String[] {"ca-cert.pem", "client-cert.pem", "client-key.pem"}) {
            guest.file("tls/" + name, pki.resolve(name));
        }
        Path untouched = disk("untouched.img");
        Path before = Files.copy(untouched, folder.resolve("before.img"));
        Path plain = disk("plain.img");
        Path secret = disk("secret.img");

        try (DiskImage first = open(untouched, "raw");
                DiskImage second = open(plain, "raw");
                DiskImage third = open(secret, "raw");
                NbdServer clear = NbdServer.builder()
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .export(Export.named("").of(first))
                        .export(Export.named("plain").of(second))
                        .start();
                NbdServer tls = NbdServer.builder()
                        .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                        .export(Export.named("secret").of(third))
                        .tls(X509Credentials.server(pki).verifyPeer(true).read())
                        .start()) {
            String said = guest.run(
                    folder,
                    USE + """
                    ip link set lo up
                    ip link set eth0 up
                    ip addr add 10.0.2.15/24 dev eth0
                    use /dev/vda
                    /usr/sbin/nbd-client 10.0.2.2 %d /dev/nbd0 -N plain
                    use /dev/nbd0
                    /usr/sbin/nbd-client -d /dev/nbd0
                    /usr/sbin/nbd-client 10.0.2.2 %d /dev/nbd1 -N secret -cacertfile /tls/ca-cert.pem \\
                      -tlshostname localhost -certfile /tls/client-cert.pem -keyfile /tls/client-key.pem
                    use /dev/nbd1
                    /usr/sbin/nbd-client -d /dev/nbd1
                    """.formatted(port(clear), port(tls)),
                    "-drive",
                    "file=nbd:127.0.0.1:" + port(clear) + ",format=raw,if=virtio",
                    "-snapshot",
                    "-netdev",
                    "user,id=net0",
                    "-device",
                    "virtio-net-pci,netdev=net0,romfile=");

            assertThat(said).containsSubsequence(wasRead(), wasRead(), wasRead());
        }

        assertThat(Files.mismatch(untouched, before)).isEqualTo(-1);
        assertWritten(plain);
        assertWritten(secret);
    }

    private static int port(NbdServer server) {
        return ((InetSocketAddress) server.addresses().get(0)).getPort();
    }
}
