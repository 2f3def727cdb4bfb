package dev.platter.testkit;

import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storages;
import java.io.IOException;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.io.TempDir;

/** Files, devices of the kernel, and raw images. */
class FileDeviceContractTest {
    private static final int SIZE = (5 << 20) + 77;

    /** Makes a file of test bytes for each test. */
    abstract static class OnFile extends BlockDeviceContract {
        @TempDir
        Path folder;

        Path file() throws IOException {
            return TempImages.raw(folder, "disk.raw", Contents.testBytes(SIZE));
        }
    }

    @Nested
    class ReadOnlyFile extends OnFile {
        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.readOnly(Storages.asDevice(Storages.open(file(), false)), Contents.testBytes(SIZE));
        }
    }

    @Nested
    class WritableFile extends OnFile {
        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.writable(Storages.asDevice(Storages.open(file(), true)), Contents.testBytes(SIZE));
        }
    }

    @Nested
    class RawImage extends OnFile {
        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.readOnly(DiskImages.open(file()), Contents.testBytes(SIZE));
        }
    }

    @Nested
    class WritableRawImage extends OnFile {
        @Override
        protected DeviceFixture open() throws IOException {
            OpenOptions options =
                    OpenOptions.builder().format("raw").writable(true).build();
            return DeviceFixture.writable(DiskImages.open(file(), options), Contents.testBytes(SIZE));
        }
    }

    @Nested
    class EmptyFile extends BlockDeviceContract {
        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.writable(
                    Storages.asDevice(Storages.open(TempImages.sparse(folder, "empty.raw", 0), true)),
                    Contents.zeros(0));
        }
    }

    @Nested
    class SparseFileBeyondFourGibibytes extends BlockDeviceContract {
        private static final long LARGE = (5L << 30) + 1;

        @TempDir
        Path folder;

        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.writable(
                    Storages.asDevice(Storages.open(TempImages.sparse(folder, "large.raw", LARGE), true)),
                    Contents.zeros(LARGE));
        }
    }

    /** Attaches a file of whole sectors as a loop device. */
    abstract static class OnLoop extends BlockDeviceContract {
        static final int LOOP_SIZE = 3 << 20;

        @TempDir
        Path folder;

        DeviceFixture openLoop(boolean writable, String... options) throws IOException {
            Path file = TempImages.raw(folder, "disk.raw", Contents.testBytes(LOOP_SIZE));
            LoopDevice loop = LoopDevice.attach(file, options);
            try {
                var device = Storages.asDevice(Storages.open(loop.path(), writable));
                Contents contents = Contents.testBytes(LOOP_SIZE);
                DeviceFixture fixture =
                        writable ? DeviceFixture.writable(device, contents) : DeviceFixture.readOnly(device, contents);
                return fixture.closing(loop);
            } catch (IOException e) {
                loop.close();
                throw e;
            }
        }
    }

    @Nested
    class ReadOnlyLoopDevice extends OnLoop {
        @Override
        protected DeviceFixture open() throws IOException {
            return openLoop(false, "--read-only");
        }
    }

    @Nested
    class WritableLoopDevice extends OnLoop {
        @Override
        protected DeviceFixture open() throws IOException {
            return openLoop(true);
        }
    }

    @Nested
    class LoopDeviceOf4096ByteSectors extends OnLoop {
        @Override
        protected DeviceFixture open() throws IOException {
            return openLoop(true, "--sector-size", "4096");
        }
    }

    @Nested
    class OwningViewOfFile extends OnFile {
        @Override
        protected DeviceFixture open() throws IOException {
            return DeviceFixture.writable(
                    BlockDevices.owning(Storages.asDevice(Storages.open(file(), true))), Contents.testBytes(SIZE));
        }
    }
}
