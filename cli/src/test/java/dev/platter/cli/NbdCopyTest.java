package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code platter nbdcopy} with servers of ours and of others, and beside {@code nbdcopy}. */
final class NbdCopyTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    private static Cli copy(Object... arguments) {
        List<Object> words = new ArrayList<>(List.of("nbdcopy"));
        words.addAll(Arrays.asList(arguments));
        return Cli.run(words.toArray());
    }

    /** Data, a hole, zeros and data, up to an odd end. */
    private Path disk(String name, int size) throws IOException {
        byte[] bytes = new byte[size];
        Contents data = Contents.testBytes(size);
        System.arraycopy(data.bytes(0, MIB), 0, bytes, 0, MIB);
        int last = size - 300_000;
        System.arraycopy(data.bytes(last, 300_000), 0, bytes, last, 300_000);
        return TempImages.raw(folder, name, bytes);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "--synchronous",
                "-C 1 -R 1",
                "-C 4 -T 4 -R 64",
                "--request-size=4096",
                "--request-size=33554432 --queue-size=1",
                "-S 0",
                "-S 65536",
                "--no-extents",
                "--allocated",
                "--flush --destination-is-zero"
            })
    void everyWayOfReadingGivesTheSameBytes(String options) throws IOException {
        Path disk = disk("a.raw", 5 * MIB + 512);
        Path image = TempImages.qemuConvert(disk, "a.qcow2", "qcow2");
        Path copy = folder.resolve("copy");

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-e", "4", "-f", "qcow2", image)) {
            copy(words(options, server.uri(), copy)).assertExit(0);
        }

        assertThat(copy).hasSameBinaryContentAs(disk);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "--synchronous",
                "-C 4 -T 4",
                "--request-size=65536",
                "-S 0",
                "--no-extents",
                "--allocated",
                "--flush"
            })
    void everyWayOfWritingGivesTheSameBytes(String options) throws IOException {
        Path disk = disk("a.raw", 5 * MIB + 512);
        Path target = TempImages.raw(folder, "target.raw", Contents.testBytes(6 * MIB));

        try (NbdRun server = NbdRun.start(folder, "-t", "-e", "4", "-f", "raw", target)) {
            copy(words(options, disk, server.uri())).assertExit(0);
        }

        byte[] written = Files.readAllBytes(target);
        assertThat(Arrays.copyOf(written, 5 * MIB + 512)).isEqualTo(Files.readAllBytes(disk));
        assertThat(Arrays.copyOfRange(written, 5 * MIB + 512, 6 * MIB))
                .as("what lies behind the source is left alone")
                .isEqualTo(Contents.testBytes(6 * MIB).bytes(5 * MIB + 512, MIB - 512));
    }

    private static Object[] words(String options, Object... more) {
        List<Object> words = new ArrayList<>();
        for (String word : options.split(" ", -1)) {
            if (!word.isEmpty()) {
                words.add(word);
            }
        }
        words.addAll(Arrays.asList(more));
        return words.toArray();
    }

    @Test
    void serversOfOthersAreReadAndWritten() throws IOException {
        Path disk = disk("a.raw", 5 * MIB);
        Path first = Files.createDirectory(folder.resolve("1"));
        Path second = Files.createDirectory(folder.resolve("2"));
        Path copy = folder.resolve("copy");

        try (ServerProcess from = ServerProcess.qemuNbd(first, "-r", "-e", "4", "-f", "raw", disk.toString());
                ServerProcess to = ServerProcess.nbdkit(second, "memory", "6M")) {
            copy(from.uri(""), to.uri("")).assertExit(0);
            copy(to.uri(""), copy).assertExit(0);
        }

        assertThat(Arrays.copyOf(Files.readAllBytes(copy), 5 * MIB)).isEqualTo(Files.readAllBytes(disk));
        assertThat(copy).hasSize(6 * MIB);
    }

    @Test
    void fileIsAsSparseAsThatOfNbdcopy() throws IOException {
        ReferenceTools.assumeTool("nbdcopy");
        Path disk = disk("a.raw", 8 * MIB);
        Path peer = folder.resolve("peer");
        Path ours = folder.resolve("ours");

        try (ServerProcess server = ServerProcess.nbdkit(folder, "file", disk.toString())) {
            ReferenceTools.runOk("nbdcopy", server.uri(""), peer.toString());
            copy(server.uri(""), ours).assertExit(0);
        }

        assertThat(ours).hasSameBinaryContentAs(peer);
        assertThat(allocated(ours)).isLessThanOrEqualTo(allocated(peer) + 4096).isLessThan(3 * MIB);
    }

    @Test
    void allocatedFileHasNoHoles() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", 2 * MIB);
        Path copy = folder.resolve("copy");

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", disk)) {
            copy("--allocated", server.uri(), copy).assertExit(0);
        }

        assertThat(allocated(copy)).isEqualTo(2 * MIB);
    }

    private static long allocated(Path file) throws IOException {
        String blocks =
                ReferenceTools.runOk("stat", "-c", "%b", file.toString()).stdout();
        return Long.parseLong(blocks.strip()) * 512;
    }

    @Test
    void zerosAreLeftOutWhereTheDestinationIsSaidToHaveThem() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);
        Path target = TempImages.raw(folder, "target.raw", Contents.testBytes(MIB));

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", target)) {
            copy("--target-is-zero", disk, server.uri()).assertExit(0);
            assertThat(target).hasBinaryContent(Contents.testBytes(MIB).bytes(0, MIB));

            copy(disk, server.uri()).assertExit(0);
        }

        assertThat(target).hasSameBinaryContentAs(disk);
    }

    @Test
    void fileThatIsThereBecomesTheCopy() throws IOException {
        Path disk = disk("a.raw", 3 * MIB);
        Path longer = TempImages.raw(folder, "longer", Contents.testBytes(4 * MIB));

        copy(disk, longer).assertExit(0);

        assertThat(longer).hasSameBinaryContentAs(disk);
    }

    @Test
    void bytesGoToStandardOutputAndNowhere() throws IOException {
        Path disk = disk("a.raw", 3 * MIB + 100);

        try (ServerProcess server = ServerProcess.nbdkit(folder, "file", disk.toString())) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            Cli.run(out, "nbdcopy", server.uri(""), "-").assertExit(0);
            assertThat(out.toByteArray()).isEqualTo(Files.readAllBytes(disk));

            assertThat(copy(server.uri(""), "null:").assertExit(0).out()).isEmpty();
            copy(server.uri(""), "/dev/null").assertExit(0);
        }
    }

    @Test
    void pipeIsReadToItsEnd() throws IOException, InterruptedException {
        ReferenceTools.assumeTool("mkfifo");
        Path disk = disk("a.raw", 3 * MIB + 512);
        Path copy = folder.resolve("copy");
        Path pipe = folder.resolve("pipe");
        ReferenceTools.runOk("mkfifo", pipe.toString());
        Path target = TempImages.raw(folder, "target.raw", Contents.testBytes(4 * MIB));

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", target)) {
            for (Object destination : new Object[] {server.uri(), copy}) {
                Thread writer = new Thread(() -> pour(disk, pipe));
                writer.start();
                copy(pipe, destination).assertExit(0);
                writer.join();
            }
        }

        assertThat(copy).hasSameBinaryContentAs(disk);
        assertThat(Arrays.copyOf(Files.readAllBytes(target), 3 * MIB + 512)).isEqualTo(Files.readAllBytes(disk));
    }

    private static void pour(Path from, Path pipe) {
        try {
            Files.write(pipe, Files.readAllBytes(from), StandardOpenOption.WRITE);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void severalConnectionsAndAFlushAreAskedForWhereTheyWereWanted() throws IOException {
        Path disk = disk("a.raw", 5 * MIB);
        Path log = folder.resolve("log");

        try (ServerProcess server = ServerProcess.nbdkit(folder, "--filter=log", "memory", "5M", "logfile=" + log)) {
            copy("-C", "3", "-T", "3", "--request-size=65536", disk, server.uri(""))
                    .assertExit(0);
            String quiet = Files.readString(log);
            assertThat(quiet).contains("connection=3 Connect").doesNotContain("connection=4 Connect", " Flush ");
            assertThat(quiet).contains("count=0x10000").doesNotContain("count=0x20000");

            copy("--flush", disk, server.uri("")).assertExit(0);
            assertThat(Files.readString(log)).contains(" Flush ");
        }
    }

    @Test
    void progressIsLinesForOtherPrograms() throws IOException {
        Path disk = disk("a.raw", 3 * MIB);

        List<String> lines = copy("--progress=1", disk, "null:").assertExit(0).lines();

        assertThat(lines).startsWith("0/100").endsWith("100/100").allMatch(line -> line.matches("\\d+/100"));
        assertThat(lines.stream().map(line -> Integer.parseInt(line.replace("/100", ""))))
                .isSorted();
        assertThat(copy("--progress=2", disk, "null:").assertExit(0).err()).startsWith("0/100\n");
        copy("--progress=999", disk, "null:").assertExit(1);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--connections=0",
                "-C x",
                "--progress=x",
                "-R 0",
                "-S 511",
                "-S 300",
                "-S x",
                "-T x",
                "--request-size=5000",
                "--request-size=100",
                "--queue-size=x"
            })
    void valueThatMakesNoSenseIsRefusedInTheSameWords(String options) throws IOException {
        ReferenceTools.assumeTool("nbdcopy");
        Path disk = TempImages.sparse(folder, "a.raw", MIB);
        List<String> words = new ArrayList<>(List.of("nbdcopy"));
        words.addAll(Arrays.asList(options.split(" ", -1)));
        words.addAll(List.of(disk.toString(), "null:"));

        ToolResult peer = ReferenceTools.run(words);
        Cli ours = copy(words(options, disk, "null:"));

        assertThat(ours.err()).isEqualTo("platter " + peer.stderr());
        assertThat(ours.exit()).isEqualTo(peer.exit()).isEqualTo(1);
    }

    @Test
    void copyThatCannotBeIsRefused() throws IOException {
        Path disk = disk("a.raw", 3 * MIB);
        Path small = TempImages.sparse(folder, "small.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", small)) {
            assertError(copy(disk, server.uri()), "error: destination size is smaller than source size");
            assertThat(small).hasBinaryContent(new byte[MIB]);
        }
        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "raw", small)) {
            assertError(copy(small, server.uri()), server.uri() + ": the destination is read-only, cannot write to it");
        }
        assertError(copy(disk, disk), disk + ": the destination is the source itself");
        assertError(copy(folder.resolve("nosuch"), "null:"), folder.resolve("nosuch") + ": No such file or directory");
        assertError(copy(disk, "/nosuch/x"), "/nosuch/x: No such file or directory");
        assertThat(copy(disk, folder).assertExit(1).err()).contains("directory");
        assertThat(copy(disk).assertExit(1).err()).contains("a source and a destination are needed");
        assertThat(copy("--", "[", "nbdkit", "null", "]", "null:").assertExit(1).err())
                .contains("[ COMMAND ... ]: ");
        assertThat(copy("nbds:unix:/s", "null:").assertExit(1).err()).contains("is no address: :// is missing");
        assertThat(disk).hasSize(3 * MIB);
    }

    private static void assertError(Cli run, String text) {
        assertThat(run.assertExit(1).err()).isEqualTo("platter nbdcopy: " + text + "\n");
    }

    @Test
    void whatIsCopiedIsToldIfAsked() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        assertThat(copy("-v", disk, "null:").assertExit(0).err())
                .startsWith("platter nbdcopy: src: " + disk + ": 1048576 bytes (1M)\n")
                .contains("dst: null:", "connections=");
    }
}
