package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The snippets of the READMEs of core and testkit. */
class ReadmeTest {

    @Nested
    class PartitionContractTest extends BlockDeviceContract {
        @Override
        protected DeviceFixture open() {
            BlockDevice disk = BlockDevices.ofBytes("disk", ByteBuffer.wrap(TestBytes.of(0, 8192)));
            BlockDevice partition = BlockDevices.slice(disk, "partition 1", 1024, 4096);
            return DeviceFixture.writable(partition, Contents.testBytes(8192).slice(1024, 4096))
                    .withoutIo();
        }
    }

    @Test
    void sectorOfAPartitionIsReadFromAnImage(@TempDir Path folder) throws IOException {
        Path file = TempImages.raw(folder, "guest.img", Contents.testBytes(102 << 20));

        try (DiskImage image = DiskImages.open(file)) {
            BlockDevice partition = BlockDevices.slice(image, "partition 1", 1 << 20, 100 << 20);
            ByteBuffer sector = ByteBuffer.allocate(512);
            partition.read(0, sector);

            Contents.testBytes(102 << 20).assertMatch(1 << 20, sector, "first sector of the partition");
        }
    }
}
