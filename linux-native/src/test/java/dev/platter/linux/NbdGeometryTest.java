package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.nbd.client.ExportDetails;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.Test;

class NbdGeometryTest {
    private static BlockDevice device(int size) {
        return BlockDevices.ofBytes("disk", ByteBuffer.allocate(size));
    }

    private static BlockDevice with(Features features) {
        return new ForwardingDevice(device(8192)) {
            @Override
            public Features features() {
                return features;
            }
        };
    }

    @Test
    void aWritableDeviceTakesFlushFuaTrimAndZeroes() throws BlockIOException {
        NbdGeometry geometry = NbdGeometry.of(device(8192));

        assertThat(geometry.size()).isEqualTo(8192);
        assertThat(geometry.blockSize()).isEqualTo(512);
        assertThat(TransmissionFlags.describe(geometry.flags())).isEqualTo("flush fua trim zeroes multi");
    }

    @Test
    void aReadOnlyDeviceTakesNoChanges() throws BlockIOException {
        NbdGeometry geometry = NbdGeometry.of(BlockDevices.readOnly(device(8192)));

        assertThat(geometry.isReadOnly()).isTrue();
        assertThat(TransmissionFlags.describe(geometry.flags())).isEqualTo("readonly flush fua multi");
    }

    @Test
    void thereIsOneConnectionWhereAFlushDoesNotCoverOthers() throws BlockIOException {
        Features features = new Features(false, true, false, false, false, 0, 1, 4096, 1 << 20, false, false);

        assertThat(NbdGeometry.of(with(features)).connections(4)).isEqualTo(1);
        assertThat(NbdGeometry.of(device(8192)).connections(4)).isEqualTo(4);
    }

    @Test
    void blocksAreAsLargeAsTheDeviceNeeds() throws BlockIOException {
        assertThat(NbdGeometry.of(with(Features.ofWritable().withLogicalSectorSize(4096)))
                        .blockSize())
                .isEqualTo(4096);
    }

    @Test
    void aSizeThatIsNoMultipleOfASectorIsRefusedNotCut() {
        assertThatThrownBy(() -> NbdGeometry.of(device(1000)))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("disk: has 1000 bytes, which is no multiple of its blocks of 512 bytes");
    }

    @Test
    void anEmptyDeviceIsRefused() {
        assertThatThrownBy(() -> NbdGeometry.of(device(0))).isInstanceOf(BlockIOException.class);
    }

    @Test
    void blocksLargerThanAPageAreRefused() {
        ExportDetails export = new ExportDetails("", "", 1 << 20, 1, new BlockSizes(65536, 65536, 1 << 25), List.of());

        assertThatThrownBy(() -> NbdGeometry.of("nbd://host", export))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("nbd://host: has blocks of 65536 bytes");
    }

    @Test
    void flagsThatTheKernelDoesNotKnowAreLeftOut() throws BlockIOException {
        ExportDetails export = new ExportDetails("", "", 1 << 20, 0xffff, null, List.of());

        assertThat(TransmissionFlags.describe(
                        NbdGeometry.of("nbd://host", export).flags()))
                .isEqualTo("readonly flush fua rotational trim zeroes multi");
    }

    @Test
    void anExportCanBeBoundForReadingOnly() throws BlockIOException {
        ExportDetails export = new ExportDetails("", "", 1 << 20, 0x6d, null, List.of());

        assertThat(TransmissionFlags.describe(
                        NbdGeometry.of("nbd://host", export).asReadOnly().flags()))
                .isEqualTo("readonly flush fua");
    }
}
