package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.Mutations;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Metadata that lvm wrote, changed at random, in every second round with checksums that are right again. */
class LvmMutationTest {
    private static final int METADATA = 1 << 20;
    private static final int AREA_AT = 4096;
    private static final long HEAP = 64 << 20;

    private int round;

    @ParameterizedTest
    @ValueSource(
            strings = {"lvm-segments.raw", "vg-missing-pv.raw", "lvm-thin.raw", "lvm-snapshot.raw", "lvm-raid1.raw"})
    void changedMetadataIsReadOrRefused(String name) throws IOException {
        Path file = Corpus.assumeCorpus().unpack(name);
        try (BlockDevice disk =
                DiskImages.open(file, OpenOptions.builder().format("raw").build())) {
            ByteBuffer original = ByteBuffer.allocate(METADATA).order(ByteOrder.LITTLE_ENDIAN);
            disk.read(0, original);
            int textAt = AREA_AT + (int) original.getLong(AREA_AT + 40);
            int textSize = (int) original.getLong(AREA_AT + 48);
            BlockDevice rest = BlockDevices.slice(disk, "data", METADATA, disk.size() - METADATA);

            Mutations.of(name, original.array())
                    .within(512, 160)
                    .within(AREA_AT, 72)
                    .within(textAt, textSize)
                    .within(textAt, textSize)
                    .rounds(1500)
                    .allocatingAtMost(HEAP)
                    .run(image -> read(image, rest));
        }
    }

    private void read(ByteBuffer image, BlockDevice rest) throws IOException {
        ByteBuffer bytes = ByteBuffer.allocate(METADATA).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put(image).clear();
        if (round++ % 2 == 0) {
            seal(bytes);
        }
        BlockDevice device = BlockDevices.concat("pv", List.of(BlockDevices.ofBytes("metadata", bytes), rest));
        // the same volume twice, and beside a good one, would be other tests: here every scan is of one device
        LvmScan scan = Lvm.scan(List.of(new PhysicalVolumeCandidate("/dev/sda", device)), Limits.defaults());
        ByteBuffer some = ByteBuffer.allocate(4096);
        for (VolumeGroup group : scan.volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                readEnds(volume, some);
            }
        }
    }

    private static void readEnds(LogicalVolume volume, ByteBuffer some) throws IOException {
        if (!volume.isReadable()) {
            return;
        }
        try (BlockDevice device = volume.open()) {
            device.read(0, some.clear().limit((int) Math.min(4096, device.size())));
            device.read(device.size() - some.limit(), some.rewind());
        } catch (DiskImageException e) {
            if (!volume.segmentTypes().contains("error")) {
                throw new AssertionError(volume + " was said to be readable", e);
            }
        }
    }

    /** Sets the checksums of the label, the area's header and the text right, where these can be found. */
    private static void seal(ByteBuffer bytes) {
        long offset = bytes.getLong(AREA_AT + 40);
        long size = bytes.getLong(AREA_AT + 48);
        if (offset > 0 && size > 0 && offset < METADATA - AREA_AT && size <= METADATA - AREA_AT - offset) {
            int at = AREA_AT + (int) offset;
            bytes.putInt(AREA_AT + 56, LvmCrc.of(bytes, at, at + (int) size));
        }
        bytes.putInt(AREA_AT, LvmCrc.of(bytes, AREA_AT + 4, AREA_AT + 512));
        bytes.putInt(512 + 16, LvmCrc.of(bytes, 512 + 20, 1024));
    }
}
