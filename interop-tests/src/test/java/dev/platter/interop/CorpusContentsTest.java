package dev.platter.interop;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.Extents;
import dev.platter.core.SnapshotInfo;
import dev.platter.inspect.ImageInspector;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CorpusImage;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Bytes, maps, checks and bitmaps of the images of the corpus, against qemu-img, qemu-nbd and nbdinfo. */
class CorpusContentsTest {

    static List<CorpusImage> withBytes() {
        return CorpusOpening.imagesWith("guest_sha256").stream()
                .filter(image -> !image.expected().has("alternative"))
                .toList();
    }

    static List<CorpusImage> withSamples() {
        return CorpusOpening.imagesWith("samples");
    }

    static List<CorpusImage> withSnapshots() {
        return CorpusOpening.imagesWith("snapshots");
    }

    static List<CorpusImage> withVolumes() {
        return CorpusOpening.imagesWith("lvm");
    }

    static List<CorpusImage> withMap() {
        return Corpus.assumeCorpus().images("good").stream()
                .filter(image -> image.format().equals("qcow2"))
                .filter(image -> image.expected().has("map") || image.expected().has("map_file"))
                .toList();
    }

    static List<CorpusImage> withCheck() {
        return CorpusOpening.imagesWith("check").stream()
                .filter(image -> image.format().equals("qcow2"))
                .toList();
    }

    static List<CorpusImage> withBitmaps() {
        return CorpusOpening.imagesWith("bitmaps");
    }

    @ParameterizedTest
    @MethodSource("withBytes")
    void guestBytesAreThoseOfQemuImgConvert(CorpusImage image) throws IOException {
        try (ImageInspector inspector = CorpusOpening.open(image);
                BlockDevice disk = inspector.device("/dev/sda")) {
            assertThat(disk.size())
                    .isEqualTo(image.expected().path("guest_size").asLong());
            assertThat(Reading.sha256(disk))
                    .isEqualTo(image.expected().path("guest_sha256").asText());
        }
    }

    @ParameterizedTest
    @MethodSource("withSamples")
    void samplesOfAVeryLargeDiskAreThoseOfQemu(CorpusImage image) throws IOException {
        try (ImageInspector inspector = CorpusOpening.open(image);
                BlockDevice disk = inspector.device("/dev/sda")) {
            for (JsonNode sample : image.expected().path("samples")) {
                long offset = sample.path("offset").asLong();
                assertThat(Reading.sha256(disk, offset, sample.path("length").asLong()))
                        .as("bytes at " + offset)
                        .isEqualTo(sample.path("sha256").asText());
            }
        }
    }

    @ParameterizedTest
    @MethodSource("withSnapshots")
    void snapshotsAreThoseOfQemuAndSoAreTheirBytes(CorpusImage image) throws IOException {
        try (ImageInspector inspector = CorpusOpening.open(image)) {
            DiskImage disk = imageOf(inspector);
            List<String> names = new ArrayList<>();
            for (JsonNode snapshot : image.expected().path("snapshots")) {
                String name = snapshot.path("name").asText();
                names.add(snapshot.path("id").asText() + " " + name);
                if (snapshot.has("guest_sha256")) {
                    try (BlockDevice device = disk.openSnapshot(name)) {
                        assertThat(device.size())
                                .isEqualTo(snapshot.path("guest_size").asLong());
                        assertThat(Reading.sha256(device))
                                .as(name)
                                .isEqualTo(snapshot.path("guest_sha256").asText());
                    }
                }
            }

            assertThat(disk.snapshots())
                    .extracting((SnapshotInfo own) -> own.id() + " " + own.name())
                    .isEqualTo(names);
        }
    }

    @ParameterizedTest
    @MethodSource("withVolumes")
    void volumesHaveTheBytesThatFollowFromLvs(CorpusImage image) throws IOException {
        try (ImageInspector inspector = CorpusOpening.open(image)) {
            CorpusAgreementTest.assertContents(image.expected().path("lvm"), inspector);
        }
    }

