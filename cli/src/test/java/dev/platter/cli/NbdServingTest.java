package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code platter nbd} and the clients of others: when it ends, whom it takes, and which bytes it serves. */
final class NbdServingTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    @Test
    void endsAfterTheLastClientAndLeavesNoSocket() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", disk)) {
            assertThat(size(server.uri())).isEqualTo(MIB);

            server.await().assertExit(0);
            assertThat(server.socket()).doesNotExist();
        }
    }

    @Test
    void whoeverDoesNotTakeTheExportDoesNotEndTheServer() throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", disk)) {
            connect(server).close();
            server.awaitMessage("client 1 is gone");
            assertThat(run("qemu-nbd", "-L", "-k", server.socket().toString()).stdout())
                    .contains("size:  " + MIB);
            server.awaitMessage("client 2 is gone");

            assertThat(server.isOver()).isFalse();
            assertThat(server.messages()).doesNotContain("client 2 is gone:");
            assertThat(size(server.uri())).isEqualTo(MIB);
            server.await().assertExit(0);
        }
    }

    @Test
    void persistentServerStays() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", disk)) {
            assertThat(size(server.uri())).isEqualTo(MIB);
            assertThat(size(server.uri())).isEqualTo(MIB);

            assertThat(server.isOver()).isFalse();
            server.end().assertExit(0);
            assertThat(server.socket()).doesNotExist();
        }
    }

    @Test
    void clientsThatAreTooManyWait() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-e", "2", "-f", "raw", disk);
                SocketChannel first = connect(server);
                SocketChannel second = connect(server)) {
            greeting(first);
            greeting(second);
            try (SocketChannel third = connect(server)) {
                assertThat(server.messages()).doesNotContain("client 3 connected");
                first.shutdownOutput();

                assertThat(greeting(third)).isEqualTo(18);
            }
        }
    }

    @Test
    void oneClientIsNotTempted() throws IOException {
        ReferenceTools.assumeTool("nbdcopy");
        Path disk = TempImages.raw(folder, "a.raw", Contents.testBytes(3 * MIB));
        Path copy = folder.resolve("copy");

        try (NbdRun server = NbdRun.start(folder, "-r", "-f", "raw", disk)) {
            // takes four connections where it may
            run("nbdcopy", server.uri(), copy.toString());

            server.await().assertExit(0);
            assertThat(copy).hasSameBinaryContentAs(disk);
        }
    }

    @ParameterizedTest
    @CsvSource({
        "raw, ''",
        "qcow2, ''",
        "raw, --cache=none",
        "qcow2, --cache=writethrough",
        "qcow2, --cache=unsafe",
        "raw, --aio=io_uring",
        "qcow2, --discard=unmap",
        "raw, --detect-zeroes=on",
    })
    void whatIsWrittenIsThere(String format, String option) throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path disk = TempImages.qemu(folder, "disk", format, 4 * MIB);

        try (NbdRun server = NbdRun.start(folder, option.isEmpty() ? "-v" : option, "-f", format, disk)) {
            io(
                    server.uri(),
                    "write -P 1 64k 200k",
                    "write -P 0 100k 10k",
                    "write -z 128k 64k",
                    "write -f -P 2 4095k 1k");
            server.await().assertExit(0);
        }

        ToolResult read = run(
                "qemu-io",
                "-r",
                "-f",
                format,
                "-c",
                "read -P 0 0 64k",
                "-c",
                "read -P 1 64k 36k",
                "-c",
                "read -P 0 100k 10k",
                "-c",
                "read -P 1 110k 18k",
                "-c",
                "read -P 0 128k 64k",
                "-c",
                "read -P 1 192k 72k",
                "-c",
                "read -P 2 4095k 1k",
                disk.toString());
        assertThat(read.stdout()).doesNotContain("Pattern verification failed");
    }

    @Test
    void readOnlyExportRefusesWrites() throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "raw", disk)) {
            ToolResult write = ReferenceTools.run("qemu-io", "-f", "raw", "-c", "write 0 512", server.uri());

            assertThat(write.exit()).isNotZero();
            assertThat(write.stderr()).contains("Permission denied");
        }
    }

    @Test
    void temporaryWritesAreThrownAway() throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path disk = TempImages.raw(folder, "a.raw", Contents.testBytes(MIB));
        byte[] before = Files.readAllBytes(disk);

        try (NbdRun server = NbdRun.start(folder, "-t", "-s", disk)) {
            io(server.uri(), "write -P 7 0 64k");
            io(server.uri(), "read -P 7 0 64k");
            server.end().assertExit(0);
        }

        assertThat(Files.readAllBytes(disk)).isEqualTo(before);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"before", "1", "snapshot.id=1", "snapshot.name=before", "snapshot.id=1,snapshot.name=before"})
    void snapshotIsServedAsItWas(String choice) throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path disk = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        ioFile(disk.toString(), "qcow2", "write -P 1 0 64k");
        run("qemu-img", "snapshot", "-c", "before", disk.toString());
        ioFile(disk.toString(), "qcow2", "write -P 2 0 64k");

        try (NbdRun server = NbdRun.start(folder, "-l", choice, disk)) {
            readOnly(server.uri(), "read -P 1 0 64k");
            server.await().assertExit(0);
        }
    }

    @Test
    void partOfTheDiskIsServed() throws IOException {
        ReferenceTools.assumeTool("qemu-io");
        Path disk = TempImages.raw(folder, "a,b.raw", Contents.testBytes(3 * MIB));
        String escaped = disk.toString().replace(",", ",,");
        for (List<String> words : List.of(
                List.of("-f", "raw", "-o", Integer.toString(MIB), disk.toString()),
                List.of("-f", "raw", "-o", "0x100000", disk.toString()),
                List.of("--image-opts", "driver=raw,offset=1M,file.driver=file,file.filename=" + escaped),
                List.of(
                        "--image-opts",
                        "driver=raw,offset=512k,file.driver=raw,file.offset=512k,file.file.filename=" + escaped),
                List.of("json:{\"driver\":\"raw\",\"offset\":1048576,\"file\":{\"driver\":\"file\",\"filename\":\""
                        + disk + "\"}}"))) {

            try (NbdRun server = NbdRun.start(folder, words.toArray())) {
                Path copy = folder.resolve("copy");
                run("qemu-img", "convert", "-f", "raw", "-O", "raw", server.uri(), copy.toString());
                server.await().assertExit(0);
                assertThat(Files.readAllBytes(copy))
                        .as("%s", words)
                        .isEqualTo(
                                Contents.testBytes(3 * MIB).slice(MIB, 2 * MIB).bytes(0, 2 * MIB));
            }
        }
    }

    @Test
    void sizeOfAPartCanBeStated() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", 3 * MIB);

        try (NbdRun server =
                NbdRun.start(folder, "--image-opts", "driver=raw,offset=1M,size=1M,file.filename=" + disk)) {
            assertThat(size(server.uri())).isEqualTo(MIB);
        }
    }

    @Test
    void partitionOfTheSampleIsServed() throws IOException {
        Path sample = sample();

        try (NbdRun server = NbdRun.start(folder, "-P", "1", "-r", sample)) {
            assertThat(bytes(server.uri())).isEqualTo(dump(sample, "/dev/sda1"));
            server.await().assertExit(0);
        }
    }

    @Test
    void everyDeviceOfTheSampleIsServedByItsName() throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        Path sample = sample();

        try (NbdRun server = NbdRun.start(folder, "-t", "--devices", sample)) {
            assertThat(run("qemu-nbd", "-L", "-k", server.socket().toString())
                            .stdout()
                            .lines()
                            .filter(line -> line.startsWith(" export: ")))
                    .containsExactly(
                            " export: ''",
                            " export: 'sda'",
                            " export: 'sda1'",
                            " export: 'sda2'",
                            " export: 'vg0/root'",
                            " export: 'vg0/home'",
                            " export: 'vg0/swap'");
            assertThat(bytes(server.uri("vg0/home"))).isEqualTo(dump(sample, "/dev/vg0/home"));
        }
    }

    @Test
    void bitmapsAndDepthsAreContextsAndBitmapsGoOn() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        Path disk = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB);
        run("qemu-img", "bitmap", "--add", disk.toString(), "b0");

        try (NbdRun server = NbdRun.start(folder, "-t", "-A", "-B", "b0", disk)) {
            io(server.uri(), "write -P 1 64k 64k");
            assertThat(map(server.uri(), "qemu:dirty-bitmap:b0"))
                    .containsExactly("65536 0 clean", "65536 1 dirty", "917504 0 clean");
            assertThat(map(server.uri(), "qemu:allocation-depth"))
                    .containsExactly("65536 0 absent", "65536 1 local", "917504 0 absent");
            server.end().assertExit(0);
        }
        // qemu takes the bitmap as one that was saved
        run("qemu-nbd", "--fork", "-r", "-B", "b0", "-k", folder.resolve("q").toString(), disk.toString());
        assertThat(map("nbd+unix:///?socket=" + folder.resolve("q"), "qemu:dirty-bitmap:b0"))
                .containsExactly("65536 0 clean", "65536 1 dirty", "917504 0 clean");
    }

    @Test
    void discardIsIgnoredUnlessAskedFor() throws IOException {
        for (String mode : List.of("ignore", "unmap")) {
            Path disk = TempImages.qemu(folder, mode, "qcow2", MIB);
            ioFile(disk.toString(), "qcow2", "write -P 1 0 1M");

            try (NbdRun server = NbdRun.start(folder, "--discard", mode, disk)) {
                io(server.uri(), "discard 0 512k");
                server.await().assertExit(0);
            }

            assertThat(mapped(disk, extent -> extent.get("data").asBoolean()))
                    .isEqualTo(mode.equals("unmap") ? MIB / 2 : MIB);
        }
    }

    @ParameterizedTest
    @CsvSource({"off, 1024, 1024", "on, 512, 1024", "unmap, 512, 512"})
    void zerosAreDetected(String mode, long dataKib, long hostedKib) throws IOException {
        Path disk = TempImages.qemu(folder, mode, "qcow2", MIB);
        ioFile(disk.toString(), "qcow2", "write -P 1 0 1M");

        try (NbdRun server = NbdRun.start(folder, "--discard=unmap", "--detect-zeroes", mode, disk)) {
            io(server.uri(), "write -P 0 0 512k");
            server.await().assertExit(0);
        }

        assertThat(mapped(disk, extent -> extent.get("data").asBoolean())).isEqualTo(dataKib * 1024);
        assertThat(mapped(disk, extent -> extent.has("offset"))).isEqualTo(hostedKib * 1024);
        readFile(disk.toString(), "qcow2", "read -P 0 0 512k");
        readFile(disk.toString(), "qcow2", "read -P 1 512k 512k");
    }

    @Test
    void diskOfAnySizeHasWholeSectors() throws IOException {
        Path disk = TempImages.raw(folder, "a.raw", Contents.testBytes(1000));

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", disk)) {
            assertThat(size(server.uri())).isEqualTo(1024);
            io(server.uri(), "write -P 0 512 512", "read -P 0 512 512");
            assertThat(ReferenceTools.run("qemu-io", "-f", "raw", "-c", "write -P 1 512 512", server.uri())
                            .stdout())
                    .contains("No space left");
        }

        assertThat(disk).hasSize(1000);
    }

    @Test
    void guessedRawIsGuarded() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);
        Path qcow2 = TempImages.qemu(folder, "evil", "qcow2", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", disk)) {
            assertThat(server.messages())
                    .startsWith(
                            "WARNING: Image format was not specified for '" + disk + "' and probing guessed raw.\n");
            assertThat(ReferenceTools.run("qemu-io", "-f", "raw", "-c", "write -s " + qcow2 + " 0 512", server.uri())
                            .exit())
                    .isNotZero();
            io(server.uri(), "write -P 1 0 512");
        }
    }

    @Test
    void chainInTheImagesOwnFolderIsFollowed() throws IOException {
        Path base = TempImages.qemu(folder, "base.qcow2", "qcow2", MIB);
        ioFile(base.toString(), "qcow2", "write -P 5 0 64k");
        run(
                "qemu-img",
                "create",
                "-q",
                "-f",
                "qcow2",
                "-b",
                "base.qcow2",
                "-F",
                "qcow2",
                folder.resolve("top").toString());

        try (NbdRun server = NbdRun.start(folder, folder.resolve("top"))) {
            io(server.uri(), "read -P 5 0 64k");
            server.await().assertExit(0);
        }
    }

    @Test
    void whatLiesElsewhereIsOpenedWhenAllowed() throws IOException {
        Path base = TempImages.qemu(folder, "base.qcow2", "qcow2", MIB);
        Path inner = Files.createDirectory(folder.resolve("inner"));
        Path top = inner.resolve("top.qcow2");
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", base.toString(), "-F", "qcow2", top.toString());

        Cli.run("nbd", "-k", folder.resolve("s"), top).assertExit(1);
        assertThat(Cli.run("nbd", "-k", folder.resolve("s"), top).err())
                .startsWith("platter nbd: Failed to blk_new_open '" + top + "': top.qcow2: backing file \"" + base
                        + "\" may not be opened")
                .contains("--allow-references " + folder, "qemu-nbd opens whatever an image names");
        try (NbdRun server = NbdRun.start(folder, "--allow-references", folder, top)) {
            assertThat(size(server.uri())).isEqualTo(MIB);
        }
    }

    @Test
    void exportHasTheNameThatIsStated() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-x", "subset", "-D", "a disk", "-f", "raw", disk)) {
            assertThat(size(server.uri("subset"))).isEqualTo(MIB);
            assertThat(ReferenceTools.run("nbdinfo", "--size", server.uri()).exit())
                    .isEqualTo(1);
            assertThat(run("nbdinfo", "--list", server.uri()).stdout())
                    .contains("export=\"subset\":", "description: a disk");
        }
    }

    @Test
    void exportOfAnotherServerIsServed() throws IOException {
        Path disk = TempImages.raw(folder, "a.raw", Contents.testBytes(MIB));
        Path other = Files.createDirectory(folder.resolve("other"));

        try (NbdRun first = NbdRun.start(folder, "-t", "-x", "a b", "-r", "-f", "raw", disk)) {
            for (List<String> words : List.of(
                    List.of("-r", "nbd:unix:" + first.socket() + ":exportname=a b"),
                    List.of(
                            "-r",
                            "--image-opts",
                            "driver=nbd,server.type=unix,server.path=" + first.socket() + ",export=a b"),
                    List.of("-r", first.uri("a%20b")))) {
                try (NbdRun second = NbdRun.start(other, words.toArray())) {
                    assertThat(bytes(second.uri())).as("%s", words).isEqualTo(Files.readAllBytes(disk));
                }
            }
        }
    }

    @Test
    void staleSocketIsReplacedAndAnotherFileIsNot() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);
        Path socket = folder.resolve("s");
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(socket))
                .close();

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", disk)) {
            assertThat(size(server.uri())).isEqualTo(MIB);
            server.await().assertExit(0);
        }
        Files.writeString(socket, "mine");
        assertThat(Cli.run("nbd", "-k", socket, "-f", "raw", disk).assertExit(1).err())
                .isEqualTo("platter nbd: Failed to bind socket to " + socket + ": exists, and is no socket\n");
        assertThat(socket).hasContent("mine");
    }

    @Test
    void takenPortIsSaidInTheWordsOfQemu() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (ServerSocketChannel taken =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))) {
            int port = ((InetSocketAddress) taken.getLocalAddress()).getPort();

            assertThat(Cli.run("nbd", "-b", "127.0.0.1", "-p", port, "-f", "raw", disk)
                            .assertExit(1)
                            .err())
                    .isEqualTo("platter nbd: Failed to find an available port: Address already in use (127.0.0.1:"
                            + port + ")\n");
        }
    }

    @Test
    void imageThatIsWrittenByAnotherIsSaidInTheWordsOfQemu() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);
        Path other = Files.createDirectory(folder.resolve("other"));

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", disk)) {
            assertThat(server.isOver()).isFalse();
            assertThat(Cli.run("nbd", "-k", other.resolve("s"), "-f", "raw", disk)
                            .assertExit(1)
                            .err())
                    .isEqualTo("platter nbd: Failed to blk_new_open '" + disk + "': Failed to get \"write\" lock\n"
                            + "Is another process using the image [" + disk + "]?\n");
        }
    }

    @Test
    void pidFileStays() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);
        Path pid = folder.resolve("pid");

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", "--pid-file", pid, disk)) {
            size(server.uri());
            server.await().assertExit(0);
        }

        assertThat(pid).hasContent(ProcessHandle.current().pid() + "\n");
        assertThat(Files.getPosixFilePermissions(pid)).hasSize(2);
    }

    private static SocketChannel connect(NbdRun server) throws IOException {
        return SocketChannel.open(UnixDomainSocketAddress.of(server.socket()));
    }

    private static int greeting(SocketChannel client) throws IOException {
        ByteBuffer greeting = ByteBuffer.allocate(18);
        while (greeting.hasRemaining() && client.read(greeting) >= 0) {
            // all of it
        }
        return greeting.position();
    }

    private static ToolResult run(String... command) throws IOException {
        ReferenceTools.assumeTool(command[0]);
        return ReferenceTools.run(command).assertSuccess();
    }

    private static long size(String uri) throws IOException {
        return Long.parseLong(run("nbdinfo", "--size", uri).stdout().strip());
    }

    private byte[] bytes(String uri) throws IOException {
        Path copy = folder.resolve("bytes");
        Files.deleteIfExists(copy);
        run("nbdcopy", uri, copy.toString());
        return Files.readAllBytes(copy);
    }

    private byte[] dump(Path image, String device) throws IOException {
        Path file = folder.resolve("dump");
        Cli.run("dump", "--device", device, "-o", file, image).assertExit(0);
        return Files.readAllBytes(file);
    }

    private static void io(String uri, String... commands) throws IOException {
        io(List.of("qemu-io", "-f", "raw"), uri, commands);
    }

    private static void ioFile(String file, String format, String command) throws IOException {
        io(List.of("qemu-io", "-f", format), file, command);
    }

    private static void readOnly(String uri, String command) throws IOException {
        io(List.of("qemu-io", "-r", "-f", "raw"), uri, command);
    }

    private static void readFile(String file, String format, String command) throws IOException {
        io(List.of("qemu-io", "-r", "-f", format), file, command);
    }

    private static void io(List<String> program, String target, String... commands) throws IOException {
        List<String> words = new ArrayList<>(program);
        for (String command : commands) {
            words.addAll(List.of("-c", command));
        }
        words.add(target);
        ToolResult result = run(words.toArray(new String[0]));
        assertThat(result.stdout()).doesNotContain("Pattern verification failed");
    }

    private static List<String> map(String uri, String context) throws IOException {
        return run("nbdinfo", "--map=" + context, uri)
                .stdout()
                .lines()
                .map(line -> line.strip().replaceFirst("^[0-9]+ +", "").replaceAll(" +", " "))
                .toList();
    }

    private static long mapped(Path image, Predicate<JsonNode> wanted) throws IOException {
        long bytes = 0;
        for (JsonNode extent :
                run("qemu-img", "map", "--output=json", image.toString()).json()) {
            bytes += wanted.test(extent) ? extent.get("length").asLong() : 0;
        }
        return bytes;
    }

    private static Path sample() {
        return Path.of("..", "examples", "images", "lvm-guest.qcow2");
    }
}
