package dev.platter.lvm;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImages;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.Contents;
import dev.platter.testkit.LoopDevice;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import dev.platter.testkit.ToolResult;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Groups that lvm makes, compared with what it reports of them. The bytes of the volumes follow from {@code lvs -o
 * seg_pe_ranges}. Works on kernels without device-mapper; needs root, for loop devices.
 */
class LvmDifferentialTest {
    private static final long MIB = 1 << 20;
    private static final long DATA_AT = MIB;
    private static final long PV_SIZE = 24 * MIB;
    private static final String GROUP = "platter_diff";

    private final Deque<Closeable> open = new ArrayDeque<>();
    private final List<PhysicalVolumeCandidate> candidates = new ArrayList<>();
    /** Which of the physical volumes a device is: its test bytes begin at that many TiB. */
    private final Map<String, Integer> numbers = new HashMap<>();

    @TempDir
    Path folder;

    @BeforeEach
    void attachDevices() throws IOException {
        ReferenceTools.assumeTool("lvm");
        for (int i = 0; i < 3; i++) {
            Path file = TempImages.sparse(folder, "pv" + i, PV_SIZE);
            LoopDevice loop = LoopDevice.attach(file);
            open.push(loop);
            numbers.put(loop.path().toString(), i);
        }
        List<String> loops = numbers.keySet().stream()
                .sorted((one, other) -> Integer.compare(number(one), number(other)))
                .toList();
        for (String loop : loops) {
            BlockDevice device = DiskImages.open(
                    Path.of(loop), OpenOptions.builder().format("raw").build());
            open.push(device);
            candidates.add(new PhysicalVolumeCandidate(loop, device));
        }
    }

