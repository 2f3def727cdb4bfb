package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class UsageTest {

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "inspect",
                "info",
                "map",
                "check",
                "list-filesystems",
                "df",
                "dump",
                "create",
                "convert",
                "resize",
                "snapshot",
                "commit",
                "rebase",
                "compare",
                "measure",
                "amend",
                "dd",
                "bind",
                "unbind",
                "mount",
                "umount",
                "nbdinfo",
                "completion"
            })
    void helpOfEveryCommandHasAnExampleAndExitCodes(String command) {
        Cli help = Cli.run(command, "--help").assertExit(0);

        assertThat(help.out())
                .startsWith("Usage: platter " + command)
                .contains("Exit codes:", "  0 ", "  2 ", "Example", "  platter " + command);
        assertThat(help.out().lines()).allSatisfy(line -> assertThat(line).hasSizeLessThanOrEqualTo(120));
        assertThat(Cli.run("help", command).assertExit(0).out()).isEqualTo(help.out());
        assertThat(help.err()).isEmpty();
    }

    @Test
    void helpListsEveryCommand() {
        String help = Cli.run("--help").assertExit(0).out();

        assertThat(help).contains("Exit codes:", "Example").contains(Commands.NAMES);
        assertThat(Cli.run("help").assertExit(0).out()).isEqualTo(help);
    }

    @Test
    void versionNamesPlatterAndJava() {
        String version = Cli.run("--version").assertExit(0).out();

        assertThat(version).matches("platter \\d+\\.\\d+.*\nJava " + System.getProperty("java.version") + " .*\n");
    }

    @Test
    void nothingIsNoCommand() {
        Cli.run().assertError(2, "no command given", "try platter --help");
    }

    @ParameterizedTest
    @CsvSource({
        "inspct, unknown command: 'inspct'; did you mean inspect",
        "--versoin, unknown option: '--versoin'; did you mean --version",
        "x, unknown command: 'x'",
    })
    void unknownCommandsAndOptionsSuggest(String word, String message) {
        Cli.run(word).assertError(2, message, "try platter --help");
    }

    @Test
    void unknownOptionOfACommandSuggests() {
        Cli.run("inspect", "--jsno", "x")
                .assertError(2, "inspect: unknown option: '--jsno'", "--json", "try platter inspect --help");
    }

    @Test
    void lastOfAnOptionThatIsGivenTwiceCounts() {
        Cli run = Cli.run(
                        "info", "-q", "-q", "-f", "qcow2", "--output=json", "-f", "raw", "--output=human", emptyDisk())
                .assertExit(0);

        assertThat(run.out()).contains("file format: raw");
        assertThat(run.err()).isEmpty();
    }

    @Test
    void argumentsThatMakeNoSenseAreUsageErrors() {
        Cli.run("inspect").assertError(2, "IMAGE", "try platter inspect --help");
        Cli.run("info", "a", "b").assertError(2, "'b'");
        Cli.run("info", "-f").assertError(2, "-f");
        Cli.run("info", "--output=xml", "x").assertError(2, "--output=xml is unknown; known are human, json");
        Cli.run("map", "--sector-size", "1000", "x").assertError(2, "--sector-size=1000", "512, 4096");
        Cli.run("check", "--truncated=ones", "x").assertError(2, "--truncated=ones", "refuse, zeros");
        Cli.run("df", "-h", "--csv", "x").assertError(2, "-h and --csv exclude each other");
        Cli.run("map", "--bitmap", "a", "--snapshot", "b", emptyDisk()).assertError(2, "exclude each other");
        Cli.run("dump", "a", "b").assertError(2, "several images need --device");
        Cli.run("completion", "fish").assertError(2, "\"fish\" is unknown; known are bash, zsh");
        Cli.run("info", "a\0b").assertError(2, "is no file name");
        Cli.run("inspect", "").assertError(2, "\"\" is no file name");
        Cli.run("dump", "-o", "", emptyDisk()).assertError(2, "\"\" is no file name");
    }

    @ParameterizedTest
    @ValueSource(strings = {"inspect", "info", "map", "check", "list-filesystems", "df", "dump"})
    void missingFileIsOneLine(String command) {
        Path missing = folder.resolve("guest.img");

        Cli run = Cli.run(command, missing).assertError(1);

        assertThat(run.err()).isEqualTo("platter: " + missing + ": no such file\n");
        assertThat(run.out()).isEmpty();
    }

    @Test
    void folderIsNoImage() {
        Cli.run("info", folder).assertError(1, "is a directory");
    }

    @Test
    void messagesHoldNoControlCharacters() {
        Cli.run("info", folder.resolve("a\u001b[31m\nb")).assertError(1, "a\\x1b[31m\\x0ab");
        Cli.run("inspect", "--\u001b[31m", "disk.img").assertError(2, "\\x1b[31m");
        Cli.run("\u009b31m").assertError(2, "\\x9b31m");
    }

    @Test
    void fileNamesMayBeginWithAnAtSign() throws IOException {
        Path image = Files.write(folder.resolve("@web"), new byte[512]);

        assertThat(Cli.run("info", image).assertExit(0).out()).contains("@web");
    }

    @Test
    void fullDiskUnderTheOutputIsAnError() {
        Cli.run(failing("No space left on device"), "info", emptyDisk())
                .assertError(1, "standard output: No space left on device");
    }

    @Test
    void fullDiskUnderTheOutputIsNoDifferenceOfDisks() {
        Path disk = emptyDisk();

        Cli.run(failing("No space left on device"), "compare", disk, disk)
                .assertError(2, "standard output: No space left on device");
    }

    @Test
    void closedPipeEndsQuietly() {
        Cli run = Cli.run(failing("Broken pipe"), "map", emptyDisk()).assertExit(1);

        assertThat(run.err()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(strings = {"bash", "zsh"})
    void completionKnowsCommandsOptionsAndValues(String shell) {
        String script = Cli.run("completion", shell).assertExit(0).out();

        assertThat(script)
                .startsWith("#!")
                .contains(Commands.NAMES)
                .contains("--backing-chain", "\"human\" \"json\"", "compinit");
    }

    private static OutputStream failing(String message) {
        return new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(message);
            }
        };
    }

    private Path emptyDisk() {
        try {
            return Files.write(folder.resolve("empty.raw"), new byte[4096]);
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }
}
