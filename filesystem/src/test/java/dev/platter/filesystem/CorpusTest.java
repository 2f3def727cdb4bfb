package dev.platter.filesystem;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Limits;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The images of the corpus: what is on bare ones and in partitions of raw ones, and the hostile ones. */
class CorpusTest {

    /** What is at a place of an image, in the words of the manifest. */
    record Row(CorpusImage image, JsonNode expected, long offset, long length) {
        @Override
        public String toString() {
            return image.file() + " " + expected.path("device").asText();
        }
    }

    static Stream<Row> rows() {
        List<Row> rows = new ArrayList<>();
        for (CorpusImage image : Corpus.assumeCorpus().images()) {
            if (!image.format().equals("raw")) {
                continue;
            }
            for (JsonNode expected : image.expected().path("filesystems")) {
                Row row = row(image, expected);
                if (row != null) {
                    rows.add(row);
                }
            }
        }
        return rows.stream();
    }

    private static @Nullable Row row(CorpusImage image, JsonNode expected) {
        String device = expected.path("device").asText();
        if (device.equals("/dev/sda")) {
            return new Row(image, expected, 0, image.size());
        }
        for (JsonNode partition : image.expected().path("partition_table").path("partitions")) {
            if (device.equals("/dev/sda" + partition.path("number").asInt())) {
                return new Row(
                        image,
                        expected,
                        partition.path("start").asLong(),
                        partition.path("size").asLong());
            }
        }
        return null;
    }

    @ParameterizedTest
    @MethodSource("rows")
    void contentIsDescribedAsTheReferenceToolsDo(Row row) throws IOException {
        FileSystem found;
        try (BlockDevice disk =
                TestVolumes.open(Corpus.assumeCorpus().unpack(row.image().file()))) {
            BlockDevice volume = BlockDevices.slice(disk, "part", row.offset(), row.length());
            found = TestVolumes.one(FileSystems.recognise(volume, Limits.defaults()));
        }

        JsonNode expected = row.expected();
        assertThat(found.type()).isEqualTo(expected.path("type").asText());
        assertThat(found.label()).isEqualTo(text(expected, "label"));
        assertThat(found.uuid()).isEqualTo(text(expected, "uuid"));
        if (expected.has("version")) {
            assertThat(found.version()).isEqualTo(text(expected, "version"));
        }
        if (expected.has("fs_size")) {
            assertThat(found.size()).isEqualTo(expected.path("fs_size").asLong());
        }
        if (expected.has("free_bytes")) {
            assertThat(found.free()).isEqualTo(expected.path("free_bytes").asLong());
        }
        if (expected.has("used_bytes")) {
            assertThat(found.used()).isEqualTo(expected.path("used_bytes").asLong());
        }
        if (expected.has("fs_block_size")) {
            assertThat(found.blockSize())
                    .isEqualTo(expected.path("fs_block_size").asInt());
        }
        assertThat(found.warnings()).isEmpty();
    }

    private static @Nullable String text(JsonNode node, String name) {
        return node.has(name) ? node.path(name).asText() : null;
    }

    static Stream<CorpusImage> hostile() {
        return Corpus.assumeCorpus().images("hostile").stream()
                .filter(image -> image.file().startsWith("h-fs-"));
    }

    @ParameterizedTest
    @MethodSource("hostile")
    void damagedFileSystemIsWarnedAboutOrUnknown(CorpusImage image) throws IOException {
        Recognition recognition = TestVolumes.recognise(Corpus.assumeCorpus().unpack(image.file()));

        boolean warned = !recognition.warnings().isEmpty()
                || recognition.found().stream().anyMatch(one -> !one.warnings().isEmpty());
        if (image.hostile().path("outcome").asText().equals("warning")) {
            assertThat(warned).as("%s", recognition).isTrue();
        }
        for (FileSystem found : recognition.found()) {
            assertThat(found.warnings())
                    .allSatisfy(warning -> assertThat(warning.text()).doesNotContainPattern("\\p{Cntrl}"));
        }
    }
}
