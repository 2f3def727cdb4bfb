package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.opentest4j.TestAbortedException;

class ReferenceToolsTest {

    @Test
    void missingToolSkipsTheTestAndNamesItsPackage() {
        assertThatThrownBy(() -> ReferenceTools.assumeTool("no-such-tool"))
                .isInstanceOf(TestAbortedException.class)
                .hasMessageContaining("apt-get install no-such-tool");
    }

    @Test
    void resultHasExitStatusAndBothOutputs() throws IOException {
        ReferenceTools.assumeTool("sh");

        ToolResult result = ReferenceTools.run("sh", "-c", "echo out; echo err >&2; exit 3");

        assertThat(result.exit()).isEqualTo(3);
        assertThat(result.stdout()).isEqualTo("out\n");
        assertThat(result.stderr()).isEqualTo("err\n");
        assertThatThrownBy(result::assertSuccess)
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("exit 3");
    }

    @Test
    void standardInputIsEmptyAndTheFolderIsTheOneGiven(@TempDir Path folder) throws IOException {
        ReferenceTools.assumeTool("sh");

        assertThat(ReferenceTools.runIn(folder, "sh", "-c", "cat; pwd").stdout().trim())
                .isEqualTo(folder.toRealPath().toString());
    }

    @Test
    void toolThatTakesTooLongIsEndedWithItsChildren(@TempDir Path folder) throws IOException {
        ReferenceTools.assumeTool("sh");
        List<String> command = List.of("sh", "-c", "sleep 1000 & echo $! > child; wait");

        assertThatThrownBy(() -> ReferenceTools.run(folder, command, 2))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not done after 2 s");

        long child = Long.parseLong(
                java.nio.file.Files.readString(folder.resolve("child")).trim());
        assertThat(ProcessHandle.of(child).map(ProcessHandle::isAlive).orElse(false))
                .isFalse();
    }
}
