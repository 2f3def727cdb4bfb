package dev.platter.inspect;

import static dev.platter.inspect.GuestBytes.uuid;
import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The keys of the JSON are an interface: programs read them. */
class InspectionReportTest {
    private static final int SIZE = 512 << 10;
    private static final int PV_AT = 64 * 512;
    private static final int PV_SIZE = 160 * 512;

    @TempDir
    Path folder;

    private static GuestBytes guest(String swapLabel) {
        return new GuestBytes(SIZE)
                .partition(1, 0x8e, 64, 160)
                .partition(2, 0x82, 256, 256)
                .swap(256 * 512, swapLabel)
                .physicalVolume(
                        PV_AT,
                        PV_SIZE,
                        uuid('a'),
                        GuestBytes.group(
                                "vg0",
                                'G',
                                'a',
                                GuestBytes.volume("root", 'R', 0, 4),
                                GuestBytes.volume("mirrored", 'S', 4, 4, "\"raid1\"")));
    }

    private static JsonNode json(BlockDevice... disks) throws IOException {
        try (ImageInspector image = ImageInspector.of(disks)) {
            return new ObjectMapper().readTree(image.report().toJson());
        }
    }

    private static List<String> keys(JsonNode node) {
        List<String> keys = new ArrayList<>();
        node.fieldNames().forEachRemaining(keys::add);
        return keys;
    }

    @Test
    void reportOfOneDiskHasTheseKeysInThisOrder() throws IOException {
        JsonNode report = json(guest("swap").device("guest"));

        assertThat(keys(report))
                .containsExactly(
                        "image",
                        "partition-table",
                        "partitions",
                        "physical-volumes",
                        "volume-groups",
                        "filesystems",
                        "ambiguous",
                        "warnings");
        assertThat(keys(report.path("image"))).contains("filename", "format", "virtual-size", "actual-size");
        assertThat(keys(report.path("partition-table")))
                .containsExactly("type", "id", "sector-size", "from-backup", "warnings");
        assertThat(keys(report.path("partitions").path(0)))
                .startsWith(
                        "number", "device", "start", "size", "type", "type-name", "name", "uuid", "bootable", "role");
        assertThat(keys(report.path("physical-volumes").path(0)))
                .startsWith("uuid", "device", "vg-name", "vg-uuid", "size");
        JsonNode group = report.path("volume-groups").path(0);
        assertThat(keys(group))
                .contains(
                        "name",
                        "uuid",
                        "seqno",
                        "extent-size",
                        "size",
                        "free",
                        "missing-physical-volumes",
                        "logical-volumes");
        assertThat(keys(group.path("logical-volumes").path(0)))
                .containsExactly("name", "uuid", "device", "size", "segment-types", "visible", "readable", "problem");
        assertThat(keys(report.path("filesystems").path(0)))
                .startsWith("device", "type", "label", "uuid", "size", "free");
    }

    @Test
    void valuesAreThoseOfTheDisk() throws IOException {
        JsonNode report = json(guest("swap").device("guest"));

        JsonNode partition = report.path("partitions").path(0);
        assertThat(report.path("partition-table").path("type").asText()).isEqualTo("dos");
        assertThat(partition.path("device").asText()).isEqualTo("/dev/sda1");
        assertThat(partition.path("start").asLong()).isEqualTo(PV_AT);
        assertThat(partition.path("size").asLong()).isEqualTo(PV_SIZE);
        assertThat(partition.path("type").asText()).isEqualTo("0x8e");
        assertThat(partition.path("role").asText()).isEqualTo("primary");
        assertThat(partition.path("bootable").isBoolean()).isTrue();
        JsonNode volumes = report.path("volume-groups").path(0).path("logical-volumes");
        assertThat(volumes.path(0).toString())
                .isEqualTo(
                        "{\"name\":\"root\",\"uuid\":\"" + uuid('R') + "\",\"device\":\"/dev/vg0/root\",\"size\":16384,"
                                + "\"segment-types\":[\"linear\"],\"visible\":true,\"readable\":true,\"problem\":null}");
        assertThat(volumes.path(1).path("readable").asBoolean(true)).isFalse();
        assertThat(volumes.path(1).path("problem").asText()).contains("raid1");
        assertThat(report.path("filesystems").path(0).path("device").asText()).isEqualTo("/dev/sda2");
        assertThat(report.path("filesystems").path(0).path("type").asText()).isEqualTo("swap");
    }

