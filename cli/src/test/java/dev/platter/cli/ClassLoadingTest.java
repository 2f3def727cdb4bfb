package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What a command loads before it does anything: the time it takes is what people wait for. */
final class ClassLoadingTest {
    private static final Path GUEST = Path.of("..", "examples", "images", "lvm-guest.qcow2");

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(
            strings = {
                "inspect",
                "info",
                "map --output=json",
                "check",
                "df",
                "dump -o {}/copy",
                "compare {}",
                "nbdinfo --help"
            })
    void commandsThatNeedNoServerLoadNothingOfTheClient(String words) throws IOException {
        assertThat(classesOf(words)).contains("dev.platter.cli.Main ").doesNotContain("dev.platter.nbd.");
    }

    @ParameterizedTest
    @ValueSource(strings = {"inspect", "df", "list-filesystems", "--help", "bind --help"})
    void commandsThatNeedNoDeviceLoadNothingNative(String words) throws IOException {
        assertThat(classesOf(words)).contains("dev.platter.cli.Main ").doesNotContain("com.sun.jna.");
    }

    private String classesOf(String words) throws IOException {
        Path log = folder.resolve("log");
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-Xlog:class+load=info:file=" + log);
        command.addAll(List.of("-XX:TieredStopAtLevel=1", "-cp", Launched.classPath(), "dev.platter.cli.Main"));
        String paths = words.startsWith("compare") ? GUEST.toString() : folder.toString();
        command.addAll(Arrays.asList(words.replace("{}", paths).split(" ", -1)));
        if (!words.endsWith("--help")) {
            command.add(GUEST.toString());
        }

        ReferenceTools.runIn(Path.of("").toAbsolutePath(), command.toArray(new String[0]))
                .assertSuccess();

        return Files.readString(log);
    }
}
