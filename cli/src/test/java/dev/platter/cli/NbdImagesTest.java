package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Disks of NBD servers in place of files. */
final class NbdImagesTest {
    private static final Path GUEST = Path.of("..", "examples", "images", "lvm-guest.qcow2");
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    @Test
    void remoteGuestIsInspectedLikeAFile() throws IOException {
        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "qcow2", GUEST)) {
            assertThat(Cli.run("list-filesystems", server.uri()).assertExit(0).out())
                    .isEqualTo(Cli.run("list-filesystems", GUEST).assertExit(0).out());
            assertThat(Cli.run("inspect", server.uri()).assertExit(0).out()).contains("(raw)", "vg0");
            assertThat(Cli.run("inspect", "--json", server.uri())
                            .assertExit(0)
                            .json()
                            .path("filesystems"))
                    .isEqualTo(Cli.run("inspect", "--json", GUEST)
                            .assertExit(0)
                            .json()
                            .path("filesystems"));
        }
    }

    @Test
    void namesOfVirtDfAreShown() throws IOException {
        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-x", "guest", "-f", "qcow2", GUEST)) {
            String file = Cli.run("df", GUEST).assertExit(0).out();

            // the last part of the address, as of the name of a file
            assertThat(blanksAsOne(
                            Cli.run("df", server.uri("guest")).assertExit(0).out()))
                    .isEqualTo(blanksAsOne(file.replace("lvm-guest.qcow2", "s")));
        }
        assertThat(new ImageName("nbd://192.168.122.1").shortName()).isEqualTo("192.168.122.1");
        assertThat(new ImageName("nbd://host/a/guest").shortName()).isEqualTo("guest");
        assertThat(new ImageName("nbds://host/guest?tls-psk-file=/etc/keys.psk").shortName())
                .isEqualTo("guest");
        assertThat(new ImageName("nbd+unix:///?socket=/run/vm.sock").shortName())
                .isEqualTo("vm.sock");
        assertThat(new ImageName("nbd://host/").shortName()).isEqualTo("nbd://host/");
    }

    private static String blanksAsOne(String text) {
        return text.replaceAll("[ \n]+", " ");
    }

    @Test
    void volumeOfARemoteGuestIsDumpedAndConverted() throws IOException {
        String volume = "/dev/vg0/root";
        Path local = folder.resolve("local");
        Cli.run("dump", "--device", volume, "-o", local, GUEST).assertExit(0);

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "qcow2", GUEST)) {
            Path dumped = folder.resolve("dumped");
            Path converted = folder.resolve("converted");
            Cli.run("dump", "--device", volume, "-o", dumped, server.uri()).assertExit(0);
            Cli.run("convert", server.uri() + ":" + volume, converted).assertExit(0);

            assertThat(dumped).hasSameBinaryContentAs(local);
            assertThat(converted).hasSameBinaryContentAs(local);
        }
    }

    @Test
    void infoAndMapAreThoseOfQemuImg() throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        Path disk = TempImages.qemu(folder, "a.qcow2", "qcow2", 3 * MIB);
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write 1M 64k", disk.toString());

        try (ServerProcess server = ServerProcess.qemuNbd(folder, "-r", "-f", "qcow2", disk.toString())) {
            String uri = server.uri("");
            for (String command : List.of("info", "map", "map --output=json")) {
                List<String> words = new ArrayList<>(List.of("qemu-img"));
                words.addAll(List.of(command.split(" ", -1)));
                words.add(uri);
                String peer = ReferenceTools.run(words).assertSuccess().stdout();
                Object[] own = words.subList(1, words.size()).toArray();

                assertThat(Cli.run(own).assertExit(0).out())
                        .isEqualTo(peer.replace("nbd+unix://?", "nbd+unix:///?")
                                .replace("disk size: unavailable\n", "")
                                .replaceAll("(true|false)(, \"offset\")", "$1, \"compressed\": false$2"));
            }
        }
    }

    @Test
    void wholeDiskIsReadWrittenAndCompared() throws IOException {
        Path disk = TempImages.raw(folder, "a.raw", Contents.testBytes(3 * MIB));
        Path other = TempImages.sparse(folder, "b.raw", 3 * MIB);
        Path copy = folder.resolve("copy.qcow2");

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "raw", disk)) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            Cli.run(out, "dump", server.uri()).assertExit(0);
            assertThat(out.toByteArray()).isEqualTo(Files.readAllBytes(disk));
            Cli.run("convert", "-O", "qcow2", server.uri(), copy).assertExit(0);
            Cli.run("compare", server.uri(), copy).assertExit(0);
            Cli.run("compare", other, server.uri()).assertExit(1);
            Cli.run("dd", "bs=1M", "skip=1", "count=1", "if=" + server.uri(), "of=" + folder.resolve("part"))
                    .assertExit(0);
            assertThat(folder.resolve("part"))
                    .hasBinaryContent(Contents.testBytes(3 * MIB).bytes(MIB, MIB));
            assertThat(Cli.run("measure", server.uri()).assertExit(0).out()).contains("required size: " + 3 * MIB);
            assertThat(Cli.run("check", server.uri()).assertExit(63).err()).contains("does not support checks");
            Cli.run("info", "--snapshot", "x", server.uri()).assertError(1, "raw images have none");
        }
        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", other)) {
            Cli.run("convert", "-n", copy, server.uri()).assertExit(0);
        }
        assertThat(other).hasSameBinaryContentAs(disk);
    }

    @Test
    void remoteDiskThatBeginsAsQcow2IsShownAsItIs() throws IOException {
        Path secret = Files.writeString(folder.resolve("secret"), "secret");
        Path inner = TempImages.qemu(folder, "a.qcow2", "qcow2", MIB, "-u", "-F", "raw", "-b", secret.toString());

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "raw", inner)) {
            for (String command : List.of("info", "map", "inspect", "list-filesystems", "df")) {
                Cli run = Cli.run(command, "--allow-references", folder, server.uri())
                        .assertExit(0);
                assertThat(run.err().lines())
                        .as(command)
                        .singleElement()
                        .asString()
                        .startsWith("platter: warning: " + server.uri())
                        .contains("begins as qcow2 and is shown as the raw disk that it is", "--format=qcow2");
                assertThat(run.out()).doesNotContain("secret");
            }
            assertThat(Cli.run("info", server.uri()).out()).contains("file format: raw");
            Cli inside = Cli.run("info", "--format=qcow2", server.uri()).assertExit(0);
            assertThat(inside.out()).contains("file format: qcow2", "virtual size: 1 MiB", "backing file: ");
            Cli.run("check", "--format=qcow2", server.uri()).assertExit(0);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"inspect", "info", "map", "check", "list-filesystems", "df", "dump"})
    void formatOfTheFileBehindADiskIsExplained(String command) throws IOException {
        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "qcow2", GUEST)) {
            Cli.run(command, "--format=qcow2", server.uri())
                    .assertError(
                            1,
                            server.uri()
                                    + ": this does not begin as qcow2: it is the disk that the guest sees, which is raw",
                            "leave the format out (--format=qcow2)");
        }
    }

    @Test
    void whatOnlyFilesCanIsRefused() {
        String uri = "nbd://localhost/x";

        Cli.run("convert", GUEST, uri).assertError(2, "\"" + uri + "\" is the address of an export");
        Cli.run("dump", "-o", uri, GUEST).assertError(2, "is the address of an export");
        Cli.run("check", "-r", "all", uri).assertError(2, "is the address of an export, and a file is needed");
        Cli.run("resize", uri, "1M").assertError(2, "is the address of an export");
        Cli.run("create", "-f", "raw", uri, "1M").assertError(2, "is the address of an export");
    }

    @Test
    void addressesOfQemuAreUnderstood() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-x", "a b", "-f", "raw", disk)) {
            Path socket = server.socket();
            for (String uri :
                    List.of("nbd+unix://?socket=" + socket, "nbd:unix:" + socket, "NBD+UNIX:///?socket=" + socket)) {
                Cli.run("info", uri).assertError(1, "does not open the export \"\"");
            }
            for (String uri : List.of("nbd+unix:///a b?socket=" + socket, "nbd:unix:" + socket + ":exportname=a b")) {
                assertThat(Cli.run("info", uri).assertExit(0).out()).contains("virtual size: 1 MiB");
            }
        }
        Cli.run("info", "nbds:localhost:1").assertError(1, "'nbds:localhost:1' is no address: :// is missing");
        Cli.run("info", "nbd://h?bogus=1").assertError(1, "\"bogus\"");
    }
}
