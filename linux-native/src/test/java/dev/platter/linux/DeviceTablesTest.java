package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.LimitExceededException;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.linux.DeviceTables.Below;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Tables of views over disks that are nothing but a size. */
class DeviceTablesTest {
    private static final int MIB = 1 << 20;

    private final BlockDevice disk = disk("disk");

    private static BlockDevice disk(String name) {
        return BlockDevices.ofBytes(name, ByteBuffer.allocate(MIB));
    }

    private Below bound() {
        return new Below(disk, "7:3", 0, MIB);
    }

    private String table(BlockDevice volume) throws IOException {
        return DeviceTables.table(volume, List.of(bound())).toString();
    }

    /** A device of the disk's size whose extents are all of one kind. */
    private static final class Uniform extends ForwardingDevice {
        private final int facts;
        private final long step;

        Uniform(BlockDevice device, int facts, long step) {
            super(device);
            this.facts = facts;
            this.step = step;
        }

        @Override
        public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
            for (long at = offset; at < offset + length; at += step) {
                if (!visitor.extent(at, Math.min(step, offset + length - at), facts, 0, null, -1)) {
                    return;
                }
            }
        }
    }

    @Test
    void aPartitionLiesOnTheDiskInOnePiece() throws IOException {
        assertThat(table(BlockDevices.slice(disk, "partition 1", 65_536, 131_072)))
                .isEqualTo("0 256 linear 7:3 128");
    }

    @Test
    void viewsOfViewsHaveAbsolutePlaces() throws IOException {
        BlockDevice partition = BlockDevices.slice(disk, "partition 2", 65_536, 500_000 / 512 * 512);

        assertThat(table(BlockDevices.slice(partition, "volume", 4096, 8192))).isEqualTo("0 16 linear 7:3 136");
    }

    @Test
    void adjoiningPiecesAreMergedAndOthersKept() throws IOException {
        BlockDevice volume = BlockDevices.concat(
                "volume",
                List.of(
                        BlockDevices.slice(disk, "a", 4096, 4096),
                        BlockDevices.slice(disk, "b", 8192, 4096),
                        BlockDevices.slice(disk, "c", 65_536, 1024)));

        assertThat(table(volume)).isEqualTo("0 16 linear 7:3 8\n16 2 linear 7:3 128");
    }

    @Test
    void aVolumeMayLieOnSeveralDisks() throws IOException {
        BlockDevice other = disk("other");
        BlockDevice volume = BlockDevices.concat(
                "volume", List.of(BlockDevices.slice(disk, "a", 512, 512), BlockDevices.slice(other, "b", 1024, 512)));

        DeviceTable table = DeviceTables.table(volume, List.of(bound(), new Below(other, "43:0", 0, MIB)));

        assertThat(table).hasToString("0 1 linear 7:3 1\n1 1 linear 43:0 2");
    }

    @Test
    void aDeviceThatBeginsBehindALabelShiftsThePlaces() throws IOException {
        BlockDevice volume = BlockDevices.slice(disk, "volume", 65_536, 4096);
        Below behindLabel = new Below(disk, "7:3", 4096, MIB - 4096);

        assertThat(DeviceTables.table(volume, List.of(behindLabel))).hasToString("0 8 linear 7:3 120");
    }

    @Test
    void whatLiesBeforeTheDeviceIsRefused() {
        BlockDevice volume = BlockDevices.slice(disk, "volume", 0, 8192);
        Below behindLabel = new Below(disk, "7:3", 4096, MIB - 4096);

        assertThatThrownBy(() -> DeviceTables.table(volume, List.of(behindLabel)))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("lies at 0 of the disk, of which the device shows 1044480 bytes from 4096 on");
    }

    @Test
    void whatLiesBeyondTheDeviceIsRefused() {
        BlockDevice volume = BlockDevices.slice(disk, "volume", MIB - 8192, 8192);

        assertThatThrownBy(() -> DeviceTables.table(volume, List.of(new Below(disk, "7:3", 0, MIB - 4096))))
                .isInstanceOf(UnsupportedFeatureException.class);
    }

    @Test
    void holesOfTheVolumeReadAsZero() throws IOException {
        BlockDevice zero = new Uniform(disk("zero"), Extent.READS_AS_ZERO, MIB);

        assertThat(table(zero)).isEqualTo("0 2048 zero");
    }

    @Test
    void unreadablePartsOfTheVolumeFail() throws IOException {
        BlockDevice error = new Uniform(disk("error"), Extent.UNREADABLE, 4096);

        assertThat(table(error)).isEqualTo("0 2048 error");
    }

    @Test
    void holesOfTheDiskStayOnTheDisk() throws IOException {
        // the kernel's device shows them as zeros by itself, and a write has to reach them
        BlockDevice sparse = new Uniform(disk, Extent.READS_AS_ZERO, 4096);
        BlockDevice volume = BlockDevices.slice(sparse, "partition 1", 8192, 8192);

        assertThat(DeviceTables.table(volume, List.of(new Below(sparse, "7:3", 0, MIB))))
                .hasToString("0 16 linear 7:3 16");
    }

    @Test
    void compressedPartsAreRefused() {
        BlockDevice compressed = new Uniform(disk("c.qcow2"), Extent.ALLOCATED | Extent.COMPRESSED, MIB);

        assertThatThrownBy(() -> table(compressed))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("c.qcow2: the piece at 0 is stored compressed or encrypted");
    }

    @Test
    void whatLiesOnNoBoundDiskIsRefused() {
        assertThatThrownBy(() -> table(BlockDevices.slice(disk("stranger"), "partition 1", 0, 512)))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("does not lie on a disk that is bound");
    }

    @Test
    void piecesThatAreNoWholeSectorsAreRefused() {
        assertThatThrownBy(() -> table(BlockDevices.slice(disk, "odd end", 0, 700)))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("has 700 bytes");
        assertThatThrownBy(() -> table(BlockDevices.slice(disk, "odd start", 100, 512)))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("lies at 100 of the disk");
    }

    @Test
    void asManyPiecesAsTheMostAreTaken() throws IOException {
        DeviceTable table = DeviceTables.table(new Alternating(DeviceTables.MOST_TARGETS), List.of());

        assertThat(table.targets()).hasSize(DeviceTables.MOST_TARGETS);
    }

    @Test
    void morePiecesThanTheMostAreRefused() {
        BlockDevice volume = new Alternating(DeviceTables.MOST_TARGETS + 1);

        assertThatThrownBy(() -> DeviceTables.table(volume, List.of())).isInstanceOf(LimitExceededException.class);
    }

    /** Sectors that read as zero and sectors that fail, by turns. */
    private static final class Alternating extends ForwardingDevice {
        private final int sectors;

        Alternating(int sectors) {
            super(disk("alternating"));
            this.sectors = sectors;
        }

        @Override
        public long size() {
            return 512L * sectors;
        }

        @Override
        public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
            for (int i = 0; i < sectors; i++) {
                int facts = i % 2 == 0 ? Extent.READS_AS_ZERO : Extent.UNREADABLE;
                if (!visitor.extent(512L * i, 512, facts, 0, null, -1)) {
                    return;
                }
            }
        }
    }

    @Test
    void anEmptyVolumeIsRefused() {
        assertThatThrownBy(() -> table(BlockDevices.slice(disk, "nothing", 0, 0)))
                .isInstanceOf(UnsupportedFeatureException.class);
    }

    @Test
    void aTableWithAGapIsNone() {
        List<DeviceTable.Target> targets = List.of(DeviceTable.Target.zero(0, 8), DeviceTable.Target.zero(9, 8));

        assertThatThrownBy(() -> new DeviceTable(targets)).isInstanceOf(IllegalArgumentException.class);
    }
}
