package dev.platter.testkit;

import dev.platter.core.BlockDevices;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Nested;

/** Buffers as devices. */
class BytesDeviceContractTest {
    private static final int SIZE = 300_007;

    @Nested
    class ReadOnlyHeap extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            ByteBuffer bytes = ByteBuffer.wrap(TestBytes.of(0, SIZE)).asReadOnlyBuffer();
            return DeviceFixture.readOnly(BlockDevices.ofBytes("bytes", bytes), Contents.testBytes(SIZE))
                    .withoutIo();
        }
    }

    @Nested
    class WritableWindowOfDirectBuffer extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            ByteBuffer bytes =
                    ByteBuffer.allocateDirect(SIZE + 100).position(50).limit(SIZE + 50);
            TestBytes.fill(0, bytes.duplicate());
            return DeviceFixture.writable(BlockDevices.ofBytes("bytes", bytes), Contents.testBytes(SIZE))
                    .withoutIo();
        }
    }

    @Nested
    class Empty extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            return DeviceFixture.writable(BlockDevices.ofBytes("nothing", ByteBuffer.allocate(0)), Contents.zeros(0))
                    .withoutIo();
        }
    }
}
