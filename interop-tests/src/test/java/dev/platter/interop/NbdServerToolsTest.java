package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeFalse;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.qcow2.Qcow2Disk;
import dev.platter.testkit.ReferenceTools;
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
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clients that others wrote, against our server: the same bytes, the same map, the same bitmaps. */
class NbdServerToolsTest {
    private static final long SIZE = 24 << 20;

    @TempDir
    private Path folder;

    private Path raw;

    @BeforeEach
    void makeRaw() throws IOException {
        byte[] bytes = new byte[3 << 20];
        new Random(5).nextBytes(bytes);
        raw = folder.resolve("disk.raw");
        Files.write(raw, bytes);
        try (FileChannel file = FileChannel.open(raw, StandardOpenOption.WRITE)) {
            file.write(ByteBuffer.wrap(bytes), 16 << 20);
            file.write(ByteBuffer.allocate(1), SIZE - 1);
        }
    }

    private Path image(String format) throws IOException {
        if (format.equals("raw")) {
            return raw;
        }
        ReferenceTools.assumeTool("qemu-img");
        Path image = folder.resolve("disk.qcow2");
        String[] compressed = format.equals("compressed") ? new String[] {"-c"} : new String[0];
        List<String> command = new ArrayList<>(List.of("qemu-img", "convert", "-f", "raw", "-O", "qcow2"));
        command.addAll(List.of(compressed));
        command.addAll(List.of(raw.toString(), image.toString()));
        assertThat(ReferenceTools.run(command).exit()).isZero();
        return image;
    }

    private static DiskImage open(Path image, boolean writable) throws IOException {
        return DiskImages.open(
                image,
                OpenOptions.builder()
                        .format(image.toString().endsWith("raw") ? "raw" : "qcow2")
                        .writable(writable)
                        .build());
    }

    private NbdServer serve(DiskImage disk, boolean readOnly, String transport) throws IOException {
        Export.Builder export = Export.named("").allocationDepth().bitmaps(List.of("b0"));
        if (readOnly) {
            export.readOnly();
        }
        return NbdServer.builder()
                .bind(
                        transport.equals("tcp")
                                ? new InetSocketAddress(InetAddress.getLoopbackAddress(), 0)
                                : UnixDomainSocketAddress.of(folder.resolve("s")))
                .export(export.of(disk))
                .start();
    }

    private static String uri(NbdServer server) {
        return server.addresses().get(0) instanceof InetSocketAddress tcp
                ? "nbd://127.0.0.1:" + tcp.getPort()
                : "nbd+unix:///?socket=" + server.addresses().get(0);
    }

    @ParameterizedTest
    @CsvSource({"raw,unix", "raw,tcp", "qcow2,unix", "qcow2,tcp", "compressed,unix", "compressed,tcp"})
    void qemu_img_reads_the_same_bytes(String format, String transport) throws IOException {
        try (DiskImage disk = open(image(format), false);
                NbdServer server = serve(disk, true, transport)) {
            ReferenceTools.assumeTool("qemu-img");
            ToolResult compared =
                    ReferenceTools.run("qemu-img", "compare", "-f", "raw", "-F", "raw", uri(server), raw.toString());
            assertThat(compared.stdout()).isEqualTo("Images are identical.\n");
        }
    }

    @ParameterizedTest
    @CsvSource({"raw,unix", "raw,tcp", "qcow2,unix", "qcow2,tcp", "compressed,unix", "compressed,tcp"})
    void nbdcopy_reads_the_same_bytes(String format, String transport) throws IOException {
        ReferenceTools.assumeTool("nbdcopy");
        Path copy = folder.resolve("copy.raw");
        try (DiskImage disk = open(image(format), false);
                NbdServer server = serve(disk, true, transport)) {
            ReferenceTools.runOk("nbdcopy", uri(server), copy.toString());
        }
        assertThat(Files.mismatch(copy, raw)).isEqualTo(-1);
    }

