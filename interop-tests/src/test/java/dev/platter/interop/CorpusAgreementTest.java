package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.filesystem.FileSystem;
import dev.platter.inspect.Disk;
import dev.platter.inspect.ImageInspector;
import dev.platter.inspect.ImageReport;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.CorpusSet;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * What the front door shows of each good and odd image of the corpus, against what qemu-img, sfdisk, blkid and lvs said
 * of it when it was made. The heap of this module's tests is small on purpose: see its pom.
 */
class CorpusAgreementTest {

    static List<CorpusImage> images() {
        return Corpus.assumeCorpus().images().stream()
                .filter(image -> !image.category().equals("hostile") && !image.hasTag("data-file"))
                .filter(image -> !image.file().endsWith(".data"))
                // no backing format is stated, which the manifest allows to refuse
                .filter(image -> !image.expected().has("alternative"))
                .toList();
    }

    static List<CorpusImage> imagesWithoutStatedBacking() {
        return CorpusOpening.imagesWith("alternative");
    }

    static List<CorpusSet> sets() {
        return Corpus.assumeCorpus().sets().stream()
                // lvm takes the first of two clones, we refuse to choose: see below
                .filter(set -> !set.name().startsWith("cloned"))
                .toList();
    }

    @ParameterizedTest
    @MethodSource("images")
    void imageShowsWhatTheToolsSaid(CorpusImage image) throws IOException {
        JsonNode expected = image.expected();

        try (ImageInspector inspector = CorpusOpening.open(image)) {
            assertThat(inspector.problems()).isEmpty();
            assertInfo(expected, Objects.requireNonNull(inspector.disks().get(0).image()));
            assertTable(expected, inspector);
            if (expected.has("filesystems")) {
                JsonNode volumes = expected.path("lvm").path("lvs");
                assertThat(ManifestRows.fileSystems(inspector))
                        .isEqualTo(ManifestRows.fileSystems(expected.path("filesystems"), volumes));
                assertUsage(expected.path("filesystems"), inspector);
            }
            if (expected.has("lvm")) {
                assertVolumes(expected.path("lvm"), inspector);
            }
        }
    }

    @ParameterizedTest
    @MethodSource("imagesWithoutStatedBacking")
    void backingFileWithoutStatedFormatIsAProblemAndTheImageOpensAllTheSame(CorpusImage image) throws IOException {
        try (ImageInspector inspector = CorpusOpening.open(image)) {
            assertThat(inspector.report().isComplete()).isFalse();
            assertThat(inspector.problems())
                    .anySatisfy(problem -> assertThat(problem).contains("backing file"));
        }
    }

    @ParameterizedTest
    @MethodSource("sets")
    void setOfDisksShowsWhatTheToolsSaid(CorpusSet set) throws IOException {
        JsonNode expected = set.expected();

        try (ImageInspector inspector = CorpusOpening.open(set)) {
            assertThat(inspector.problems()).isEmpty();
            assertVolumes(expected.path("lvm"), inspector);
            assertContents(expected.path("lvm"), inspector);
            for (Disk disk : inspector.disks()) {
                JsonNode table = expected.path("partition_tables").path(disk.name());
                assertThat(disk.table().type()).isEqualTo(table.path("label").textValue());
            }
        }
    }

    @Test
    void clonedPhysicalVolumeIsAProblemThatNamesBothDevices() throws IOException {
        CorpusSet clones = Corpus.assumeCorpus().sets().stream()
                .filter(set -> set.name().startsWith("cloned"))
                .findFirst()
                .orElseThrow();

        try (ImageInspector inspector = CorpusOpening.open(clones)) {
            assertThat(inspector.volumeGroups())
                    .flatMap(group -> group.logicalVolumes())
                    .isNotEmpty()
                    .allSatisfy(volume -> assertThat(volume.problem()).contains("/dev/sda", "/dev/sdb"));
        }
    }

