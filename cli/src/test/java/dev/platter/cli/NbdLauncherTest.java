package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.BufferedReader;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code platter nbd} as a process of its own, started by {@code dev/start}: what a JVM cannot do by itself. */
final class NbdLauncherTest {
    private static final int MIB = 1 << 20;

    @TempDir
    private Path folder;

    private Path disk;

    @BeforeEach
    void makeDisk() throws IOException {
        ReferenceTools.assumeTool("nbdinfo");
        disk = TempImages.sparse(folder, "a.raw", MIB);
    }

    @ParameterizedTest
    @ValueSource(strings = {"INT", "TERM", "HUP"})
    void signalEndsTheServerWellAndLeavesNothing(String signal) throws IOException, InterruptedException {
        Path socket = folder.resolve("s");
        Path temporary = Files.createDirectory(folder.resolve("tmp"));
        ProcessBuilder builder = builder("-t", "-v", "-s", "-k", socket, "-f", "raw", disk);
        builder.environment().put("TMPDIR", temporary.toString());
        Process server = builder.start();
        try (BufferedReader messages = server.errorReader(StandardCharsets.UTF_8)) {
            assertThat(messages.readLine()).contains("listening on ");
            assertThat(socket).exists();
            assertThat(temporary).isNotEmptyDirectory();

            ReferenceTools.runOk("kill", "-" + signal, Long.toString(server.pid()));

            assertThat(server.waitFor(1, TimeUnit.MINUTES)).isTrue();
            assertThat(server.exitValue()).isZero();
            assertThat(socket).doesNotExist();
            assertThat(temporary).isEmptyDirectory();
        } finally {
            ReferenceTools.end(server);
        }
    }

    @Test
    void forkReturnsWhenClientsCanComeAndTheServerGoesOnAlone() throws IOException, InterruptedException {
        ReferenceTools.assumeTool("setsid");
        Path socket = folder.resolve("s");
        Path pid = folder.resolve("pid");

        // a relative name, although the server leaves its folder
        ToolResult fork = start("--fork", "-t", "-k", socket, "--pid-file", pid, "-f", "raw", "a.raw");

        ProcessHandle server =
                ProcessHandle.of(Long.parseLong(Files.readString(pid).strip())).orElseThrow();
        try {
            assertThat(fork.exit()).as(fork.stderr()).isZero();
            assertThat(fork.stdout()).isEmpty();
            assertThat(fork.stderr()).isEmpty();
            assertThat(size(socket)).isEqualTo(MIB);
            Path process = Path.of("/proc", Long.toString(server.pid()));
            assertThat(process.resolve("cwd").toRealPath()).isEqualTo(Path.of("/"));
            for (String standard : List.of("0", "1", "2")) {
                assertThat(process.resolve("fd").resolve(standard).toRealPath()).isEqualTo(Path.of("/dev/null"));
            }
            String[] stat = Files.readString(process.resolve("stat")).split(" ", -1);
            assertThat(stat[5]).as("session").isEqualTo(Long.toString(server.pid()));
        } finally {
            server.destroy();
        }
        server.onExit().join();
        assertThat(socket).doesNotExist();
        assertThat(pid).exists();
    }

    @Test
    void forkFailsIfTheServerDoesNotStart() throws IOException {
        ReferenceTools.assumeTool("setsid");

        ToolResult fork = start("--fork", "-k", folder.resolve("s"), "nofile");

        assertThat(fork.exit()).isEqualTo(1);
        assertThat(fork.stderr())
                .isEqualTo("platter nbd: Failed to blk_new_open 'nofile': Could not open 'nofile': No such file or"
                        + " directory\n");
    }

    @Test
    void optionThatIsAValueIsSaidToBeOne() throws IOException {
        ReferenceTools.assumeTool("setsid");

        ToolResult fork = start("-x", "--fork", "-k", folder.resolve("s"), disk);

        assertThat(fork.exit()).isEqualTo(1);
        assertThat(fork.stderr()).contains("--option=--fork");
    }

