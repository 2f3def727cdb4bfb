package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code platter nbdinfo} beside {@code nbdinfo}: the same bytes and exit codes of servers of ours and of others. */
final class NbdInfoTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    @BeforeEach
    void requirePeer() {
        ReferenceTools.assumeTool("nbdinfo");
    }

    private static ToolResult peer(String options, String uri) throws IOException {
        List<String> words = new ArrayList<>(List.of("nbdinfo"));
        words.addAll(words(options));
        words.add(uri);
        return ReferenceTools.run(words);
    }

    private static Cli ours(String options, String uri) {
        List<Object> words = new ArrayList<>(List.of("nbdinfo"));
        words.addAll(words(options));
        words.add(uri);
        return Cli.run(words.toArray());
    }

    private static List<String> words(String options) {
        return Arrays.stream(options.split(" ", -1))
                .filter(word -> !word.isEmpty())
                .toList();
    }

    private static void assertSame(String options, String uri) throws IOException {
        ToolResult peer = peer(options, uri);
        Cli ours = ours(options, uri);

        assertThat(ours.out()).as("%s %s%n%s", options, uri, ours.err()).isEqualTo(peer.stdout());
        assertThat(ours.exit()).as("%s %s%n%s", options, uri, ours.err()).isEqualTo(peer.exit());
        assertThat(ours.err().isEmpty()).as(ours.err()).isEqualTo(peer.stderr().isEmpty());
    }

    /** An overlay with data and a bitmap over an image with data. */
    private Path chain() throws IOException {
        Path base = TempImages.qemu(folder, "base.qcow2", "qcow2", 3 * MIB);
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write -P 65 0 100k", base.toString());
        Path top = TempImages.qemu(folder, "top.qcow2", "qcow2", 3 * MIB, "-F", "qcow2", "-b", base.toString());
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", top.toString(), "b0");
        ReferenceTools.runOk("qemu-io", "-f", "qcow2", "-c", "write 1M 64k", "-c", "write -z 2M 64k", top.toString());
        return top;
    }

    private static final List<String> REPORTS = List.of(
            "",
            "--json",
            "--no-content",
            "--no-content --json",
            "--color",
            "--colour --no-colour",
            "--list",
            "-L --json",
            "--list --content",
            "--list --color",
            "--size",
            "--size --json",
            "--map",
            "--map --json",
            "--map --color",
            "--map --totals",
            "--map --totals --json",
            "--map --totals --color",
            "--js --ma --tot");

    @Test
    void reportsOfOurServerAreTheSame() throws IOException {
        Path disk = chain();
        List<String> more = new ArrayList<>(REPORTS);
        for (String context : List.of("qemu:dirty-bitmap:b0", "qemu:allocation-depth")) {
            for (String form :
                    List.of("", " --json", " --color", " --totals", " --totals --json", " --totals --color")) {
                more.add("--map=" + context + form);
            }
        }

        try (NbdRun server = NbdRun.start(
                folder, "-t", "-r", "-e", "4", "-A", "-B", "b0", "-x", "é \"x\"", "-D", "a b", "-f", "qcow2", disk)) {
            for (String options : more) {
                assertSame(options, server.uri("%C3%A9%20%22x%22"));
            }
        }
    }

    @Test
    void reportsOfAWritableExportAreTheSame() throws IOException {
        Path disk = TempImages.raw(folder, "a.raw", Contents.testBytes(1_000_000));

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", disk)) {
            for (String options : REPORTS) {
                assertSame(options, server.uri());
            }
        }
    }

    @Test
    void reportsOfQemuNbdAreTheSame() throws IOException {
        Path disk = chain();

        try (ServerProcess server =
                ServerProcess.qemuNbd(folder, "-r", "-A", "-B", "b0", "-f", "qcow2", disk.toString())) {
            for (String options : REPORTS) {
                assertSame(options, server.uri(""));
            }
            assertSame("--map=qemu:allocation-depth", server.uri(""));
            assertSame("--map=qemu:dirty-bitmap:b0 --totals", server.uri(""));
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "null 0",
                "--no-sr memory 1536",
                "-r --mask-handshake=0 memory 5G",
                "--filter=extentlist memory 1M extentlist={}/extents",
                "--filter=blocksize-policy memory 3M blocksize-minimum=4096 blocksize-preferred=65536"
                        + " blocksize-maximum=1M",
                "--filter=exportname memory 2T exportname=foo exportname=bar exportname-list=explicit"
                        + " exportdesc=fixed:d",
                "--filter=exportname memory 1K exportname-list=explicit",
                "file {}/notes",
            })
    void reportsOfNbdkitAreTheSame(String server) throws IOException {
        Files.writeString(folder.resolve("extents"), "0 64K\n64K 64K hole\n128K 1K zero\n192K 64K hole,zero\n");
        Files.writeString(folder.resolve("notes"), "Some notes.\n");

        try (ServerProcess nbdkit = nbdkit(server)) {
            for (String options : REPORTS) {
                boolean noOptions = server.contains("--mask-handshake=0");
                if (!(noOptions && options.matches("(-L|--list).*"))) {
                    assertSame(options, nbdkit.uri(""));
                }
            }
        }
    }

    private ServerProcess nbdkit(String words) throws IOException {
        return ServerProcess.nbdkit(
                folder, words.replace("{}", folder.toString()).split(" ", -1));
    }

    @Test
    void serverWithTheOldestHandshakeIsShown() throws IOException {
        try (ServerProcess nbdkit = nbdkit("-o memory 1M")) {
            for (String options :
                    List.of("", "--json", "--no-content", "--size", "--map", "--can df", "--can connect")) {
                assertSame(options, nbdkit.uri(""));
            }
            // The peer does not know that such a server has one export.
            assertThat(ours("--list", nbdkit.uri("")).assertExit(0).out()).contains("export=\"\":");
        }
    }

    private static final List<String> QUESTIONS = List.of(
            "--is read-only",
            "--is rotational",
            "--is tls",
            "--can cache",
            "--can connect",
            "--can df",
            "--can fast-zero",
            "--can FastZero",
            "--can flush",
            "--can fua",
            "--can multi_conn",
            "--can read",
            "--can structured-reply",
            "--can sr",
            "--can trim",
            "--can write",
            "--can zero",
            "--is trim --can read");

    @Test
    void questionsHaveTheSameAnswers() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-r", "-f", "raw", disk)) {
            for (String question : QUESTIONS) {
                assertSame(question, server.uri());
            }
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"memory 1M", "--no-sr -r null 1M"})
    void questionsToNbdkitHaveTheSameAnswers(String server) throws IOException {
        try (ServerProcess nbdkit = nbdkit(server)) {
            for (String question : QUESTIONS) {
                assertSame(question, nbdkit.uri(""));
            }
        }
    }

    @Test
    void failuresHaveTheSameExitCodesAndTheTextsOfItsOwn() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-f", "raw", disk)) {
            for (String options : List.of(
                    "--map=nope:x",
                    "--can bogus",
                    "--can write --size",
                    "--map --list",
                    "--size --list",
                    "--totals",
                    "--content --no-content")) {
                ToolResult peer = peer(options, server.uri());
                Cli ours = ours(options, server.uri());
                assertThat(ours.err()).isEqualTo(peer.stderr().replace("/usr/bin/nbdinfo: ", "platter nbdinfo: "));
                assertThat(ours.exit()).isEqualTo(peer.exit()).isEqualTo(1);
                assertThat(ours.out()).isEmpty();
            }
            for (String options : List.of("--bogus", "-q", "--no-co", server.uri())) {
                assertThat(ours(options, server.uri()).exit())
                        .isEqualTo(peer(options, server.uri()).exit());
            }
            assertThat(ours("--can", server.uri()).assertExit(1).err())
                    .contains("unknown --can or --is option: " + server.uri());
            for (String options : List.of("", "--size", "--map", "--can read", "--can connect", "--list")) {
                assertSame(options, server.uri("nope"));
            }
            assertThat(ours("", server.uri("nope")).err())
                    .contains("\"nope\"", "suggestion: to list all exports on the server, use --list");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "nbd+unix:///?socket=/nowhere",
                "nbd://localhost:1",
                "http://x",
                "foo",
                "nbd+unix:///",
                "nbd://h?socket=/s"
            })
    void whatCannotBeReachedIsOneLine(String uri) throws IOException {
        assertSame("", uri);
        assertThat(ours("", uri).err().lines()).hasSize(1).first().asString().startsWith("platter nbdinfo: ");
    }

    @Test
    void sharedKeysAreInTheAddressThatIsShown() throws IOException {
        ReferenceTools.assumeTool("psktool");
        Path keys = folder.resolve("keys.psk");
        ReferenceTools.runOk("psktool", "-u", "alice", "-p", keys.toString());

        try (ServerProcess nbdkit = nbdkit("--tls=require --tls-psk={}/keys.psk memory 1M")) {
            String uri = nbdkit.tlsUri("alice@", "tls-psk-file=" + keys);
            assertSame("", uri);
            assertSame("--is tls", uri);
            // in clear
            assertSame("", nbdkit.uri(""));
        }
    }

    @Test
    void textOfAServerCannotActOnATerminal() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-t", "-D", "a\u001b[31mb\nexport=c", "-f", "raw", disk)) {
            assertThat(ours("--no-color", server.uri()).assertExit(0).out())
                    .contains("\tdescription: a\\x1b[31mb\\x0aexport=c\n")
                    .doesNotContain("\u001b");
            assertThat(Objects.requireNonNull(ours("--json", server.uri())
                            .json()
                            .at("/exports/0/description")
                            .asText()))
                    .isEqualTo("a\u001b[31mb\nexport=c");
        }
    }

    @Test
    void oneConnectionIsEnough() throws IOException {
        Path disk = TempImages.sparse(folder, "a.raw", MIB);

        try (NbdRun server = NbdRun.start(folder, "-f", "raw", disk)) {
            assertThat(ours("", server.uri()).assertExit(0).out()).contains("content: data");

            server.await().assertExit(0);
        }
    }

    @Test
    void serversAreNotStarted() {
        Cli run = Cli.run("nbdinfo", "--", "[", "qemu-nbd", "-r", "-f", "qcow2", "a.qcow2", "]");

        assertThat(run.assertExit(1).err())
                .startsWith("platter nbdinfo: [ COMMAND ... ]: ")
                .hasLineCount(1);
    }

    @Test
    void helpAndVersionAreShown() {
        assertThat(Cli.run("nbdinfo", "--help").assertExit(0).out()).startsWith("Usage: platter nbdinfo");
        assertThat(Cli.run("nbdinfo", "-V").assertExit(0).out()).startsWith("platter ");
        assertThat(Cli.run("nbdinfo").assertExit(1).err()).isEqualTo("""
                        platter nbdinfo: one address is needed, and there are 0
                        platter nbdinfo: Try `platter nbdinfo --help' for more information.
                        """);
    }
}