    private static void assertInfo(JsonNode expected, DiskImage image) throws IOException {
        JsonNode info = expected.path("info");
        JsonNode own = new ObjectMapper().readTree(ImageReport.of(image).toJson());
        for (String key : List.of("format", "cluster-size", "dirty-flag", "encrypted", "backing-filename-format")) {
            if (info.has(key)) {
                assertThat(own.path(key)).as(key).isEqualTo(info.path(key));
            }
        }
        JsonNode specific = own.path("format-specific").path("data");
        info.path("format-specific").properties().forEach(entry -> {
            // of an encrypted image we say the method, qemu the whole LUKS header
            if (!entry.getKey().equals("encrypt")) {
                assertThat(specific.path(entry.getKey())).as(entry.getKey()).isEqualTo(entry.getValue());
            }
        });
        // qemu rounds a raw file up to whole sectors; the bytes that it then gives are guest_size
        Set<Long> sizes = new TreeSet<>(List.of(info.path("virtual-size").asLong()));
        sizes.add(expected.path("guest_size").asLong(info.path("virtual-size").asLong()));
        assertThat(sizes).contains(image.info().virtualSize());
    }

    private static void assertTable(JsonNode expected, ImageInspector inspector) {
        JsonNode table = expected.path("partition_table");
        String type = inspector.disks().get(0).table().type();
        if (table.isMissingNode() || table.isNull()) {
            if (expected.has("filesystems")) {
                assertThat(type).isNotIn("dos", "gpt");
            }
            return;
        }
        assertThat(type).isEqualTo(table.path("label").asText());
        assertThat(ManifestRows.partitions(inspector)).isEqualTo(ManifestRows.partitions(table));
        if ("gpt".equals(type)) {
            assertThat(ManifestRows.partitionNames(inspector)).isEqualTo(ManifestRows.partitionNames(table));
        }
    }

    /** Compares sizes and free space where the tools and we both say something. */
    private static void assertUsage(JsonNode fileSystems, ImageInspector inspector) {
        Map<String, FileSystem> found = inspector.fileSystems();
        for (JsonNode expected : fileSystems) {
            FileSystem own = found.get(expected.path("device").asText());
            if (own != null && own.size() != null && expected.path("fs_size").isNumber()) {
                assertThat(own.size())
                        .as("size of " + expected.path("device"))
                        .isEqualTo(expected.path("fs_size").asLong());
            }
            if (own != null && own.free() != null && expected.path("free_bytes").isNumber()) {
                assertThat(own.free())
                        .as("free of " + expected.path("device"))
                        .isEqualTo(expected.path("free_bytes").asLong());
            }
        }
    }

    private static void assertVolumes(JsonNode lvm, ImageInspector inspector) {
        assertThat(ManifestRows.volumeGroups(inspector)).isEqualTo(ManifestRows.volumeGroups(lvm));
        Set<String> shown = ManifestRows.visibleVolumes(inspector);
        assertThat(shown).containsAll(ManifestRows.logicalVolumes(lvm, false));
        if (!ManifestRows.isExported(lvm)) {
            // lvs lists no volumes of an exported group
            assertThat(ManifestRows.logicalVolumes(lvm, true)).containsAll(shown);
        }
    }

    static void assertContents(JsonNode lvm, ImageInspector inspector) throws IOException {
        List<String> unlike = new ArrayList<>();
        for (JsonNode volume : lvm.path("lvs")) {
            JsonNode sha256 = volume.path("content").path("guest_sha256");
            if (!sha256.isTextual() || ManifestRows.isPrivate(volume)) {
                continue;
            }
            // by UUID: two groups of a set can have one name
            String name = ManifestRows.text(volume, "vg_uuid") + "/" + ManifestRows.text(volume, "lv_uuid");
            try (BlockDevice device = inspector.device(name)) {
                if (!Reading.sha256(device).equals(sha256.asText())) {
                    unlike.add(device.description());
                }
            }
        }
        assertThat(unlike).as("volumes with other bytes").isEmpty();
    }
}
