package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Storages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** Views, upon views, upon views. */
class ViewDeviceContractTest {
    private static final int SIZE = 200_003;

    private static BlockDevice bytes(long offset, int length) {
        return BlockDevices.ofBytes("bytes", ByteBuffer.wrap(TestBytes.of(offset, length)));
    }

    @Nested
    class SliceOfSliceOfFile extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            Path file = TempImages.raw(folder, "disk.raw", Contents.testBytes(SIZE));
            BlockDevice whole = Storages.asDevice(Storages.open(file, true));
            BlockDevice outer = BlockDevices.slice(whole, "partition 1", 1000, SIZE - 1500);
            BlockDevice inner = BlockDevices.slice(outer, "partition 5", 17, SIZE - 2000);
            return DeviceFixture.writable(inner, Contents.testBytes(SIZE).slice(1017, SIZE - 2000))
                    .closing(whole, outer);
        }
    }

    @Nested
    class ReadOnlyViewOfFile extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            Path file = TempImages.raw(folder, "disk.raw", Contents.testBytes(SIZE));
            BlockDevice whole = Storages.asDevice(Storages.open(file, true));
            return DeviceFixture.readOnly(BlockDevices.readOnly(whole), Contents.testBytes(SIZE))
                    .closing(whole);
        }
    }

    @Nested
    class ConcatWithEmptyAndTinyParts extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            List<BlockDevice> parts = List.of(
                    bytes(0, 0),
                    bytes(0, 1),
                    bytes(0, 0),
                    bytes(0, 0),
                    bytes(1, 9_999),
                    bytes(10_000, SIZE - 10_000),
                    bytes(0, 0));
            return DeviceFixture.writable(BlockDevices.concat("joined", parts), Contents.testBytes(SIZE))
                    .withoutIo();
        }
    }

    @Nested
    class ConcatOfReadOnlyAndWritable extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            List<BlockDevice> parts = List.of(bytes(0, 5_000), BlockDevices.readOnly(bytes(5_000, SIZE - 5_000)));
            return DeviceFixture.readOnly(BlockDevices.concat("joined", parts), Contents.testBytes(SIZE))
                    .withoutIo();
        }
    }

    @Nested
    class SliceAcrossConcatOfFiles extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            Contents all = Contents.testBytes(SIZE);
            Path first = TempImages.raw(folder, "one.raw", all.slice(0, 70_000));
            Path second = TempImages.raw(folder, "two.raw", all.slice(70_000, SIZE - 70_000));
            BlockDevice one = Storages.asDevice(Storages.open(first, true));
            BlockDevice two = Storages.asDevice(Storages.open(second, true));
            BlockDevice joined = BlockDevices.concat("joined", List.of(one, two));
            BlockDevice slice = BlockDevices.slice(joined, "middle", 60_000, 20_000);
            return DeviceFixture.writable(slice, all.slice(60_000, 20_000)).closing(one, two, joined);
        }
    }

    @Nested
    class DeviceAsStorageAsDevice extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.readOnly(Storages.asDevice(Storages.of(bytes(0, SIZE))), Contents.testBytes(SIZE))
                    .withoutIo();
        }
    }

    @Nested
    class HugeConcatOfZeros extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            List<BlockDevice> parts = List.of(new ZeroDevice(Long.MAX_VALUE - 1), new ZeroDevice(1));
            return DeviceFixture.readOnly(BlockDevices.concat("zeros", parts), Contents.zeros(Long.MAX_VALUE))
                    .withoutIo();
        }
    }
}
