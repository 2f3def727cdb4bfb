package dev.platter.lvm;

import static dev.platter.lvm.GroupText.linearSegment;
import static dev.platter.lvm.GroupText.stripedSegment;
import static dev.platter.lvm.GroupText.uuid;
import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.Limits;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.RecordingDevice;
import dev.platter.testkit.RequestLog.Kind;
import dev.platter.testkit.RequestLog.Request;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What the contract of devices does not see: which requests reach the physical volumes. */
class VolumeDeviceTest {
    private static final int SIZE = PvBytes.DATA_AT + 64 * GroupText.EXTENT;

    private final PvBytes firstBytes = new PvBytes(uuid('a'), SIZE);
    private final PvBytes secondBytes = new PvBytes(uuid('b'), SIZE);
    private final RecordingDevice first = new RecordingDevice(firstBytes.device("sda"));
    private final RecordingDevice second = new RecordingDevice(secondBytes.device("sdb"));

    private BlockDevice volume(String... segments) throws IOException {
        String text = new GroupText("vg0", 'g', 1)
                .pv("pv0", 'a', 64)
                .pv("pv1", 'b', 64)
                .lv("v", segments)
                .toString();
        firstBytes.text(text);
        secondBytes.text(text);
        LvmScan scan = Lvm.scan(
                List.of(
                        new PhysicalVolumeCandidate("/dev/sda", first),
                        new PhysicalVolumeCandidate("/dev/sdb", second)),
                Limits.defaults());
        first.log().clear();
        second.log().clear();
        return scan.volumeGroups().get(0).logicalVolumes().get(0).open();
    }

    @Test
    void requestIsSplitWhereSegmentsMeetAndNowhereElse() throws IOException {
        BlockDevice device = volume(linearSegment(0, 4, "pv0", 10), linearSegment(4, 4, "pv1", 0));

        device.read(0, ByteBuffer.allocate(16384));
        device.read(16383, ByteBuffer.allocate(2));

        assertThat(first.log().all())
                .containsExactly(new Request(Kind.READ, 106496, 16384), new Request(Kind.READ, 122879, 1));
        assertThat(second.log().all()).containsExactly(new Request(Kind.READ, 65536, 1));
    }

    @Test
    void discardOfWholeRowsIsOneRequestForEachStripe() throws IOException {
        BlockDevice device = volume(stripedSegment(0, 8, 2, "pv0:0", "pv1:4"));

        device.discard(512, 2048 * 8 + 1024);

        assertThat(first.log().all())
                .containsExactly(
                        new Request(Kind.DISCARD, 66048, 512),
                        new Request(Kind.DISCARD, 66560, 7168),
                        new Request(Kind.DISCARD, 73728, 1024));
        assertThat(second.log().all())
                .containsExactly(
                        new Request(Kind.DISCARD, 81920, 1024),
                        new Request(Kind.DISCARD, 82944, 7168),
                        new Request(Kind.DISCARD, 90112, 512));
    }

    @Test
    void prefetchIsOneHintForEachStripe() throws IOException {
        BlockDevice device = volume(stripedSegment(0, 8, 2, "pv0:0", "pv1:4"));

        device.prefetch(3000, 3000);

        assertThat(first.log().all()).containsExactly(new Request(Kind.PREFETCH, 66560, 2048));
        assertThat(second.log().all()).containsExactly(new Request(Kind.PREFETCH, 82944, 2048));
    }

    @Test
    void extentsNameThePhysicalVolumeBelow() throws IOException {
        BlockDevice device = volume(linearSegment(0, 4, "pv0", 10), linearSegment(4, 4, "pv1", 0));

        List<Extent> extents = new ArrayList<>();
        Extents.iterate(device).forEach(extents::add);

        assertThat(extents).extracting(Extent::belowOffset).containsExactly(106496L, 65536L);
        assertThat(extents).extracting(Extent::below).containsExactly(first, second);
        assertThat(extents).allMatch(extent -> extent.facts() == Extent.ALLOCATED);
    }

    @Test
    void descriptionNamesTheFirstPhysicalVolumeAndHowManyMore() throws IOException {
        BlockDevice one = volume(linearSegment(0, 1, "pv1", 0));
        BlockDevice two = volume(linearSegment(0, 1, "pv1", 0), linearSegment(1, 1, "pv0", 0));

        assertThat(one.description()).isEqualTo("sdb > vg0/v");
        assertThat(two.description()).isEqualTo("sdb and 1 more > vg0/v");
    }

    @Test
    void flushReachesEveryPhysicalVolumeAndCloseNone() throws IOException {
        BlockDevice device = volume(linearSegment(0, 1, "pv1", 0), linearSegment(1, 1, "pv0", 0));

        device.flush();
        device.close();

        assertThat(first.log().all()).containsExactly(new Request(Kind.FLUSH, 0, 0));
        assertThat(second.log().all()).containsExactly(new Request(Kind.FLUSH, 0, 0));
    }

    @Test
    void plainReadsAllocateNothing() throws Exception {
        String text = new GroupText("vg0", 'g', 1)
                .pv("pv0", 'a', 64)
                .lv("v", linearSegment(0, 4, "pv0", 0), stripedSegment(4, 8, 2, "pv0:8", "pv0:16"))
                .toString();
        LvmScan scan = Lvm.scan(List.of(new PvBytes(uuid('a'), SIZE).text(text).candidate("sda")), Limits.defaults());
        BlockDevice device = scan.volumeGroups().get(0).logicalVolumes().get(0).open();
        ByteBuffer buffer = ByteBuffer.allocateDirect(8192);
        readOften(device, buffer);

        long allocated = CountingAllocation.of(() -> readOften(device, buffer));

        assertThat(allocated).isLessThan(1024);
    }

    private static void readOften(BlockDevice device, ByteBuffer buffer) throws IOException {
        for (int i = 0; i < 20_000; i++) {
            device.read((i * 512) % 40_000, buffer.clear());
        }
    }
}