    @AfterEach
    void detachDevices() throws IOException {
        IOException failure = null;
        while (!open.isEmpty()) {
            try {
                open.pop().close();
            } catch (IOException e) {
                failure = e;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    @Test
    void groupOfThreeIsWhatLvmReports() throws IOException {
        makeGroup();

        LvmScan scan = Lvm.scan(candidates, Limits.defaults());

        assertThat(scan.problems()).isEmpty();
        assertThat(scan.warnings()).isEmpty();
        assertReports(scan);
        assertThat(scan.volumeGroups().get(0).logicalVolumes())
                .extracting(LogicalVolume::isReadable)
                .containsOnly(true);
    }

    @Test
    void groupWithoutItsThirdDeviceIsWhatLvmReports() throws IOException {
        makeGroup();
        candidates.remove(2);

        LvmScan scan = Lvm.scan(candidates, Limits.defaults());

        assertReports(scan);
        VolumeGroup group = scan.volumeGroups().get(0);
        assertThat(group.missingPhysicalVolumes()).isEqualTo(1);
        assertThat(group.logicalVolume("ro-dash").orElseThrow().isReadable()).isTrue();
        assertThat(group.logicalVolume("lin").orElseThrow().problem()).contains("is not among the 2 devices given");
    }

    @Test
    void textThatGrewPastTheEndOfItsAreaIsWhatLvmReports() throws IOException {
        String device = device(0);
        lvm("pvcreate", "-y", "--dataalignment", "64k", "--metadatasize", "60k", device);
        lvm("vgcreate", "-s", "64k", GROUP, device);
        lvm("lvcreate", "-an", "-Zn", "-Wn", "-y", "-l", "5", "-n", "first", GROUP);
        for (int i = 0; i < 45; i++) {
            lvm("vgchange", "--addtag", "tag" + "x".repeat(100) + i, GROUP);
            if (i % 5 == 0) {
                LvmScan scan = Lvm.scan(candidates.subList(0, 1), Limits.defaults());

                assertThat(scan.problems()).isEmpty();
                assertThat(scan.volumeGroups().get(0).tags()).hasSize(i + 1);
                assertThat(scan.volumeGroups().get(0).seqno()).isEqualTo(i + 3);
            }
        }
    }

    @Test
    void exportedGroupAndOrphanAreWhatLvmReports() throws IOException {
        lvm("pvcreate", "-y", "--labelsector", "3", "--bootloaderareasize", "128k", device(0));
        lvm("pvcreate", "-y", device(1));
        lvm("vgcreate", GROUP, device(0));
        lvm("lvcreate", "-an", "-Zn", "-Wn", "-y", "-l", "1", "-n", "v", GROUP);
        lvm("vgexport", GROUP);

        LvmScan scan = Lvm.scan(candidates, Limits.defaults());

        assertThat(scan.volumeGroups().get(0).exported()).isTrue();
        assertThat(scan.volumeGroups().get(0).logicalVolumes().get(0).isReadable())
                .isTrue();
        assertPhysicalVolumes(scan);
    }

    private void makeGroup() throws IOException {
        lvm("pvcreate", "-y", device(0));
        lvm("pvcreate", "-y", "--pvmetadatacopies", "2", device(1));
        lvm("pvcreate", "-y", "--pvmetadatacopies", "0", device(2));
        lvm("vgcreate", "-s", "64k", GROUP, device(0), device(1), device(2));
        String[] make = {"lvcreate", "-an", "-Zn", "-Wn", "-y"};
        lvm(make, "-l", "20", "-n", "lin", GROUP, device(0) + ":3-12", device(1) + ":40-49");
        lvm(make, "-l", "30", "-i", "3", "-I", "8k", "-n", "str", GROUP);
        lvm("lvextend", "-l", "+10", GROUP + "/lin", device(2));
        lvm("lvextend", "-l", "+4", "-i", "2", "-I", "4k", GROUP + "/lin", device(0), device(1));
        lvm("lvcreate", "-an", "-y", "--type", "zero", "-l", "3", "-n", "zer", GROUP);
        lvm("lvcreate", "-an", "-y", "--type", "error", "-l", "3", "-n", "err", GROUP);
        lvm(make, "-pr", "-l", "2", "-n", "ro-dash", GROUP, device(0));
        lvm("lvchange", "--addtag", "t1", "--addtag", "t2", GROUP + "/str");
        for (int i = 0; i < 3; i++) {
            try (FileChannel channel = FileChannel.open(Path.of(device(i)), StandardOpenOption.WRITE)) {
                channel.write(
                        ByteBuffer.wrap(TestBytes.of(testOffset(i) + DATA_AT, (int) (PV_SIZE - 2 * DATA_AT))), DATA_AT);
                channel.force(true);
            }
        }
    }

    private void assertReports(LvmScan scan) throws IOException {
        assertPhysicalVolumes(scan);
        JsonNode row = report(
                        "vgs", "vg", "vg_name,vg_uuid,vg_size,vg_free,vg_extent_size,vg_seqno,vg_missing_pv_count")
                .get(0);
        VolumeGroup group = scan.volumeGroups().get(0);
        assertThat(List.of(
                        group.name(),
                        group.uuid(),
                        "" + group.size(),
                        "" + group.free(),
                        "" + group.extentSize(),
                        "" + group.seqno(),
                        "" + group.missingPhysicalVolumes()))
                .isEqualTo(texts(row));
        Map<String, List<JsonNode>> segments = new HashMap<>();
        for (JsonNode segment : report(
                "lvs", "seg", "lv_name,lv_uuid,lv_size,lv_tags,segtype,seg_start,seg_size,stripe_size,seg_pe_ranges")) {
            segments.computeIfAbsent(segment.path("lv_name").asText(), name -> new ArrayList<>())
                    .add(segment);
        }
        assertThat(group.logicalVolumes()).hasSize(segments.size());
        for (LogicalVolume volume : group.logicalVolumes()) {
            assertVolume(volume, segments.getOrDefault(volume.name(), List.of()));
        }
    }

    private void assertPhysicalVolumes(LvmScan scan) throws IOException {
        Set<List<String>> ours = new LinkedHashSet<>();
        for (PhysicalVolume volume : scan.physicalVolumes()) {
            ours.add(List.of(
                    volume.uuid(),
                    volume.deviceName() == null ? "[unknown]" : volume.deviceName(),
                    volume.vgName() == null ? "" : volume.vgName(),
                    "" + volume.size(),
                    "" + volume.free(),
                    "" + volume.deviceSize(),
                    "" + volume.extentCount(),
                    "" + volume.metadataAreas(),
                    volume.missing() ? "missing" : ""));
        }
        Set<List<String>> theirs = new LinkedHashSet<>();
        for (JsonNode row : report(
                "pvs", "pv", "pv_uuid,pv_name,vg_name,pv_size,pv_free,dev_size,pv_pe_count,pv_mda_count,pv_missing")) {
            theirs.add(texts(row));
        }
        assertThat(ours).isEqualTo(theirs);
    }

    private void assertVolume(LogicalVolume volume, List<JsonNode> segments) throws IOException {
        JsonNode first = segments.get(0);
        assertThat(volume.uuid()).isEqualTo(first.path("lv_uuid").asText());
        assertThat("" + volume.size()).isEqualTo(first.path("lv_size").asText());
        assertThat(String.join(",", volume.tags()))
                .isEqualTo(first.path("lv_tags").asText());
        assertThat(volume.segments())
                .extracting(Segment::reportedType)
                .isEqualTo(segments.stream()
                        .map(segment -> segment.path("segtype").asText())
                        .toList());
        if (!volume.isReadable() || volume.name().equals("err")) {
            return;
        }
        Contents contents = Contents.zeros(0);
        for (JsonNode segment : segments) {
            contents = contents.then(contents(segment));
        }
        try (BlockDevice device = volume.open()) {
            contents.assertAll(device);
        }
    }

    /** Works out the bytes of a segment from its line in the report, chunk by chunk. */
    private Contents contents(JsonNode segment) {
        long size = segment.path("seg_size").asLong();
        String ranges = segment.path("seg_pe_ranges").asText();
        if (ranges.isEmpty()) {
            return Contents.zeros(size);
        }
        long[] starts = Arrays.stream(ranges.split(" ", -1))
                .mapToLong(range -> {
                    String[] parts = range.split("[:-]", -1);
                    return testOffset(number(parts[0])) + DATA_AT + Long.parseLong(parts[1]) * 65536;
                })
                .toArray();
        long chunk = starts.length == 1 ? size : segment.path("stripe_size").asLong();
        return Contents.of(size, (offset, into) -> {
            int limit = into.limit();
            long at = offset;
            while (into.position() < limit) {
                long column = at / chunk % starts.length;
                long row = at / chunk / starts.length;
                int run = (int) Math.min(limit - into.position(), chunk - at % chunk);
                into.limit(into.position() + run);
                TestBytes.fill(starts[(int) column] + row * chunk + at % chunk, into);
                into.limit(limit);
                at += run;
            }
        });
    }

    private static long testOffset(int number) {
        return (long) number << 40;
    }

    private int number(String device) {
        return numbers.getOrDefault(device, -1);
    }

    private String device(int number) {
        return candidates.get(number).deviceName();
    }

    private JsonNode report(String command, String kind, String fields) throws IOException {
        String[] options = {"--units", "b", "--nosuffix", "--reportformat", "json", "-o", fields};
        String[] segments = command.equals("lvs") ? new String[] {"-a", "--segments"} : new String[0];
        ToolResult result = lvm(prepend(command, segments), options);
        return result.json().path("report").path(0).path(kind);
    }

    private static List<String> texts(JsonNode row) {
        List<String> texts = new ArrayList<>();
        row.forEach(value -> texts.add(value.asText()));
        return texts;
    }

    private static String[] prepend(String first, String[] more) {
        String[] all = new String[more.length + 1];
        all[0] = first;
        System.arraycopy(more, 0, all, 1, more.length);
        return all;
    }

    private ToolResult lvm(String... command) throws IOException {
        return lvm(command, new String[0]);
    }

    private ToolResult lvm(String[] command, String... more) throws IOException {
        String devices = candidates.stream()
                .map(candidate -> "\"a|^" + candidate.deviceName() + "$|\",")
                .collect(Collectors.joining());
        List<String> full = new ArrayList<>(List.of("lvm"));
        full.addAll(Arrays.asList(command));
        full.addAll(Arrays.asList(more));
        full.addAll(List.of(
                "--driverloaded",
                "n",
                "--config",
                "devices{use_devicesfile=0 filter=[" + devices + "\"r|.*|\"]} global{activation=0 event_activation=0}"
                        + " backup{backup=0 archive=0}"));
        return ReferenceTools.run(full).assertSuccess();
    }
}
