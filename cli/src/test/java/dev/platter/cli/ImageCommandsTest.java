package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code info}, {@code map} and {@code check} where qemu-img has nothing to say, or fails. */
final class ImageCommandsTest {

    @TempDir
    private Path folder;

    @Test
    void infoOfARawFileIsItsSize() throws IOException {
        Path image = TempImages.sparse(folder, "a.raw", 1 << 20);

        // what it takes on disk is known on Linux only
        assertThat(Cli.run("info", image).assertExit(0).out().replaceFirst("disk size: \\d+ KiB\n$", ""))
                .isEqualTo("image: " + image + "\nfile format: raw\nvirtual size: 1 MiB (1048576 bytes)\n");
        assertThat(Cli.run("info", "--output=json", image)
                        .assertExit(0)
                        .json()
                        .path("virtual-size")
                        .asLong())
                .isEqualTo(1 << 20);
    }

    @Test
    void infoNeedsNoBackingFile() throws IOException {
        Path image = overlay();

        assertThat(Cli.run("info", image).assertExit(0).out()).contains("backing file: base.raw (actual path: ");
        assertThat(Cli.run("info", image).err())
                .startsWith("platter: warning: ")
                .contains("--allow-references");
        assertThat(Cli.run("info", "-q", image).assertExit(0).err()).isEmpty();
    }

    @Test
    void chainWithARefusedFileIsPartialAndWithAMissingOneAnError() throws IOException {
        Path image = overlay();

        assertThat(Cli.run("info", "--backing-chain", image)
                        .assertError(3, "--allow-references " + folder)
                        .out())
                .contains("file format: qcow2");
        assertThat(Cli.run("info", "--backing-chain", "--allow-references", folder, image)
                        .assertExit(0)
                        .out())
                .contains("file format: qcow2", "\n\nimage: ", "file format: raw");
        Files.delete(folder.resolve("base.raw"));
        Cli.run("info", "--backing-chain", "--allow-references", folder, image).assertError(1, "does not exist");
    }

    @Test
    void rawMapIsOneRangeOfData() throws IOException {
        Path image = Files.write(folder.resolve("a.raw"), new byte[4096]);

        assertThat(Cli.run("map", "--output=json", image).assertExit(0).out())
                .isEqualTo("[{ \"start\": 0, \"length\": 4096, \"depth\": 0, \"present\": true, \"zero\": false,"
                        + " \"data\": true, \"compressed\": false, \"offset\": 0}]\n");
        assertThat(Cli.run("map", image).assertExit(0).out())
                .isEqualTo("Offset          Length          Mapped to       File\n"
                        + "0               0x1000          0               " + image + "\n");
    }

    @Test
    void mapOfAnEmptyFileIsAnEmptyArray() throws IOException {
        Path image = Files.createFile(folder.resolve("a.raw"));

        assertThat(Cli.run("map", "--output=json", image).assertExit(0).out()).isEqualTo("[]\n");
    }

    @Test
    void unreadableRangesAreMarkedAndThePartIsPartial() throws IOException {
        Path image = overlay();

        Cli json = Cli.run("map", "--output=json", image).assertError(3, "base.raw", "--allow-references");
        Cli human = Cli.run("map", image).assertError(3, "base.raw");

        assertThat(json.json().get(0).path("unreadable").asBoolean()).isTrue();
        assertThat(human.out()).contains("unreadable");
    }

    @Test
    void bitmapsAreRangesOfStartAndLength() throws IOException {
        Corpus corpus = Corpus.assumeCorpus();
        CorpusImage image = corpus.byFile("q-bitmaps.qcow2");
        Path path = corpus.unpack(image.file());

        for (JsonNode expected : image.expected().path("bitmaps")) {
            String name = expected.path("name").asText();
            if (!expected.has("dirty") || expected.path("flags").toString().contains("in-use")) {
                continue;
            }
            JsonNode found = Cli.run("map", "--output=json", "--bitmap", name, path)
                    .assertExit(0)
                    .json();

            assertThat(found).as(name).hasSameSizeAs(expected.path("dirty"));
            for (int i = 0; i < found.size(); i++) {
                assertThat(found.get(i).path("start"))
                        .isEqualTo(expected.path("dirty").get(i).path("start"));
                assertThat(found.get(i).path("length"))
                        .isEqualTo(expected.path("dirty").get(i).path("length"));
                assertThat(found.get(i).path("dirty").asBoolean()).isTrue();
            }
            assertThat(Cli.run("map", "--bitmap", name, path).assertExit(0).lines())
                    .hasSize(found.size() + 1);
        }
        Cli.run("map", "--bitmap", "none", path).assertError(1, "no bitmap \"none\"");
    }

    @Test
    void snapshotsHaveMapsAndSizesOfTheirOwn() throws IOException {
        Corpus corpus = Corpus.assumeCorpus();
        CorpusImage image = corpus.byFile("q-snapshots.qcow2");
        Path path = corpus.unpack(image.file());

        for (JsonNode snapshot : image.expected().path("snapshots")) {
            String id = snapshot.path("id").asText();
            long size = snapshot.path("guest_size").asLong();

            JsonNode info = Cli.run("info", "--output=json", "--snapshot", id, path)
                    .assertExit(0)
                    .json();
            JsonNode map = Cli.run("map", "--output=json", "--snapshot", id, path)
                    .assertExit(0)
                    .json();
            JsonNode last = map.get(map.size() - 1);

            assertThat(info.path("virtual-size").asLong()).isEqualTo(size);
            assertThat(last.path("start").asLong() + last.path("length").asLong())
                    .isEqualTo(size);
            Cli.run("check", "--snapshot", id, path).assertExit(0);
        }
        Cli.run("check", "--snapshot", "none", path).assertError(1, "no snapshot \"none\"");
    }

    @Test
    void rawHasNoChecks() throws IOException {
        Path image = TempImages.sparse(folder, "a.raw", 4096);

        Cli.run("check", image).assertError(63, "This image format does not support checks");
        Cli.run("check", "--output=json", image).assertExit(63);
    }

    @Test
    void statedFormatIsObeyed() throws IOException {
        Path image = overlay();

        assertThat(Cli.run("info", "-f", "raw", image).assertExit(0).out()).contains("file format: raw");
        Cli.run("info", "-f", "vmdk", image).assertError(1, "\"vmdk\" cannot be read; known are");
        Cli.run("map", "-f", "qcow2", folder.resolve("base.raw")).assertExit(1);
    }

    private Path overlay() throws IOException {
        TempImages.sparse(folder, "base.raw", 1 << 20);
        return TempImages.qemu(folder, "top.qcow2", "qcow2", 1 << 20, "-b", "base.raw", "-F", "raw");
    }
}
