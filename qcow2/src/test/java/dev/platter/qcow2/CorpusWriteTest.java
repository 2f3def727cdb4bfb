package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempFolders;
import dev.platter.testkit.ToolResult;
import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.assertj.core.api.SoftAssertions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Every image of the corpus is opened for writing and one cluster changed, in a heap of 64 MiB: what is good holds that
 * change and nothing else, what is refused stays as it was to the byte.
 */
final class CorpusWriteTest {
    private static final int CORRUPT_MARK = 79;

    @TempDir
    private Path folder;

    @Test
    void goodImagesHoldTheChangeAndRefusedOnesStayAsTheyAre() throws IOException {
        List<CorpusImage> images = Corpus.assumeCorpus().images().stream()
                .filter(image -> image.format().equals("qcow2"))
                .toList();
        Map<String, Path> files = new TreeMap<>();
        for (CorpusImage image : images) {
            Path own = Files.createDirectory(folder.resolve("written-" + image.file()));
            files.put(image.file(), Corpus.assumeCorpus().copy(image.file(), own));
        }

        List<CorpusWriting.Result> results = write(List.copyOf(files.values()));

        SoftAssertions all = new SoftAssertions();
        int index = 0;
        for (Map.Entry<String, Path> each : files.entrySet()) {
            CorpusWriting.Result result = results.get(index++);
            try {
                judge(Corpus.assumeCorpus().byFile(each.getKey()), each.getValue(), result);
            } catch (AssertionError e) {
                all.fail(each.getKey() + " (" + result + "): " + e.getMessage(), e);
            }
        }
        all.assertAll();
    }

    private List<CorpusWriting.Result> write(List<Path> files) throws IOException {
        Path list = Files.write(
                folder.resolve("list"), files.stream().map(Path::toString).toList());
        Path out = folder.resolve("results");
        String classes = String.join(
                File.pathSeparator,
                Path.of(System.getProperty("basedir", ""), "target", "test-classes")
                        .toString(),
                System.getProperty("jdk.module.path", ""),
                System.getProperty("java.class.path", ""));
        ToolResult run = ReferenceTools.run(
                null,
                List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx64m",
                        "-cp",
                        classes,
                        CorpusWriting.class.getName(),
                        list.toString(),
                        out.toString()),
                300);
        assertThat(run.exit()).as(run.stdout() + run.stderr()).isZero();
        return Files.readAllLines(out).stream().map(CorpusWriting.Result::parse).toList();
    }

    private void judge(CorpusImage image, Path file, CorpusWriting.Result result) throws IOException {
        if (!result.outcome().equals("written")) {
            assertUnchanged(image, file, result.outcome().equals("write"));
        }
        if (image.category().equals("hostile")) {
            judgeHostile(image, result);
            return;
        }
        boolean refused = image.hasTag("encrypted") || image.hasTag("corrupt");
        assertThat(result.outcome()).isEqualTo(refused ? "open" : "written");
        if (!refused) {
            assertThat(result.readable()).isTrue();
            compareWithTheirs(image, file, result);
        }
    }

    private static void judgeHostile(CorpusImage image, CorpusWriting.Result result) {
        if (image.hostile().has("alternative")) {
            return;
        }
        String at = image.hostile().path("at").asText();
        switch (image.hostile().path("outcome").asText()) {
            case "error" -> {
                boolean late = at.startsWith("open-") || at.startsWith("list-");
                assertThat(result.outcome().equals("written") && (at.equals("open") || result.readable()) && !late)
                        .as("used without an error")
                        .isFalse();
            }
            case "refused-reference" -> assertThat(result.outcome()).isEqualTo("open");
            default -> {
                // it may be written or not
            }
        }
    }

    /** A write that met a table has the image marked as corrupt. */
    private void assertUnchanged(CorpusImage image, Path file, boolean marked) throws IOException {
        Path own = Files.createDirectory(folder.resolve("original"));
        try {
            byte[] original = Files.readAllBytes(Corpus.assumeCorpus().copy(image.file(), own));
            byte[] now = Files.readAllBytes(file);
            if (marked) {
                now[CORRUPT_MARK] = original[CORRUPT_MARK];
            }
            assertThat(Arrays.mismatch(now, original))
                    .as("first byte that was changed although it was refused")
                    .isNegative();
        } finally {
            TempFolders.delete(own);
        }
    }

    private static int check(Path file) throws IOException {
        return ReferenceTools.runIn(file.resolveSibling(""), "qemu-img", "check", "-f", "qcow2", file.toString())
                .exit();
    }

    private static byte[] asRaw(Path file) throws IOException {
        Path raw = file.resolveSibling("raw");
        ReferenceTools.runIn(
                        file.resolveSibling(""),
                        "qemu-img",
                        "convert",
                        "-f",
                        "qcow2",
                        "-O",
                        "raw",
                        file.toString(),
                        raw.toString())
                .assertSuccess();
        return Files.readAllBytes(raw);
    }

    private void compareWithTheirs(CorpusImage image, Path file, CorpusWriting.Result result) throws IOException {
        ReferenceTools.assumeTool("qemu-img");
        ReferenceTools.assumeTool("qemu-io");
        Path own = Files.createDirectory(folder.resolve("twin"));
        try {
            Path twin = Corpus.assumeCorpus().copy(image.file(), own);
            String range = result.offset() + " " + result.length();
            ReferenceTools.runIn(
                            own,
                            "qemu-io",
                            "-f",
                            "qcow2",
                            "-c",
                            "write -P " + CorpusWriting.PATTERN + " " + range,
                            twin.toString())
                    .assertSuccess();
            if (image.requires().stream().noneMatch(name -> name.endsWith(".data"))) {
                ReferenceTools.runOk(
                        "qemu-img", "compare", "-f", "qcow2", "-F", "qcow2", file.toString(), twin.toString());
            } else {
                // qemu looks for a data file in its working directory, and would compare it with itself
                assertThat(asRaw(file)).isEqualTo(asRaw(twin));
            }
            assertThat(check(file)).as("exit code of qemu-img check").isEqualTo(check(twin));
        } finally {
            TempFolders.delete(own);
        }
    }
}
