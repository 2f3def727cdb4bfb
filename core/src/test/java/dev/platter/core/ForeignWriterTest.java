package dev.platter.core;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ForeignWriterTest {
    private static final long DEVICE = 0xfe00;
    private static final long INODE = 2212549;
    private static final long SELF = 77;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1: OFDLCK ADVISORY  READ -1 fe:00:2212549 101 101",
                "1: OFDLCK ADVISORY  READ -1 fe:00:2212549 100 101",
                "1: OFDLCK ADVISORY  READ -1 fe:00:2212549 100 103",
                "12: POSIX  ADVISORY  WRITE 4711 fe:00:2212549 0 EOF"
            })
    void writerIsFound(String line) {
        assertThat(find("0: FLOCK  ADVISORY  WRITE 1 00:01:1 0 EOF\n" + line + "\n", DEVICE, INODE))
                .isNotNull();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "1: OFDLCK ADVISORY  READ -1 fe:00:2212549 100 100",
                "1: OFDLCK ADVISORY  READ -1 fe:00:2212549 201 203",
                "1: OFDLCK ADVISORY  READ -1 fe:00:22125490 101 101",
                "1: OFDLCK ADVISORY  READ -1 fe:01:2212549 101 101",
                "1: POSIX  ADVISORY  READ 4711 fe:00:2212549 0 EOF",
                "1: POSIX  ADVISORY  WRITE 77 fe:00:2212549 0 EOF",
                "1: -> OFDLCK ADVISORY  READ -1 fe:00:2212549 101 101",
                "nothing of the kind"
            })
    void readerOrOtherFileIsNoWriter(String line) {
        assertThat(find(line, DEVICE, INODE)).isNull();
    }

    @Test
    void largeDeviceNumbersAreTakenApart() {
        long device = 0x12000L << 32 | 0x345L << 8 | 0x67800L << 12 | 0x90;

        assertThat(find("1: POSIX  ADVISORY  WRITE 1 12345:67890:5 0 EOF", device, 5))
                .isNotNull();
    }

    /** The number of a file that is gone is soon that of another. */
    @Test
    void writerThatHasJustEndedIsNoWriter(@TempDir Path folder) throws Exception {
        Path file = Files.createFile(folder.resolve("disk.raw"));
        assumeTrue(Files.isReadable(Path.of("/proc/locks")) && isThere("flock"), "needs /proc/locks and flock");
        Process writer = new ProcessBuilder("flock", "-x", file.toString(), "sh", "-c", "echo held; read end")
                .redirectError(ProcessBuilder.Redirect.DISCARD)
                .start();
        try {
            assertThat(writer.inputReader().readLine()).isEqualTo("held");
            ForeignWriter.forget();
            assertThat(ForeignWriter.of(file)).isNotNull();
        } finally {
            writer.getOutputStream().close();
            writer.waitFor();
        }

        assertThat(ForeignWriter.of(file)).isNull();
    }

    private static boolean isThere(String program) {
        return Stream.of(System.getenv().getOrDefault("PATH", "").split(":", -1))
                .anyMatch(place -> Files.isExecutable(Path.of(place, program)));
    }

    private static @Nullable String find(String locks, long device, long inode) {
        return ForeignWriter.find(ForeignWriter.writersIn(locks, SELF), device, inode);
    }
}