    /** The kernel here may have no such device: what is looked at is who waits for whom. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "-c /dev/no-nbd0",
                "--connect=/dev/no-nbd0",
                "-rc /dev/no-nbd0",
                "--connect /dev/no-nbd0",
                "--conn=/dev/no-nbd0",
                "--verb --co /dev/no-nbd0",
                "-vc /dev/no-nbd0",
                "-v --connect=/dev/no-nbd0",
            })
    void deviceOfTheKernelIsBoundInTheBackgroundUnlessItIsToTalk(String words) throws IOException {
        ReferenceTools.assumeTool("setsid");
        List<Object> all = new ArrayList<>(List.of(words.split(" ", -1)));
        all.addAll(List.of("-f", "raw", "a.raw"));

        ToolResult result = start(all.toArray());

        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.stderr()).startsWith("platter nbd: Failed to open /dev/no-nbd0: ");
        assertThat(result.stderr().lines()).hasSize(1);
    }

    @Test
    void socketThatIsHandedOverIsServed() throws IOException {
        // libnbd starts what stands in brackets with a socket as descriptor 3
        List<String> command = new ArrayList<>(List.of("nbdinfo", "--size", "--", "["));
        command.addAll(command("-f", "raw", disk));
        command.add("]");

        ToolResult result = ReferenceTools.run(command);

        assertThat(result.stderr()).isEmpty();
        assertThat(result.stdout()).isEqualTo(MIB + "\n");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1 -p 1 | TCP port number can't be set when using socket activation",
                "1 -b x | The interface can't be set when using socket activation",
                "1 -k /x | Unix socket can't be set when using socket activation",
                "1 -c /dev/nbd0 | NBD device can't be set when using socket activation",
                "2 -r | qemu-nbd does not support socket activation with LISTEN_FDS > 1",
            })
    void socketThatIsHandedOverExcludesAddresses(String line) throws IOException {
        String[] parts = line.split(" \\| ", -1);
        List<Object> words = new ArrayList<>(List.of(parts[0].split(" ", -1)));
        String sockets = words.remove(0).toString();
        words.addAll(List.of("-f", "raw", disk));
        List<String> command = new ArrayList<>(
                List.of("sh", "-c", "exec 3</dev/null 4</dev/null; LISTEN_PID=$$ LISTEN_FDS=$0 exec \"$@\"", sockets));
        command.addAll(command(words.toArray()));

        ToolResult result = ReferenceTools.run(command);

        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.stderr()).isEqualTo("platter nbd: " + parts[1] + "\n");
    }

    @Test
    void whatIsHandedOverHasToListen() throws IOException {
        List<String> command =
                new ArrayList<>(List.of("sh", "-c", "exec 3</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""));
        command.addAll(command("-f", "raw", disk));

        ToolResult result = ReferenceTools.run(command);

        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.stderr()).contains("Failed to use socket activation: descriptor 3 is no socket that listens");
    }

    @Test
    void jvmWithoutTheLauncherSaysWhatItLacks() throws IOException {
        List<String> words = command("-f", "raw", disk);
        List<String> command = new ArrayList<>(List.of("sh", "-c", "LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\""));
        command.addAll(words.subList(2, words.size()));

        ToolResult result = ReferenceTools.run(command);

        assertThat(result.exit()).isEqualTo(1);
        assertThat(result.stderr()).contains("a JVM cannot take the socket that was handed to it");
    }

    @Test
    void socketsOfAnotherProcessAreNobodysBusiness() throws IOException {
        List<String> command = new ArrayList<>(List.of("env", "LISTEN_PID=1", "LISTEN_FDS=1"));
        command.addAll(command("-f", "raw", "nofile"));

        ToolResult result = ReferenceTools.run(command);

        assertThat(result.stderr()).contains("Could not open 'nofile'");
    }

    private ToolResult start(Object... arguments) throws IOException {
        return ReferenceTools.runIn(folder, command(arguments).toArray(new String[0]));
    }

    private ProcessBuilder builder(Object... arguments) {
        return Launched.builder("nbd", arguments);
    }

    private static List<String> command(Object... arguments) {
        return Launched.command("nbd", arguments);
    }

    private static long size(Path socket) throws IOException {
        return Long.parseLong(ReferenceTools.runOk("nbdinfo", "--size", "nbd+unix:///?socket=" + socket)
                .stdout()
                .strip());
    }
}
