package dev.platter.cli;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Durability;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.BlockDeviceContract;
import dev.platter.testkit.Contents;
import dev.platter.testkit.DeviceFixture;
import dev.platter.testkit.RecordingDevice;
import dev.platter.testkit.RequestLog.Kind;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;

/** The devices that {@code platter nbd} puts over an image. */
final class NbdDevicesTest {
    private static final int SIZE = 300_000;

    private static BlockDevice memory(int size) throws IOException {
        return BlockDevices.ofBytes(
                "memory", ByteBuffer.wrap(Contents.testBytes(size).bytes(0, size)));
    }

    @Nested
    class ZeroDetectingContract extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = new ZeroDetectingDevice(memory(SIZE), true);
            return DeviceFixture.writable(device, Contents.testBytes(SIZE)).withoutIo();
        }
    }

    @Nested
    class DiscardIgnoringContract extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = new DiscardIgnoringDevice(memory(SIZE));
            return DeviceFixture.writable(device, Contents.testBytes(SIZE)).withoutIo();
        }
    }

    @Nested
    class UnmappedContract extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = new UnmappedDevice(memory(SIZE));
            return DeviceFixture.writable(device, Contents.testBytes(SIZE)).withoutIo();
        }
    }

    @Nested
    class DurabilityContract extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = new DurabilityDevice(memory(SIZE), Durability.FUA);
            return DeviceFixture.writable(device, Contents.testBytes(SIZE)).withoutIo();
        }
    }

    @Nested
    class WholeSectorsContract extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            BlockDevice device = new WholeSectorsDevice(BlockDevices.readOnly(memory(SIZE)));
            Contents whole = Contents.testBytes(SIZE).then(Contents.zeros(-SIZE & 511));
            return DeviceFixture.readOnly(device, whole).withoutIo();
        }
    }

    @Test
    void zerosAreFoundWhateverTheirLength() {
        for (int length : new int[] {1, 2, 511, 65_535, 65_536, 65_537, 200_000}) {
            ByteBuffer bytes = ByteBuffer.allocate(length);
            assertThat(ZeroDetectingDevice.isZero(bytes)).isTrue();
            assertThat(bytes.position()).isZero();
            for (int at : new int[] {0, length / 2, length - 1}) {
                assertThat(ZeroDetectingDevice.isZero(
                                ByteBuffer.allocate(length).put(at, (byte) 1)))
                        .as("%s of %s", at, length)
                        .isFalse();
            }
        }
    }

    @Test
    void onlyZerosBecomeZeros() throws IOException {
        RecordingDevice below = new RecordingDevice(memory(SIZE));
        BlockDevice device = new ZeroDetectingDevice(below, false);

        device.write(0, ByteBuffer.allocate(4096), Durability.NONE);
        device.write(4096, ByteBuffer.allocate(4096).put(4095, (byte) 1), Durability.NONE);

        assertThat(below.log().bytes(Kind.WRITE_ZEROES)).isEqualTo(4096);
        assertThat(below.log().bytes(Kind.WRITE)).isEqualTo(4096);
    }

    @Test
    void nothingIsDiscarded() throws IOException {
        RecordingDevice below = new RecordingDevice(memory(SIZE));
        BlockDevice device = new DiscardIgnoringDevice(new ForwardingDevice(below) {
            @Override
            public Features features() {
                return super.features().withTrim(true);
            }
        });

        device.discard(0, 4096);

        assertThat(device.features().trim()).isFalse();
        assertThat(below.log().bytes(Kind.DISCARD)).isZero();
    }

    @Test
    void zerosKeepTheirSpaceAndTheirHaste() throws IOException {
        ZeroMode[] asked = new ZeroMode[1];
        BlockDevice below = new ForwardingDevice(memory(SIZE)) {
            @Override
            public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) {
                asked[0] = mode;
            }
        };
        BlockDevice device = new DiscardIgnoringDevice(below);

        device.writeZeroes(0, 1, ZeroMode.MAY_UNMAP, Durability.NONE);
        assertThat(asked[0]).isEqualTo(ZeroMode.KEEP_ALLOCATION);
        device.writeZeroes(0, 1, ZeroMode.FAST_UNMAP, Durability.NONE);
        assertThat(asked[0]).isEqualTo(ZeroMode.FAST_KEEP);
    }

    @Test
    void everyWriteIsDurableOrNoneIs() throws IOException {
        RecordingDevice through = new RecordingDevice(memory(SIZE));
        BlockDevice device = new DurabilityDevice(through, Durability.FUA);
        device.discard(0, 512);
        device.flush();
        assertThat(through.log().count(Kind.FLUSH)).isEqualTo(2);

        RecordingDevice unsafe = new RecordingDevice(memory(SIZE));
        device = new DurabilityDevice(unsafe, Durability.NONE);
        device.discard(0, 512);
        device.flush();
        assertThat(unsafe.log().count(Kind.FLUSH)).isZero();
    }
}