    @ParameterizedTest
    @CsvSource({"raw,unix", "raw,tcp", "qcow2,unix", "qcow2,tcp"})
    void nbdcopy_writes_the_same_bytes(String format, String transport) throws IOException {
        ReferenceTools.assumeTool("nbdcopy");
        Path target = folder.resolve(format.equals("raw") ? "target.raw" : "target.qcow2");
        ReferenceTools.assumeTool("qemu-img");
        ReferenceTools.runOk("qemu-img", "create", "-q", "-f", format, target.toString(), String.valueOf(SIZE));
        try (DiskImage disk = open(target, true);
                NbdServer server = serve(disk, false, transport)) {
            ReferenceTools.runOk("nbdcopy", "--flush", raw.toString(), uri(server));
        }
        assertThat(ReferenceTools.run(
                                "qemu-img", "compare", "-f", format, "-F", "raw", target.toString(), raw.toString())
                        .stdout())
                .isEqualTo("Images are identical.\n");
        if (format.equals("qcow2")) {
            assertThat(ReferenceTools.run("qemu-img", "check", target.toString())
                            .exit())
                    .isZero();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"raw", "qcow2"})
    void qemu_io_writes_zeroes_trims_and_reads_back(String format) throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        try (DiskImage disk = open(image(format), true);
                NbdServer server = serve(disk, false, "unix")) {
            ToolResult result = ReferenceTools.run(
                    "qemu-io",
                    "-f",
                    "raw",
                    uri(server),
                    "-c",
                    "write -P 0xab 1000 70000",
                    "-c",
                    "read -P 0xab 1000 70000",
                    "-c",
                    "write -z 0 512",
                    "-c",
                    "read -P 0 0 512",
                    "-c",
                    "write -z -u 1M 2M",
                    "-c",
                    "read -P 0 1M 2M",
                    "-c",
                    "write -f -P 0x11 5M 1M",
                    "-c",
                    "discard 8M 1M",
                    "-c",
                    "flush",
                    "-c",
                    "read -P 0x11 5M 1M",
                    "-c",
                    "aio_write -P 0x22 6M 64k",
                    "-c",
                    "aio_flush",
                    "-c",
                    "read -P 0x22 6M 64k");
            assertThat(result.exit()).as(result.stdout() + result.stderr()).isZero();
            assertThat(result.stdout()).doesNotContain("failed");
        }
    }

    @Test
    void the_map_is_that_of_qemu_nbd() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        Path image = image("qcow2");
        String ours;
        try (DiskImage disk = open(image, false);
                NbdServer server = serve(disk, true, "unix")) {
            ours = ReferenceTools.runOk("nbdinfo", "--map", uri(server)).stdout();
        }
        ReferenceTools.assumeTool("qemu-nbd");
        String theirs = ReferenceTools.runOk(
                        "nbdinfo", "--map", "--", "[", "qemu-nbd", "-r", "-f", "qcow2", image.toString(), "]")
                .stdout();
        assertThat(ours).isEqualTo(theirs);
    }

    @Test
    void dirty_bitmaps_are_shown() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        Path image = image("qcow2");
        try (DiskImage disk = open(image, true)) {
            ((Qcow2Disk) disk).addBitmap("b0", 65536, true);
            disk.write(1 << 20, ByteBuffer.allocate(65536), Durability.NONE);
            try (NbdServer server = serve(disk, false, "unix")) {
                String map = ReferenceTools.runOk("nbdinfo", "--map=qemu:dirty-bitmap:b0", uri(server))
                        .stdout();
                assertThat(map.lines().map(line -> line.trim().replaceAll(" +", " ")))
                        .containsExactly(
                                "0 1048576 0 clean",
                                "1048576 65536 1 dirty",
                                (1048576 + 65536) + " " + (SIZE - 1048576 - 65536) + " 0 clean");
            }
        }
    }

    @Test
    void allocation_depth_counts_the_layers() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        Path base = image("qcow2");
        Path top = folder.resolve("top.qcow2");
        ReferenceTools.runOk(
                "qemu-img", "create", "-q", "-f", "qcow2", "-b", base.toString(), "-F", "qcow2", top.toString());
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write 16M 64k", top.toString());
        OpenOptions options =
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build();
        String ours;
        try (DiskImage disk = DiskImages.open(top, options);
                NbdServer server = serve(disk, true, "unix")) {
            ours = ReferenceTools.runOk("nbdinfo", "--map=qemu:allocation-depth", uri(server))
                    .stdout();
        }
        String theirs = ReferenceTools.runOk(
                        "nbdinfo",
                        "--map=qemu:allocation-depth",
                        "--",
                        "[",
                        "qemu-nbd",
                        "-r",
                        "-A",
                        "-f",
                        "qcow2",
                        top.toString(),
                        "]")
                .stdout();
        assertThat(ours).isEqualTo(theirs);
    }

    @Test
    void nbdinfo_finds_all_that_is_offered() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        try (DiskImage disk = open(raw, false);
                NbdServer server = serve(disk, true, "tcp")) {
            String json = ReferenceTools.runOk("nbdinfo", "--json", uri(server)).stdout();
            assertThat(json)
                    .contains("\"export-size\": " + SIZE)
                    .contains("\"is_read_only\": true")
                    .contains("\"can_multi_conn\": true");
        }
    }

    @Test
    void fio_verifies_what_it_wrote() throws IOException {
        ReferenceTools.assumeTool("fio");
        try (DiskImage disk = open(image("qcow2"), true);
                NbdServer server = serve(disk, false, "unix")) {
            ToolResult result = ReferenceTools.run(
                    "fio",
                    "--name=verify",
                    "--ioengine=nbd",
                    "--uri=" + uri(server),
                    "--rw=randwrite",
                    "--bs=4k",
                    "--iodepth=32",
                    "--size=4M",
                    "--verify=crc32c");
            assumeFalse(result.stderr().contains("engine nbd not loadable"), "fio has no nbd engine here");
            assertThat(result.exit()).as(result.stdout() + result.stderr()).isZero();
        }
    }
}
