package dev.platter.lvm;

import static dev.platter.lvm.GroupText.linearSegment;
import static dev.platter.lvm.GroupText.uuid;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.Limits;
import dev.platter.core.Warning;
import dev.platter.testkit.Faults;
import dev.platter.testkit.FaultyDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedByInterruptException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Which devices make which groups. */
class LvmScanTest {
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

    @Test
    void deviceWithoutLabelIsPassedOver() throws IOException {
        LvmScan scan = scan(
                new PhysicalVolumeCandidate("/dev/sda", BlockDevices.ofBytes("sda", ByteBuffer.allocate(8192))),
                new PhysicalVolumeCandidate("/dev/sdb", BlockDevices.ofBytes("sdb", ByteBuffer.allocate(0))),
                new PhysicalVolumeCandidate("/dev/sdc", BlockDevices.ofBytes("sdc", ByteBuffer.allocate(511))));

        assertThat(scan).isEqualTo(new LvmScan(List.of(), List.of(), List.of(), List.of()));
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void labelIsFoundInTheFirstFourSectors(int sector) throws IOException {
        PvBytes pv = pv('a');
        pv.bytes.put(512, new byte[512]);
        pv.label(sector);

        LvmScan scan = scan(pv.candidate("sda"));

        assertThat(scan.physicalVolumes()).extracting(PhysicalVolume::uuid).containsExactly(uuid('a'));
    }

    @Test
    void wrongLabelBesideARightOneIsAWarning() throws IOException {
        PvBytes pv = pv('a').text(group(1).pv("pv0", 'a', 16).toString());
        pv.bytes.put(0, pv.bytes, 512, 512);
        pv.label(2);

        LvmScan scan = scan(pv.candidate("sda"));

        assertThat(only(scan).name()).isEqualTo("vg0");
        assertThat(warnings(scan))
                .contains("LVM label in sector 0 says that it belongs in sector 1")
                .contains("sector 2 holds another LVM label, which is not used");
    }

    @Test
    void wrongLabelAloneIsAProblemOfThatDeviceOnly() throws IOException {
        PvBytes damaged = pv('a');
        damaged.bytes.put(600, (byte) 1);
        PvBytes whole = pv('b').text(group(1).pv("pv0", 'b', 16).toString());

        LvmScan scan = scan(damaged.candidate("sda"), whole.candidate("sdb"));

        assertThat(scan.problems()).singleElement().asString().contains("sda: LVM label in sector 1: the checksum is");
        assertThat(only(scan).problem()).isNull();
    }

    @Test
    void deviceThatFailsIsAProblemOfThatDeviceOnly() throws IOException {
        PvBytes whole = pv('b').text(group(1).pv("pv0", 'b', 16).toString());

        LvmScan scan = scan(
                new PhysicalVolumeCandidate(
                        "/dev/sda", new FaultyDevice(pv('a').device("sda"), new Faults().failReads(600, 1))),
                whole.candidate("sdb"));

        assertThat(scan.problems()).singleElement().asString().startsWith("sda: read of 2048 at 0");
        assertThat(only(scan).problem()).isNull();
    }

    @Test
    void metadataAreaThatFailsIsAProblemOfThatPhysicalVolumeOnly() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .pv("pv1", 'b', 16)
                .linear("v", "pv0", 0, 4)
                .toString();
        BlockDevice bad =
                new FaultyDevice(pv('a').text(text).device("sda"), new Faults().failReads(PvBytes.AREA_AT, 1));

        LvmScan scan = scan(
                new PhysicalVolumeCandidate("/dev/sda", bad), pv('b').text(text).candidate("sdb"));

        assertThat(scan.physicalVolumes().get(0).problem()).startsWith("sda: metadata area at 4096: sda: read of 512");
        assertThat(scan.physicalVolumes().get(0).vgName()).isEqualTo("vg0");
        assertThat(volume(scan, "v").isReadable()).isTrue();
    }

