package dev.platter.lvm;

import static dev.platter.lvm.GroupText.linearSegment;
import static dev.platter.lvm.GroupText.segment;
import static dev.platter.lvm.GroupText.stripedSegment;
import static dev.platter.lvm.GroupText.uuid;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which volumes of a group can be opened, and why the others cannot. */
class VolumeResolverTest {
    private static final int SIZE = PvBytes.DATA_AT + 16 * GroupText.EXTENT;

    private static PvBytes pv(char uuid) {
        return new PvBytes(uuid(uuid), SIZE);
    }

    private static GroupText group(int seqno) {
        return new GroupText("vg0", 'g', seqno);
    }

    private static LvmScan scan(PhysicalVolumeCandidate... candidates) throws IOException {
        return Lvm.scan(List.of(candidates), Limits.defaults());
    }

    private static VolumeGroup only(LvmScan scan) {
        assertThat(scan.volumeGroups()).hasSize(1);
        return scan.volumeGroups().get(0);
    }

    private static LogicalVolume volume(LvmScan scan, String name) {
        return only(scan).logicalVolume(name).orElseThrow();
    }

    private static String warnings(LvmScan scan) {
        return String.join("\n", scan.warnings().stream().map(Warning::text).toList());
    }

    private static void assertRefused(LogicalVolume volume, Class<? extends DiskImageException> type, String problem) {
        assertThat(volume.isReadable()).isFalse();
        assertThat(volume.problem()).contains(problem);
        assertThatThrownBy(volume::open).isExactlyInstanceOf(type).hasMessage(volume.problem());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"raid1", "raid5_ls", "thin", "thin-pool", "cache", "writecache", "vdo", "mirror", "quantum"})
    void typeThatIsNotReadYetIsListedAndNamed(String type) throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .lv("v", segment(0, 2, type) + "some_key = 5\npolicy_settings {\nx = 1\n}\n")
                .linear("plain", "pv0", 0, 2)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        LogicalVolume volume = volume(scan, "v");
        assertThat(volume.segmentTypes()).containsExactly(type);
        assertThat(volume.size()).isEqualTo(2 * GroupText.EXTENT);
        MetadataSection keys = volume.segments().get(0).metadata();
        assertThat(keys.number("some_key")).hasValue(5);
        assertThat(keys.section("policy_settings").orElseThrow().number("x")).hasValue(1);
        assertThat(volume.problem()).isEqualTo("LV vg0/v: segment type " + type + " cannot be read yet");
        assertThatThrownBy(volume::open).isExactlyInstanceOf(UnsupportedFeatureException.class);
        assertThat(volume(scan, "plain").isReadable()).isTrue();
    }

    @Test
    void flagsOfATypeKeepItShut() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("v", "pv0", 0, 2)
                .toString()
                .replace("\"striped\"", "\"striped+LATER\"");

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertThat(volume(scan, "v").segmentTypes()).containsExactly("linear");
        assertRefused(
                volume(scan, "v"), UnsupportedFeatureException.class, "segment type striped with the flags +LATER");
    }

    @Test
    void snapshotAndMergingOriginAreNotReadAsPlainVolumes() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("origin", "pv0", 0, 4)
                .linear("snap", "pv0", 4, 2)
                .lvWith(
                        "snapshot0",
                        "status = []",
                        segment(0, 4, "snapshot") + "origin = \"origin\"\ncow_store = \"snap\"\n")
                .linear("back", "pv0", 6, 4)
                .linear("merge", "pv0", 10, 2)
                .lvWith(
                        "snapshot1",
                        "status = []",
                        segment(0, 4, "snapshot") + "origin = \"back\"\nmerging_store = \"merge\"\n")
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertThat(only(scan).logicalVolumes())
                .extracting(LogicalVolume::name)
                .containsExactly("origin", "snap", "back", "merge");
        assertThat(volume(scan, "origin").isReadable()).isTrue();
        assertThat(volume(scan, "snap").origin()).isEqualTo("origin");
        assertThat(volume(scan, "snap").size()).isEqualTo(4 * GroupText.EXTENT);
        assertRefused(volume(scan, "snap"), UnsupportedFeatureException.class, "segment type snapshot");
        assertRefused(volume(scan, "merge"), UnsupportedFeatureException.class, "segment type snapshot");
        assertRefused(volume(scan, "back"), UnsupportedFeatureException.class, "is being merged into it");
    }

    @Test
    void stackIsReadAsDeepAsTheLimitAllows() throws IOException {
        GroupText text = group(1).pv("pv0", 'a', 16).linear("l1", "pv0", 0, 1);
        for (int i = 2; i <= 7; i++) {
            text.linear("l" + i, "l" + (i - 1), 0, 1);
        }

        LvmScan scan = Lvm.scan(
                List.of(pv('a').text(text.toString()).candidate("sda")),
                Limits.defaults().withNesting(5));

        assertThat(volume(scan, "l5").isReadable()).isTrue();
        assertRefused(volume(scan, "l6"), LimitExceededException.class, "Limits.nesting (5)");
        assertThat(volume(scan, "l7").problem())
                .isEqualTo("LV vg0/l7: segment at LE 0 lies on l6: "
                        + volume(scan, "l6").problem());
    }

    @Test
    void ringOfVolumesIsRefused() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("x", "y", 0, 1)
                .linear("y", "z", 0, 1)
                .linear("z", "x", 0, 1)
                .linear("self", "self", 0, 1)
                .linear("plain", "pv0", 0, 1)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        for (String name : List.of("x", "y", "z", "self")) {
            assertRefused(volume(scan, name), CorruptImageException.class, "which lies on it in turn");
        }
        assertThat(volume(scan, "plain").isReadable()).isTrue();
    }

    @Test
    void segmentsBeyondWhatTheyLieOnAreRefused() throws IOException {
        String text = group(1).pv("pv0", 'a', 20)
                .linear("last", "pv0", 15, 1)
                .linear("device", "pv0", 15, 2)
                .linear("pv", "pv0", 19, 2)
                .linear("lv", "last", 0, 2)
                .linear("nothing", "pv9", 0, 1)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertThat(volume(scan, "last").isReadable()).isTrue();
        assertRefused(volume(scan, "device"), CorruptImageException.class, "lie beyond the end of its device");
        assertRefused(volume(scan, "pv"), CorruptImageException.class, "extents 19..20, but that has 20");
        assertRefused(volume(scan, "lv"), CorruptImageException.class, "extents 0..1, but that has 1");
        assertRefused(volume(scan, "nothing"), CorruptImageException.class, "neither a physical nor a logical volume");
        assertThat(scan.physicalVolumes().get(0).problem()).contains("the 20 extents from byte 65536 on do not lie");
    }

    @Test
    void stripesThatDoNotDivideAreRefused() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .lv("extents", stripedSegment(0, 3, 8, "pv0:0", "pv0:4"))
                .lv("chunks", stripedSegment(0, 2, 6, "pv0:0", "pv0:4"))
                .lv("whole", stripedSegment(0, 2, 8, "pv0:0", "pv0:4"))
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertRefused(volume(scan, "extents"), CorruptImageException.class, "3 extents do not divide into 2 stripes");
        assertRefused(volume(scan, "chunks"), CorruptImageException.class, "do not divide into chunks of 3072");
        assertThat(volume(scan, "whole").segmentTypes()).containsExactly("striped");
        assertThat(volume(scan, "whole").isReadable()).isTrue();
    }

    @Test
    void errorSegmentFailsAloneAndSaysSoBefore() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .lv("v", linearSegment(0, 1, "pv0", 0), segment(1, 1, "error"), linearSegment(2, 1, "pv0", 1))
                .toString();

        BlockDevice device =
                volume(scan(pv('a').text(text).candidate("sda")), "v").open();

        List<Extent> extents = new ArrayList<>();
        Extents.iterate(device).forEach(extents::add);
        assertThat(extents).extracting(Extent::unreadable).containsExactly(false, true, false);
        assertThat(device.features().readOnly()).isTrue();
        device.read(0, ByteBuffer.allocate(4096));
        device.read(8192, ByteBuffer.allocate(4096));
        assertThatThrownBy(() -> device.read(4095, ByteBuffer.allocate(2)))
                .isExactlyInstanceOf(DiskImageException.class)
                .hasMessage("sda > vg0/v: read at 4096: the segment at LE 1 is of type error, which holds no bytes");
    }

    @Test
    void overlappingVolumesAreAWarning() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("x", "pv0", 0, 4)
                .linear("y", "pv0", 3, 2)
                .linear("z", "pv0", 5, 2)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertThat(warnings(scan)).isEqualTo("VG vg0: x and y both have extent 3 of PV pv0");
        assertThat(only(scan).logicalVolumes()).allMatch(LogicalVolume::isReadable);
    }

    @Test
    void namesAgainstTheRulesAreKeptAndMarked() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("\"../../etc\"", "pv0", 0, 1)
                .linear("\"\u001b[31mred\"", "pv0", 1, 1)
                .linear("-dash", "pv0", 2, 1)
                .linear("n".repeat(128), "pv0", 3, 1)
                .linear("a+b_c.d-e", "pv0", 4, 1)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertThat(only(scan).logicalVolumes())
                .extracting(LogicalVolume::hasSafeName)
                .containsExactly(false, false, false, false, true);
        assertThat(only(scan).logicalVolumes().get(0).name()).isEqualTo("../../etc");
        assertThat(warnings(scan)).contains("\"../../etc\" breaks the rules").contains("\"\\x1b[31mred\" breaks");
        assertThat(only(scan).logicalVolumes().get(1).open().description()).doesNotContain("\u001b");
    }

    @Test
    void unknownStatusFlagKeepsWhatCarriesItShut() throws IOException {
        String volumes = group(1).pv("pv0", 'a', 16)
                .lvWith("v", "status = [\"READ\", \"LATER\"]", linearSegment(0, 1, "pv0", 0))
                .lvWith("w", "status = [\"READ\"]\nflags = [\"LATER\"]", linearSegment(0, 1, "pv0", 1))
                .toString();

        LvmScan scan = scan(pv('a').text(volumes).candidate("sda"));
        LvmScan groups = scan(
                pv('a').text(group(1).status("\"LATER\"").pv("pv0", 'a', 16).toString())
                        .candidate("sda"));

        assertRefused(volume(scan, "v"), UnsupportedFeatureException.class, "unknown status flag \"LATER\"");
        assertThat(volume(scan, "w").isReadable()).isTrue();
        assertThat(only(groups).problem()).isEqualTo("VG vg0: unknown status flag \"LATER\"");
    }

    @Test
    void volumeGivenTwiceIsRefused() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("v", "pv0", 0, 1)
                .linear("v", "pv0", 1, 1)
                .linear("w", "pv0", 2, 1)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertRefused(volume(scan, "v"), CorruptImageException.class, "two volumes of this name");
        assertThat(volume(scan, "w").isReadable()).isTrue();
    }

    @Test
    void closedVolumeLeavesItsPhysicalVolumeOpen() throws IOException {
        String text = group(1).pv("pv0", 'a', 16).linear("v", "pv0", 0, 1).toString();
        LogicalVolume volume = volume(scan(pv('a').text(text).candidate("sda")), "v");

        volume.open().close();

        volume.open().read(0, ByteBuffer.allocate(512));
    }
}
