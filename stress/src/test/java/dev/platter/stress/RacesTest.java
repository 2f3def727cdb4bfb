package dev.platter.stress;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Runs all races of this module by jcstress, in a JVM of its own, which starts more of them. */
class RacesTest {

    /** Classes of races; fewer have run if the generated list of them got lost. */
    private static final int RACES = 3;

    /** Every race for a moment: does it still hold at all. */
    private static final List<String> SHORT = List.of(
            "-sc",
            "false",
            "-af",
            "NONE",
            "-jvmArgs",
            "-XX:-TieredCompilation",
            "-f",
            "1",
            "-iters",
            "2",
            "-time",
            "500");

    @TempDir
    private Path folder;

    @Test
    void noRaceGivesWhatIsForbidden() throws Exception {
        assertNoneForbidden(SHORT);
    }

    @Test
    @Tag("long")
    void noRaceGivesWhatIsForbiddenUnderAnyCompiler() throws Exception {
        assertNoneForbidden(List.of("-m", "default"));
    }

    private void assertNoneForbidden(List<String> mode) throws IOException, InterruptedException {
        Path out = folder.resolve("out");
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                "org.openjdk.jcstress.Main",
                "-r",
                folder.resolve("results").toString() + "/"));
        // few states at a time: each is an open image
        command.addAll(List.of("-strideSize", "10", "-strideCount", "10"));
        command.addAll(mode);
        Process process = new ProcessBuilder(command)
                .directory(folder.toFile())
                .redirectErrorStream(true)
                .redirectOutput(out.toFile())
                .start();
        try {
            boolean done = process.waitFor(2, TimeUnit.HOURS);
            String text = Files.readString(out);
            assertThat(done).as(text).isTrue();
            assertThat(process.exitValue()).as(text).isZero();
            // it ends well whatever it found
            assertThat(text)
                    .contains(
                            "Failed tests: No matches.", "Error tests: No matches.", RACES + " matching test results");
        } finally {
            process.descendants().forEach(ProcessHandle::destroyForcibly);
            process.destroyForcibly();
        }
    }
}