    @Test
    void interruptEndsTheScan() {
        BlockDevice device = new ForwardingDevice(pv('a').device("sda")) {
            @Override
            public void read(long at, ByteBuffer into) throws IOException {
                throw new ClosedByInterruptException();
            }
        };

        assertThatThrownBy(() -> scan(new PhysicalVolumeCandidate("/dev/sda", device)))
                .isInstanceOf(ClosedByInterruptException.class);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 1024, 60 << 10 >> 1, (60 << 10) - 512, (60 << 10) - 1})
    void textWrapsAroundTheEndOfItsArea(int offset) throws IOException {
        PvBytes pv = pv('a').text(
                        group(7).pv("pv0", 'a', 16).linear("v", "pv0", 0, 4).toString(), offset);

        LvmScan scan = scan(pv.candidate("sda"));

        assertThat(only(scan).seqno()).isEqualTo(7);
        assertThat(volume(scan, "v").size()).isEqualTo(4 * GroupText.EXTENT);
    }

    @Test
    void ignoredAreaIsNotRead() throws IOException {
        PvBytes pv = pv('a').text(group(1).pv("pv0", 'a', 16).toString()).ignored();

        LvmScan scan = scan(pv.candidate("sda"));

        assertThat(scan.volumeGroups()).isEmpty();
        assertThat(scan.physicalVolumes()).singleElement().satisfies(one -> {
            assertThat(one.vgName()).isNull();
            assertThat(one.size()).isEqualTo(SIZE);
            assertThat(one.problem()).isNull();
        });
        assertThat(warnings(scan)).contains("the label says that it is in use");
    }

    @Test
    void highestSeqnoWinsWhicheverDeviceComesFirst() throws IOException {
        PvBytes stale =
                pv('a').text(group(4).pv("pv0", 'a', 16).pv("pv1", 'b', 16).toString());
        PvBytes newer =
                pv('b').text(group(5).pv("pv0", 'a', 16).pv("pv1", 'b', 16).toString());

        for (LvmScan scan : List.of(
                scan(stale.candidate("sda"), newer.candidate("sdb")),
                scan(newer.candidate("sdb"), stale.candidate("sda")))) {

            assertThat(only(scan).seqno()).isEqualTo(5);
            assertThat(only(scan).problem()).isNull();
            assertThat(warnings(scan)).contains("sda: its metadata has seqno 4, the newest of VG vg0 has 5");
        }
    }

    @Test
    void twoTextsOfOneSeqnoThatDifferAreRefused() throws IOException {
        GroupText one = group(4).pv("pv0", 'a', 16).pv("pv1", 'b', 16).linear("v", "pv0", 0, 4);
        GroupText other = group(4).pv("pv0", 'a', 16).pv("pv1", 'b', 16).linear("v", "pv0", 4, 4);

        LvmScan scan = scan(
                pv('a').text(one.toString()).candidate("sda"),
                pv('b').text(other.toString()).candidate("sdb"));

        assertThat(only(scan).problem()).contains("two different texts have the same seqno 4");
        assertRefused(volume(scan, "v"), CorruptImageException.class, "two different texts");
    }

    @Test
    void physicalVolumeThatTheNewestTextDoesNotListIsStale() throws IOException {
        PvBytes removed =
                pv('a').text(group(4).pv("pv0", 'a', 16).pv("pv1", 'b', 16).toString());
        PvBytes kept = pv('b').text(group(5).pv("pv1", 'b', 16).toString());

        LvmScan scan = scan(removed.candidate("sda"), kept.candidate("sdb"));

        assertThat(scan.physicalVolumes().get(0).vgName()).isNull();
        assertThat(scan.physicalVolumes().get(0).problem())
                .contains("its metadata (seqno 4) is of VG vg0, whose newest metadata (seqno 5) does not list it");
        assertThat(only(scan).missingPhysicalVolumes()).isZero();
    }

    @Test
    void missingPhysicalVolumeLeavesWholeVolumesReadable() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .pv("pv1", 'b', 16)
                .linear("here", "pv0", 0, 4)
                .lv("half", linearSegment(0, 2, "pv0", 4), linearSegment(2, 2, "pv1", 0))
                .linear("gone", "pv1", 2, 2)
                .toString();

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        VolumeGroup group = only(scan);
        assertThat(group.missingPhysicalVolumes()).isEqualTo(1);
        assertThat(group.problem()).isNull();
        assertThat(group.size()).isEqualTo(32 * GroupText.EXTENT);
        assertThat(group.free()).isEqualTo((32 - 10) * GroupText.EXTENT);
        assertThat(scan.physicalVolumes().get(1).deviceName()).isNull();
        assertThat(scan.physicalVolumes().get(1).missing()).isTrue();
        assertThat(volume(scan, "here").isReadable()).isTrue();
        assertThat(volume(scan, "half").problem())
                .isEqualTo("LV vg0/half: segment at LE 2 needs PV pv1 (UUID " + uuid('b')
                        + "), which is not among the 1 device given");
        assertRefused(volume(scan, "gone"), DiskImageException.class, "needs PV pv1");
    }

    @ParameterizedTest
    @ValueSource(strings = {"flags = [\"MISSING\"]", "status = [\"ALLOCATABLE\", \"MISSING\"]"})
    void physicalVolumeMarkedMissingIsStaleAlthoughItIsThere(String mark) throws IOException {
        String text = group(9).pv("pv0", 'a', 16)
                .pv("pv1", 'b', 16, mark)
                .linear("v", "pv1", 0, 4)
                .toString()
                .replace("status = [\"ALLOCATABLE\"]\nstatus", "status");

        LvmScan scan = scan(
                pv('a').text(text).candidate("sda"),
                pv('b').text(group(8).pv("pv0", 'a', 16).pv("pv1", 'b', 16).toString())
                        .candidate("sdb"));

        assertThat(only(scan).missingPhysicalVolumes()).isEqualTo(1);
        assertThat(scan.physicalVolumes().get(1).missing()).isTrue();
        assertThat(scan.physicalVolumes().get(1).deviceName()).isEqualTo("/dev/sdb");
        assertRefused(volume(scan, "v"), DiskImageException.class, "marks as missing");
    }

    @Test
    void samePhysicalVolumeOnTwoDevicesKeepsItsGroupShut() throws IOException {
        String text = group(1).pv("pv0", 'a', 16).linear("v", "pv0", 0, 4).toString();
        String other = new GroupText("other", 'o', 1)
                .pv("pv0", 'c', 16)
                .linear("w", "pv0", 0, 4)
                .toString();

        LvmScan scan = scan(
                pv('a').text(text).candidate("sda"),
                pv('a').text(text).candidate("sdb"),
                pv('c').text(other).candidate("sdc"));

        VolumeGroup group = scan.volumeGroups().get(0);
        assertThat(group.problem()).contains(uuid('a')).contains("\"/dev/sda\" and \"/dev/sdb\"");
        assertThat(scan.physicalVolumes()).hasSize(3);
        assertRefused(group.logicalVolumes().get(0), DiskImageException.class, "/dev/sdb");
        assertThat(scan.volumeGroups().get(1).logicalVolumes().get(0).isReadable())
                .isTrue();
    }

    @Test
    void groupsOfOneNameAreToldApartByUuid() throws IOException {
        LvmScan scan = scan(
                pv('a').text(group(1).pv("pv0", 'a', 16)
                                .linear("v", "pv0", 0, 4)
                                .toString())
                        .candidate("sda"),
                pv('b').text(new GroupText("vg0", 'h', 1)
                                .pv("pv0", 'b', 16)
                                .linear("v", "pv0", 0, 4)
                                .toString())
                        .candidate("sdb"));

        assertThat(scan.volumeGroups()).extracting(VolumeGroup::uuid).containsExactly(uuid('g'), uuid('h'));
        assertThat(scan.volumeGroups())
                .allSatisfy(group ->
                        assertThat(group.logicalVolumes().get(0).isReadable()).isTrue());
        assertThat(warnings(scan)).contains("VG vg0: two groups have this name");
    }

    @Test
    void physicalVolumeOfAnotherGroupIsNotUsed() throws IOException {
        PvBytes first = pv('a').text(group(1).pv("pv0", 'a', 16)
                .pv("pv1", 'b', 16)
                .linear("v", "pv1", 0, 4)
                .toString());
        PvBytes moved = pv('b').text(new GroupText("vg1", 'h', 1)
                .pv("pv0", 'b', 16)
                .linear("w", "pv0", 0, 4)
                .toString());

        LvmScan scan = scan(first.candidate("sda"), moved.candidate("sdb"));

        assertRefused(
                scan.volumeGroups().get(0).logicalVolumes().get(0), DiskImageException.class, "belongs to VG vg1");
        assertThat(scan.volumeGroups().get(1).logicalVolumes().get(0).isReadable())
                .isTrue();
        assertThat(scan.physicalVolumes().get(1).vgName()).isEqualTo("vg1");
    }

    @Test
    void moreVolumesThanTheLimitAllowsAreAProblemOfTheGroup() throws IOException {
        String text = group(1).pv("pv0", 'a', 16)
                .linear("v", "pv0", 0, 1)
                .linear("w", "pv0", 2, 1)
                .toString();
        List<PhysicalVolumeCandidate> devices = List.of(pv('a').text(text).candidate("sda"));

        VolumeGroup most = only(Lvm.scan(devices, Limits.defaults().withVolumes(2)));
        VolumeGroup more = only(Lvm.scan(devices, Limits.defaults().withVolumes(1)));

        assertThat(most.logicalVolumes()).hasSize(2);
        assertThat(more.logicalVolumes()).isEmpty();
        assertThat(more.problem()).contains("2 logical volumes, Limits.volumes allows 1");
    }

    @Test
    void textLargerThanTheLimitIsAProblemOfThePhysicalVolume() throws IOException {
        List<PhysicalVolumeCandidate> devices =
                List.of(pv('a').text(group(1).pv("pv0", 'a', 16).toString()).candidate("sda"));

        LvmScan scan = Lvm.scan(devices, Limits.defaults().withMetadataBytes(100));

        assertThat(scan.volumeGroups()).isEmpty();
        assertThat(scan.physicalVolumes().get(0).problem()).contains("Limits.metadataBytes allows 100");
    }

    @Test
    void extentsOfMoreThanAllBytesAreRefusedWithoutOverflow() throws IOException {
        String text = group(1).extentSectors(1 << 30)
                .pv("pv0", 'a', Integer.MAX_VALUE)
                .linear("v", "pv0", 0, Integer.MAX_VALUE)
                .toString()
                .replace("= " + (1 << 30), "= 4294967295")
                .replace("= " + Integer.MAX_VALUE, "= 4294967295");

        LvmScan scan = scan(pv('a').text(text).candidate("sda"));

        assertThat(only(scan).problem()).contains("its extents are more than 2^63-1 bytes");
        assertThat(volume(scan, "v").size()).isZero();
        assertThat(volume(scan, "v").isReadable()).isFalse();
    }
}
