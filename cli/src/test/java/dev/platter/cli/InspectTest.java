package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.CorpusSet;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

final class InspectTest {

    @TempDir
    private Path folder;

    static Stream<CorpusImage> images() {
        return Corpus.assumeCorpus().images("good").stream()
                .filter(image -> image.expected().has("filesystems"));
    }

    static Stream<CorpusImage> hostileImages() {
        return Corpus.assumeCorpus().images("hostile").stream();
    }

    @Test
    void emptyDiskIsOneRow() throws IOException {
        Path image = TempImages.sparse(folder, "empty.raw", 1 << 20);

        Cli run = Cli.run("inspect", image).assertExit(0);

        assertThat(run.lines()).hasSize(2);
        assertThat(run.lines().get(0)).matches("NAME +TYPE +SIZE +USED +FREE +LABEL +UUID");
        assertThat(run.lines().get(1)).matches("/dev/sda +disk +1.0M +.*empty.raw \\(raw\\)");
        assertThat(run.err()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("images")
    void everyFileSystemIsInTheTreeAndInTheJson(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());
        Object[] tree = arguments(image, path, "inspect", "-q");
        Object[] json = arguments(image, path, "inspect", "--json");

        String text = Cli.run(tree).out();
        JsonNode report = Cli.run(json).json();

        for (JsonNode expected : image.expected().path("filesystems")) {
            String device = expected.path("device").asText();
            if (expected.path("type").asText().equals("LVM2_member") || device.startsWith("/dev/mapper")) {
                continue;
            }
            assertThat(text).contains(device);
            assertThat(report.path("filesystems"))
                    .as(device)
                    .anySatisfy(
                            found -> assertThat(found.path("device").asText()).isEqualTo(device));
        }
        assertThat(text.lines().skip(1))
                .hasSizeGreaterThanOrEqualTo(report.path("partitions").size());
    }

    private static Object[] arguments(CorpusImage image, Path path, String... options) {
        List<Object> arguments = new ArrayList<>(List.of(options));
        if (image.logicalSectorSize() != 0) {
            arguments.add("--sector-size=" + image.logicalSectorSize());
        }
        arguments.add("--allow-references=" + path.getParent());
        arguments.add(path);
        return arguments.toArray();
    }

    @Test
    void imageThatNamesAnotherIsShownAsFarAsItCanBe() throws IOException {
        Path base = TempImages.sparse(folder, "base.raw", 1 << 20);
        Path image = TempImages.qemu(folder, "top.qcow2", "qcow2", 1 << 20, "-b", base.toString(), "-F", "raw");

        Cli run = Cli.run("inspect", image).assertError(3, base.toString(), "--allow-references " + folder);
        Cli json = Cli.run("inspect", "--json", image).assertExit(3);

        assertThat(run.out()).contains("/dev/sda");
        assertThat(json.json().path("warnings").toString()).contains("--allow-references " + folder);
        Cli.run("inspect", "--allow-references", folder, image).assertExit(0);
    }

    @Test
    void backingFileWithoutAFormatNeedsAllowProbing() throws IOException {
        Path base = TempImages.sparse(folder, "base.raw", 1 << 20);
        Path image = TempImages.qemu(folder, "top.qcow2", "qcow2", 1 << 20, "-b", base.toString(), "-F", "raw");
        forgetBackingFormat(image);

        Cli.run("inspect", "--allow-references", folder, image).assertError(3, "--allow-probing");
        Cli.run("inspect", "--allow-references", folder, "--allow-probing", image)
                .assertExit(0);
    }

    /** qemu-img makes no such images any more: the header extension of the format gets a type that nobody knows. */
    private static void forgetBackingFormat(Path image) throws IOException {
        byte[] file = Files.readAllBytes(image);
        ByteBuffer bytes = ByteBuffer.wrap(file);
        int at = bytes.getInt(100);
        while (bytes.getInt(at) != 0xe2792aca) {
            at += 8 + ((bytes.getInt(at + 4) + 7) & -8);
        }
        bytes.putInt(at, 0x7fffffff);
        Files.write(image, file);
    }

    @Test
    void disksOfOneGuestAreInspectedTogether() throws IOException {
        Corpus corpus = Corpus.assumeCorpus();
        for (CorpusSet set : corpus.sets()) {
            List<Object> arguments = new ArrayList<>(List.of("list-filesystems"));
            for (String disk : set.disks()) {
                arguments.add(corpus.unpack(disk));
            }

            Cli run = Cli.run(arguments.toArray());

            if (set.name().equals("cloned-pv")) {
                // the same physical volume twice is listed and not opened
                assertThat(run.assertExit(0).out()).contains(": unknown").doesNotContain("ext");
                continue;
            }
            for (JsonNode expected : set.expected().path("filesystems")) {
                String type = expected.path("type").asText();
                if (!type.endsWith("_member")) {
                    // groups of one name are told apart by their UUIDs
                    String device = expected.path("device").asText().replaceFirst("^(/dev/vg[^/]*)/", "$1(@[^/]+)?/");
                    assertThat(run.lines()).anyMatch(line -> line.matches(device + ": " + type));
                }
            }
        }
    }

    @ParameterizedTest
    @MethodSource("hostileImages")
    void hostileImagesPrintNoControlCharactersAndNoInternalErrors(CorpusImage image) throws IOException {
        Path path = Corpus.assumeCorpus().unpack(image.file());

        for (String command : List.of("inspect", "info", "map", "check", "list-filesystems", "df")) {
            Cli run = Cli.run(command, path);

            assertThat(run.exit()).as(command + run).isIn(0, 1, 2, 3, 63);
            assertClean(run);
        }
        assertClean(Cli.run("inspect", "--json", path));
        assertClean(Cli.run("info", "--output=json", path));
        assertClean(Cli.run("map", "--output=json", path));
    }

    private static void assertClean(Cli run) {
        assertThat(run.err()).doesNotContain("internal error").doesNotContain("out of memory");
        (run.out() + run.err())
                .codePoints()
                .forEach(c -> assertThat(c == '\n' || dev.platter.core.Printable.isSafe(c))
                        .as("U+%04X in %s", c, run)
                        .isTrue());
    }
}
