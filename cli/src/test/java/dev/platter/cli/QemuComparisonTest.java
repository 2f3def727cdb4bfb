package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** {@code info}, {@code map} and {@code check} beside {@code qemu-img}, on the images of the corpus. */
final class QemuComparisonTest {

    @TempDir
    private Path folder;

    static Stream<CorpusImage> images() {
        return Corpus.assumeCorpus().images("good").stream()
                .filter(image -> image.format().equals("qcow2"));
    }

    @BeforeEach
    void qemuIsThere() {
        ReferenceTools.assumeTool("qemu-img");
    }

    @ParameterizedTest
    @MethodSource("images")
    void infoPrintsTheLinesOfQemu(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());

        List<String> ours = sorted(Cli.run("info", "-q", path).assertExit(0).out());
        List<String> theirs = sorted(qemu(path, "info", path.toString()).stdout());

        assertThat(ours).isEqualTo(theirs);
    }

    @ParameterizedTest
    @MethodSource("images")
    void infoPrintsTheJsonOfQemu(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());

        JsonNode ours =
                Cli.run("info", "-q", "--output=json", path).assertExit(0).json();
        JsonNode theirs = qemu(path, "info", "--output=json", path.toString()).json();

        assertThat(withoutOurs(ours)).isEqualTo(withoutOurs(theirs));
    }

    @ParameterizedTest
    @MethodSource("images")
    void infoOfTheChainPrintsTheJsonOfQemu(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());

        JsonNode ours = Cli.run(
                        "info", "--backing-chain", "--output=json", "--allow-references", folder(path), "-q", path)
                .assertExit(0)
                .json();
        JsonNode theirs = qemu(path, "info", "--backing-chain", "--output=json", path.toString())
                .json();

        assertThat(ours).hasSameSizeAs(theirs);
        for (int i = 0; i < ours.size(); i++) {
            assertThat(withoutOurs(ours.get(i))).isEqualTo(withoutOurs(theirs.get(i)));
        }
    }

    @ParameterizedTest
    @MethodSource("images")
    void mapPrintsTheJsonOfQemu(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());

        Iterator<JsonNode> ours = Cli.run("map", "--output=json", "--allow-references", folder(path), path)
                .assertExit(0)
                .json()
                .iterator();
        for (JsonNode theirs : Corpus.assumeCorpus().map(image)) {
            ObjectNode extent = (ObjectNode) ours.next();
            extent.remove("compressed");
            assertThat(extent.toString()).isEqualTo(inOrder(theirs));
        }

        assertThat(ours).isExhausted();
    }

    @ParameterizedTest
    @MethodSource("images")
    void mapPrintsTheTableOfQemu(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().copy(image.file(), folder);
        for (String required : image.requires()) {
            // qemu-img looks for holes, plain Java cannot: there must be none
            Path below = folder.resolve(required);
            Files.write(below, Files.readAllBytes(below));
        }
        ToolResult theirs = qemu(path, "map", path.toString());

        Cli ours = Cli.run("map", "--allow-references", folder, path).assertExit(theirs.exit());

        if (theirs.exit() == 0) {
            assertThat(ours.out()).isEqualTo(theirs.stdout());
        } else {
            assertThat(ours.err().replace("platter: ", ""))
                    .isEqualTo(theirs.stderr().replace("qemu-img: ", ""));
        }
    }

    @ParameterizedTest
    @MethodSource("images")
    void checkPrintsWhatQemuPrints(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());
        ToolResult theirs = qemu(path, "check", path.toString());

        Cli ours = Cli.run("check", path).assertExit(theirs.exit());

        assertThat(ours.out()).isEqualTo(theirs.stdout());
        assertThat(Cli.run("check", "--output=json", path)
                        .assertExit(theirs.exit())
                        .json())
                .isEqualTo(qemu(path, "check", "--output=json", path.toString()).json());
        assertThat(Cli.run("check", "-q", path).assertExit(theirs.exit()).out()).isEmpty();
    }

    private static Path folder(Path image) {
        return Objects.requireNonNull(image.getParent());
    }

    private static ToolResult qemu(Path image, String... arguments) throws IOException {
        String[] command = new String[arguments.length + 1];
        command[0] = "qemu-img";
        System.arraycopy(arguments, 0, command, 1, arguments.length);
        return ReferenceTools.runIn(folder(image), command);
    }

    /** In another order, and without what only an operating system knows. */
    private static List<String> sorted(String text) {
        return text.lines()
                .filter(line -> !line.startsWith("disk size: "))
                .map(line -> line.replaceFirst(" *VM SIZE.*", ""))
                .map(line -> line.replaceFirst("\\d{4}-\\d\\d-\\d\\d \\d\\d:", ""))
                .sorted()
                .toList();
    }

    private static JsonNode withoutOurs(JsonNode info) {
        ObjectNode copy = info.deepCopy();
        copy.remove("actual-size");
        copy.path("snapshots").forEach(snapshot -> ((ObjectNode) snapshot).remove("disk-size"));
        return copy;
    }

    private static String inOrder(JsonNode extent) {
        StringBuilder text = new StringBuilder("{");
        for (String key : List.of("start", "length", "depth", "present", "zero", "data", "offset")) {
            if (extent.has(key)) {
                text.append(text.length() > 1 ? "," : "")
                        .append('"')
                        .append(key)
                        .append("\":")
                        .append(extent.get(key));
            }
        }
        return text.append('}').toString();
    }
}