    @Test
    void whatIsAbsentIsNullAndEmptyListsAreThere() throws IOException {
        JsonNode report = json(new GuestBytes(4096).device("empty"));

        assertThat(report.path("partition-table").path("type").isNull()).isTrue();
        assertThat(report.path("partition-table").path("id").isNull()).isTrue();
        for (String list :
                List.of("partitions", "physical-volumes", "volume-groups", "filesystems", "ambiguous", "warnings")) {
            assertThat(report.path(list).toString()).as(list).isEqualTo("[]");
        }
        JsonNode partition = json(guest("x").device("guest")).path("partitions").path(0);
        assertThat(partition.path("name").isNull()).isTrue();
    }

    @Test
    void severalDisksHaveListsOfImagesAndTables() throws IOException {
        JsonNode report = json(guest("swap").device("one"), new GuestBytes(4096).device("two"));

        assertThat(keys(report))
                .startsWith("images", "partition-tables", "partitions")
                .doesNotContain("image");
        assertThat(report.path("images")).hasSize(2);
        assertThat(report.path("partition-tables").findValuesAsText("disk")).containsExactly("/dev/sda", "/dev/sdb");
        assertThat(keys(report.path("partition-tables").path(1)))
                .containsExactly("disk", "type", "id", "sector-size", "from-backup", "warnings");
    }

    @Test
    void hostileLabelNeverReachesTheTerminalRaw() throws IOException {
        String label = "\u001b[31m\u202ea\u009b\u007f";

        try (ImageInspector image = ImageInspector.of(guest(label).device("guest"))) {
            String json = image.report().toJson();

            assertThat(json.chars().filter(c -> c != '\n' && (c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x202e)))
                    .isEmpty();
            assertThat(json).contains("\\u001B[31m\\u202ea\\u009b");
            JsonNode parsed = new ObjectMapper().readTree(json);
            assertThat(parsed.path("filesystems").path(0).path("label").asText())
                    .isEqualTo(label);
        }
    }

    @Test
    void textOutsideAsciiIsWrittenAsUtf8() throws IOException {
        String label = "Größe \ud83d\ude00";

        try (ImageInspector image = ImageInspector.of(guest(label).device("guest"))) {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            image.report().writeJson(out);

            assertThat(out.toString(StandardCharsets.UTF_8))
                    .isEqualTo(image.report().toJson())
                    .contains("Größe");
            assertThat(new ObjectMapper()
                            .readTree(out.toByteArray())
                            .path("filesystems")
                            .path(0)
                            .path("label")
                            .asText())
                    .isEqualTo(label);
        }
    }

    @Test
    void sizeOf63BitsIsWrittenToTheByte() throws IOException {
        BlockDevice zeros = BlockDevices.ofBytes("zeros", ByteBuffer.allocate(1 << 20));
        List<BlockDevice> many = new ArrayList<>();
        BlockDevice huge = zeros;
        for (int bit = 20; bit < 62; bit++) {
            many.add(huge);
            huge = BlockDevices.concat("huge", List.of(huge, huge));
        }
        // 2^62 + 2^61 + … + 2^20 + (2^20 - 1)
        many.add(huge);
        many.add(BlockDevices.slice(zeros, "rest", 0, (1 << 20) - 1));
        BlockDevice largest = BlockDevices.concat("largest", many);

        JsonNode report = json(largest);

        assertThat(largest.size()).isEqualTo(Long.MAX_VALUE);
        assertThat(report.path("image").path("virtual-size").asText()).isEqualTo("9223372036854775807");
    }

    @Test
    void reportLivesOnAfterTheInspector() throws IOException {
        Path file = TempImages.raw(folder, "guest.raw", guest("swap").array());
        InspectionReport report;
        String before;
        try (ImageInspector image = ImageInspector.open(file)) {
            report = image.report();
            before = report.toJson();
        }

        assertThat(report.toJson()).isEqualTo(before);
        assertThat(report.isComplete()).isTrue();
        JsonNode image = new ObjectMapper().readTree(before).path("image");
        assertThat(image.path("filename").asText()).isEqualTo(file.toString());
        assertThat(image.path("format").asText()).isEqualTo("raw");
        assertThat(image.path("virtual-size").asLong()).isEqualTo(SIZE);
    }

    @Test
    void imageHasTheKeysOfQemuImgInfo() throws IOException {
        Path raw = TempImages.raw(folder, "plain.raw", Contents.testBytes(1 << 20));
        Path file = TempImages.qemuConvert(raw, "image.qcow2", "qcow2");
        JsonNode expected = ReferenceTools.runOk("qemu-img", "info", "--output=json", file.toString())
                .json();

        try (ImageInspector image = ImageInspector.open(file)) {
            JsonNode own = new ObjectMapper().readTree(image.report().toJson()).path("image");

            for (String key : List.of("filename", "format", "virtual-size", "cluster-size", "dirty-flag")) {
                assertThat(own.path(key)).as(key).isEqualTo(expected.path(key));
            }
            assertThat(own.path("format-specific")).isEqualTo(expected.path("format-specific"));
        }
    }
}