    @ParameterizedTest
    @MethodSource("withMap")
    void mapIsThatOfQemuImg(CorpusImage image) throws IOException {
        List<String> expected = new ArrayList<>();
        for (JsonNode e : Corpus.assumeCorpus().map(image)) {
            expected.add(extent(
                    e.path("start").asLong(),
                    e.path("length").asLong(),
                    e.path("depth").asInt(),
                    e.path("present").asBoolean(),
                    e.path("zero").asBoolean(),
                    e.path("data").asBoolean(),
                    e.path("offset").asLong(-1)));
        }

        List<String> own = new ArrayList<>();
        try (ImageInspector inspector = CorpusOpening.open(image)) {
            DiskImage disk = imageOf(inspector);
            Extents.forEach(
                    disk,
                    0,
                    disk.size(),
                    e -> own.add(extent(
                            e.offset(),
                            e.length(),
                            e.depth(),
                            e.allocated(),
                            e.readsAsZero(),
                            e.allocated() && !e.readsAsZero(),
                            e.below() == null ? -1 : e.belowOffset())));
        }

        assertThat(own).isEqualTo(expected);
    }

    private static String extent(
            long start, long length, int depth, boolean present, boolean zero, boolean data, long offset) {
        return start + "+" + length + " depth " + depth + (present ? " present" : "") + (zero ? " zero" : "")
                + (data ? " data" : "") + (offset < 0 ? "" : " at " + offset);
    }

    @ParameterizedTest
    @MethodSource("withCheck")
    void checkCountsWhatQemuImgCheckCounts(CorpusImage image) throws IOException {
        JsonNode expected = image.expected().path("check");

        CheckReport report;
        try (ImageInspector inspector = CorpusOpening.open(image)) {
            report = imageOf(inspector).check(new CheckListener() {});
        }

        // qemu leaves out what is 0
        assertThat(counts(report)).isEqualTo(counts(expected));
        int exit = report.checkErrors() > 0 ? 1 : report.corruptions() > 0 ? 2 : report.leaks() > 0 ? 3 : 0;
        assertThat(exit).isEqualTo(expected.path("exit").asInt());
    }

    private static Map<String, Long> counts(CheckReport report) {
        Map<String, Long> counts = new HashMap<>();
        counts.put("check-errors", report.checkErrors());
        counts.put("corruptions", report.corruptions());
        counts.put("leaks", report.leaks());
        counts.put("total-clusters", report.totalClusters());
        counts.put("allocated-clusters", report.allocatedClusters());
        counts.put("compressed-clusters", report.compressedClusters());
        counts.put("fragmented-clusters", report.fragmentedClusters());
        counts.put("image-end-offset", report.imageEndOffset());
        return counts;
    }

    private static Map<String, Long> counts(JsonNode check) {
        Map<String, Long> counts = counts(new CheckReport(0, 0, 0, 0, 0, 0, 0, 0));
        check.properties().forEach(entry -> {
            if (!entry.getKey().equals("exit")) {
                counts.put(entry.getKey(), entry.getValue().asLong());
            }
        });
        return counts;
    }

    @ParameterizedTest
    @MethodSource("withBitmaps")
    void bitmapsAreThoseOfQemuAndDirtyWhereQemuNbdSaysSo(CorpusImage image) throws IOException {
        try (ImageInspector inspector = CorpusOpening.open(image)) {
            DiskImage disk = imageOf(inspector);
            List<BitmapInfo> expected = new ArrayList<>();
            for (JsonNode bitmap : image.expected().path("bitmaps")) {
                String name = bitmap.path("name").asText();
                String flags = bitmap.path("flags").toString();
                expected.add(new BitmapInfo(
                        name, bitmap.path("granularity").asLong(), flags.contains("in-use"), flags.contains("auto")));
                assertDirtyRanges(disk, bitmap, name, flags.contains("in-use"));
            }

            assertThat(disk.bitmaps()).containsExactlyInAnyOrderElementsOf(expected);
        }
    }

    private static void assertDirtyRanges(DiskImage disk, JsonNode bitmap, String name, boolean isInUse)
            throws IOException {
        List<String> dirty = new ArrayList<>();
        if (isInUse) {
            assertThatThrownBy(() -> disk.dirtyRanges(name, (offset, length) -> dirty.add(offset + "+" + length)))
                    .isInstanceOf(DiskImageException.class);
        } else if (bitmap.has("dirty")) {
            List<String> expected = new ArrayList<>();
            bitmap.path("dirty")
                    .forEach(range -> expected.add(range.path("start").asLong() + "+"
                            + range.path("length").asLong()));

            disk.dirtyRanges(name, (offset, length) -> dirty.add(offset + "+" + length));

            assertThat(dirty).as(name).isEqualTo(expected);
        }
    }

    private static DiskImage imageOf(ImageInspector inspector) {
        return Objects.requireNonNull(inspector.disks().get(0).image());
    }
}
