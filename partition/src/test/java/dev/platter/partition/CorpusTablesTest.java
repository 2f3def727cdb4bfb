package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImageException;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import dev.platter.core.Storages;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The images of the corpus, against what sfdisk and blkid say of them. */
class CorpusTablesTest {

    /** Images with a table of their own; many qcow2 images share one guest disk, which is read once. */
    static List<CorpusImage> imagesWithTable() {
        return Corpus.assumeCorpus().images().stream()
                .filter(image -> image.expected().has("partition_table"))
                .filter(image -> !image.node().has("same_guest_as"))
                .toList();
    }

    static List<CorpusImage> imagesWithoutTable() {
        return Corpus.assumeCorpus().images().stream()
                .filter(image -> image.format().equals("raw"))
                .filter(image -> !image.node().has("role")) // the bytes behind a qcow2 image are no disk
                .filter(image -> image.expected().has("guest_size"))
                .filter(image -> !image.expected().has("partition_table"))
                .toList();
    }

    static List<CorpusImage> hostileImages() {
        return Corpus.assumeCorpus().images("hostile").stream()
                .filter(image -> image.format().equals("raw"))
                .filter(image -> image.hostile().path("at").asText().equals("list-partitions"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("imagesWithTable")
    void tableIsThatOfSfdisk(CorpusImage image, @TempDir Path folder) throws IOException {
        PartitionTable table = read(rawFile(image, folder), image.logicalSectorSize());

        TableComparison.assertEqualToManifest(table, image.expected().path("partition_table"));
        if (image.category().equals("good")) {
            assertThat(table.warnings()).isEmpty();
        }
        if (image.expected().path("partition_table").has("warnings")) {
            assertThat(table.warnings()).isNotEmpty();
        }
    }

    @ParameterizedTest
    @MethodSource("imagesWithoutTable")
    void bareContentIsNoTable(CorpusImage image) throws IOException {
        PartitionTable table = read(Corpus.assumeCorpus().unpack(image.file()), image.logicalSectorSize());

        assertThat(table.type()).isNull();
        assertThat(table.partitions()).isEmpty();
        assertThat(table.warnings()).isEmpty();
    }

    @ParameterizedTest
    @MethodSource("hostileImages")
    void hostileImageHasItsOutcome(CorpusImage image) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        JsonNode demand = image.hostile();
        PartitionTable table;
        try {
            table = read(file, image.logicalSectorSize());
        } catch (DiskImageException e) {
            assertThat(demand.path("outcome").asText()).isEqualTo("error");
            return;
        }

        boolean excused = demand.has("alternative");
        switch (demand.path("outcome").asText()) {
            case "error" -> {
                assertThat(table.warnings()).isNotEmpty();
                assertThat(table.partitions()).extracting(Partition::type).containsOnly("0xee");
            }
            case "warning" -> assertThat(excused || !table.warnings().isEmpty()).isTrue();
            case "escape" -> assertThat(table.partitions()).hasSize(2).allSatisfy(CorpusTablesTest::assertNameIsSafe);
            default -> throw new AssertionError(demand);
        }
        table.warnings().forEach(warning -> assertThat(warning.text()).isEqualTo(Printable.escape(warning.text())));
    }

    @Test
    void limitOfALongChainIsTold() throws IOException {
        Path file = Corpus.assumeCorpus().unpack("h-ebr-chain-3000.raw");
        try (BlockDevice disk = Storages.asDevice(Storages.open(file, false))) {
            PartitionTable all = PartitionTables.read(disk, 0, Limits.defaults());
            PartitionTable some =
                    PartitionTables.read(disk, 0, Limits.defaults().withPartitions(100));

            assertThat(all.partitions()).hasSize(3001);
            assertThat(some.partitions()).isEqualTo(all.partitions().subList(0, 101));
            assertThat(some.warnings()).isNotEmpty();
        }
    }

    /** The name itself stays as it is on the disk, but can be encoded; whoever shows it escapes it. */
    private static void assertNameIsSafe(Partition partition) {
        String name = partition.name();
        assertThat(name).isNotNull().hasSizeBetween(1, 36);
        assertThat(String.valueOf(name).chars())
                .noneMatch(c -> c == 0 || (c >= Character.MIN_SURROGATE && c <= Character.MAX_SURROGATE));
    }

    /** Returns the image as a raw file; this module reads no other, so qemu-img converts. */
    private static Path rawFile(CorpusImage image, Path folder) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());
        if (image.format().equals("raw")) {
            return file;
        }
        ReferenceTools.assumeTool("qemu-img");
        Path raw = folder.resolve("guest.raw");
        var converted = ReferenceTools.run(
                "qemu-img", "convert", "-f", image.format(), "-O", "raw", file.toString(), raw.toString());
        assumeTrue(
                converted.exit() == 0 || !converted.stderr().contains("File too large"),
                "the file system has no room for a sparse file of this size");
        converted.assertSuccess();
        return raw;
    }

    private static PartitionTable read(Path file, int sectorSize) throws IOException {
        try (BlockDevice disk = Storages.asDevice(Storages.open(file, false))) {
            return PartitionTables.read(disk, sectorSize, Limits.defaults());
        }
    }
}
