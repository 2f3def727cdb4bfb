package dev.platter.lvm;

import static dev.platter.lvm.GroupText.EXTENT;
import static dev.platter.lvm.GroupText.linearSegment;
import static dev.platter.lvm.GroupText.segment;
import static dev.platter.lvm.GroupText.stripedSegment;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import dev.platter.testkit.BlockDeviceContract;
import dev.platter.testkit.Contents;
import dev.platter.testkit.DeviceFixture;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Nested;

/** Logical volumes as devices. */
class LogicalVolumeContractTest {
    private static final int EXTENTS = 60;
    private static final int PV_SIZE = PvBytes.DATA_AT + EXTENTS * EXTENT;

    /** Opens the volume "v" of a group on three physical volumes. */
    private static BlockDevice open(GroupText group) throws IOException {
        String text = group.pv("pv0", 'a', EXTENTS)
                .pv("pv1", 'b', EXTENTS)
                .pv("pv2", 'c', EXTENTS)
                .toString();
        LvmScan scan = Lvm.scan(
                List.of(
                        new PvBytes(GroupText.uuid('a'), PV_SIZE).text(text).candidate("sda"),
                        new PvBytes(GroupText.uuid('b'), PV_SIZE).text(text).candidate("sdb"),
                        new PvBytes(GroupText.uuid('c'), PV_SIZE).withoutArea().candidate("sdc")),
                Limits.defaults());
        return scan.volumeGroups().get(0).logicalVolume("v").orElseThrow().open();
    }

    /** The bytes of extents of any physical volume: they know their offset there. */
    private static Contents extents(int start, int count) {
        return Contents.testBytes(PV_SIZE).slice(PvBytes.DATA_AT + (long) start * EXTENT, (long) count * EXTENT);
    }

    /** The bytes of stripes, one by one. */
    private static Contents stripes(int chunk, int count, int... starts) {
        return Contents.of((long) count * EXTENT, (offset, into) -> {
            for (long at = offset; into.hasRemaining(); at++) {
                long number = at / chunk;
                long start = PvBytes.DATA_AT + (long) starts[(int) (number % starts.length)] * EXTENT;
                into.put(TestBytes.at(start + number / starts.length * chunk + at % chunk));
            }
        });
    }

    private static GroupText group() {
        return new GroupText("vg", 'g', 1);
    }

    @Nested
    class LinearOverTwoPhysicalVolumes extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = LogicalVolumeContractTest.open(
                    group().lv("v", linearSegment(0, 33, "pv0", 7), linearSegment(33, 20, "pv1", 40)));
            return DeviceFixture.writable(device, extents(7, 33).then(extents(40, 20)))
                    .withoutIo();
        }
    }

    @Nested
    class StripedOverThreePhysicalVolumes extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = LogicalVolumeContractTest.open(
                    group().lv("v", stripedSegment(0, 45, 2, "pv0:1", "pv1:20", "pv2:42")));
            return DeviceFixture.writable(device, stripes(1024, 45, 1, 20, 42)).withoutIo();
        }
    }

    @Nested
    class MixedOnOtherLogicalVolumes extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = LogicalVolumeContractTest.open(group().linear("low", "pv0", 2, 30)
                    .lvWith(
                            "middle",
                            "status = [\"READ\", \"WRITE\"]",
                            linearSegment(0, 4, "pv2", 50),
                            linearSegment(4, 20, "low", 10))
                    .lv(
                            "v",
                            linearSegment(0, 1, "pv1", 59),
                            stripedSegment(1, 24, 8, "middle:2", "pv1:3"),
                            linearSegment(25, 4, "middle", 16)));
            // extent e of "middle" is extent 50 + e of pv2 up to 3, then extent 2 + 10 + e - 4 of pv0
            Contents middle = extents(50, 4).then(extents(12, 20));
            Contents striped = Contents.of(24L * EXTENT, (offset, into) -> {
                for (long at = offset; into.hasRemaining(); at++) {
                    long chunk = at / 4096;
                    long inside = chunk / 2 * 4096 + at % 4096;
                    into.put(
                            chunk % 2 == 0
                                    ? middle.bytes(2L * EXTENT + inside, 1)[0]
                                    : TestBytes.at(PvBytes.DATA_AT + 3L * EXTENT + inside));
                }
            });
            Contents all = extents(59, 1).then(striped).then(middle.slice(16L * EXTENT, 4L * EXTENT));
            return DeviceFixture.writable(device, all).withoutIo();
        }
    }

    @Nested
    class WithZeroSegment extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = LogicalVolumeContractTest.open(group().lv(
                            "v",
                            linearSegment(0, 5, "pv0", 0),
                            segment(5, 30, "zero"),
                            linearSegment(35, 2, "pv1", 9)));
            Contents contents = extents(0, 5).then(Contents.zeros(30L * EXTENT)).then(extents(9, 2));
            return DeviceFixture.readOnly(device, contents).withoutIo();
        }
    }

    @Nested
    class WithoutPermissionToWrite extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = LogicalVolumeContractTest.open(
                    group().lvWith("v", "status = [\"READ\", \"VISIBLE\"]", linearSegment(0, 33, "pv2", 7)));
            return DeviceFixture.readOnly(device, extents(7, 33)).withoutIo();
        }
    }
}
