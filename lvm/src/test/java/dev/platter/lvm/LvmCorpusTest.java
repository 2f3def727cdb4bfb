package dev.platter.lvm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImages;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import dev.platter.testkit.CorpusSet;
import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** The corpus, against what pvs, vgs and lvs said of it. */
class LvmCorpusTest {
    private final List<BlockDevice> open = new ArrayList<>();

    @TempDir
    Path folder;

    static List<CorpusImage> images() {
        return Corpus.assumeCorpus().images().stream()
                .filter(image ->
                        image.format().equals("raw") && image.expected().has("lvm"))
                .toList();
    }

    static List<CorpusSet> sets() {
        return Corpus.assumeCorpus().sets().stream()
                .filter(set -> set.expected().has("lvm"))
                .filter(set -> !set.name().equals("cloned-pv")) // lvm takes the first one, we refuse to choose
                .toList();
    }

    @AfterEach
    void closeDisks() throws IOException {
        for (BlockDevice disk : open) {
            disk.close();
        }
    }

    @ParameterizedTest
    @MethodSource("images")
    void imageHoldsWhatLvmSays(CorpusImage image) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(image.file());

        LvmScan scan =
                Lvm.scan(candidates("/dev/sda", file, image.expected().path("partition_table")), Limits.defaults());

        assertScan(scan, image.expected().path("lvm"));
    }

    @ParameterizedTest
    @MethodSource("sets")
    void setHoldsWhatLvmSays(CorpusSet set) throws IOException {
        List<PhysicalVolumeCandidate> candidates = new ArrayList<>();
        char letter = 'a';
        for (String disk : set.disks()) {
            String name = "/dev/sd" + letter++;
            candidates.addAll(candidates(
                    name, raw(disk), set.expected().path("partition_tables").path(name)));
        }

        LvmScan scan = Lvm.scan(candidates, Limits.defaults());

        assertScan(scan, set.expected().path("lvm"));
    }

    private Path raw(String disk) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(disk);
        if (Corpus.assumeCorpus().byFile(disk).format().equals("raw")) {
            return file;
        }
        ReferenceTools.assumeTool("qemu-img");
        Path raw = folder.resolve(disk + ".raw");
        ReferenceTools.runOk("qemu-img", "convert", "-O", "raw", file.toString(), raw.toString());
        return raw;
    }

    private List<PhysicalVolumeCandidate> candidates(String name, Path file, JsonNode table) throws IOException {
        BlockDevice disk =
                DiskImages.open(file, OpenOptions.builder().format("raw").build());
        open.add(disk);
        if (table.path("partitions").isEmpty()) {
            return List.of(new PhysicalVolumeCandidate(name, disk));
        }
        List<PhysicalVolumeCandidate> candidates = new ArrayList<>();
        for (JsonNode partition : table.path("partitions")) {
            String number = partition.path("number").asText();
            BlockDevice slice = BlockDevices.slice(
                    disk,
                    "partition " + number,
                    partition.path("start").asLong(),
                    partition.path("size").asLong());
            candidates.add(new PhysicalVolumeCandidate(name + number, slice));
        }
        return candidates;
    }

    private static void assertScan(LvmScan scan, JsonNode expected) throws IOException {
        assertThat(scan.problems()).isEmpty();
        assertPhysicalVolumes(scan, expected.path("pvs"));
        Map<String, VolumeGroup> groups = new HashMap<>();
        scan.volumeGroups().forEach(group -> groups.put(group.uuid(), group));
        assertThat(groups).hasSize(expected.path("vgs").size());
        for (JsonNode row : expected.path("vgs")) {
            VolumeGroup group =
                    Objects.requireNonNull(groups.get(row.path("vg_uuid").asText()));
            assertThat(group.name()).isEqualTo(row.path("vg_name").asText());
            assertThat(group.size()).isEqualTo(row.path("vg_size").asLong());
            assertThat(group.free()).isEqualTo(row.path("vg_free").asLong());
            assertThat(group.extentSize()).isEqualTo(row.path("vg_extent_size").asLong());
            assertThat(group.seqno()).isEqualTo(row.path("vg_seqno").asLong());
            assertThat(group.missingPhysicalVolumes())
                    .isEqualTo(row.path("vg_missing_pv_count").asInt());
            assertThat(String.join(",", group.tags()))
                    .isEqualTo(row.path("vg_tags").asText());
            assertThat(group.exported())
                    .isEqualTo(!row.path("vg_exported").asText().isEmpty());
            assertThat(group.problem()).isNull();
        }
        assertLogicalVolumes(groups, expected.path("lvs"));
    }

    private static void assertPhysicalVolumes(LvmScan scan, JsonNode rows) {
        assertThat(scan.physicalVolumes()).hasSize(rows.size());
        for (JsonNode row : rows) {
            PhysicalVolume volume = scan.physicalVolumes().stream()
                    .filter(one -> one.uuid().equals(row.path("pv_uuid").asText()))
                    .findFirst()
                    .orElseThrow();
            String device = row.path("pv_name").asText();
            assertThat(volume.deviceName()).isEqualTo(device.equals("[unknown]") ? null : device);
            assertThat(volume.size()).isEqualTo(row.path("pv_size").asLong());
            assertThat(volume.free()).isEqualTo(row.path("pv_free").asLong());
            assertThat(volume.deviceSize()).isEqualTo(row.path("dev_size").asLong());
            assertThat(volume.extentCount()).isEqualTo(row.path("pv_pe_count").asLong());
            assertThat(volume.metadataAreas())
                    .isEqualTo(row.path("pv_mda_count").asInt());
            assertThat(volume.missing())
                    .isEqualTo(!row.path("pv_missing").asText().isEmpty());
            assertThat(volume.vgName() == null ? "" : volume.vgName())
                    .isEqualTo(row.path("vg_name").asText());
        }
    }

    private static void assertLogicalVolumes(Map<String, VolumeGroup> groups, JsonNode rows) throws IOException {
        Set<String> listed = new HashSet<>();
        for (JsonNode row : rows) {
            VolumeGroup group =
                    Objects.requireNonNull(groups.get(row.path("vg_uuid").asText()));
            LogicalVolume volume =
                    group.logicalVolume(row.path("lv_name").asText()).orElseThrow();
            listed.add(group.uuid() + volume.name());
            assertThat(volume.uuid()).isEqualTo(row.path("lv_uuid").asText());
            assertThat(volume.size()).isEqualTo(row.path("lv_size").asLong());
            assertThat(String.join(",", volume.tags()))
                    .isEqualTo(row.path("lv_tags").asText());
            Set<String> types = new HashSet<>();
            row.path("segments")
                    .forEach(segment -> types.add(segment.path("segtype").asText()));
            assertThat(new HashSet<>(volume.segmentTypes())).isEqualTo(types);
            assertContent(volume, row.path("content"));
        }
        for (VolumeGroup group : groups.values()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                assertThat(group.exported() || listed.contains(group.uuid() + volume.name()))
                        .as(volume.toString())
                        .isTrue();
            }
        }
    }

    private static void assertContent(LogicalVolume volume, JsonNode content) throws IOException {
        if (!content.has("guest_sha256")) {
            assertThat(volume.isReadable() && !volume.segmentTypes().contains("error"))
                    .as("%s: %s", volume, volume.problem())
                    .isFalse();
            return;
        }
        assertThat(volume.problem()).isNull();
        try (BlockDevice device = volume.open()) {
            assertThat(device.size()).isEqualTo(content.path("guest_size").asLong());
            assertThat(Sha256.of(device)).isEqualTo(content.path("guest_sha256").asText());
        }
    }
}
