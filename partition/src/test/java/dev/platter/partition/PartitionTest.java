package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.CorruptImageException;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PartitionTest {
    private static final int SIZE = 4096;

    @ParameterizedTest
    @CsvSource({
        "0, 4096, 4096",
        "512, 1024, 1024",
        "3584, 512, 512",
        "3584, 513, 512",
        "4095, 9223372036854771712, 1",
        "1024, 0, 0",
    })
    void openedPartitionIsCutOffAtTheEndOfTheDisk(long start, long size, int seen) throws IOException {
        try (BlockDevice disk = disk();
                BlockDevice opened = partition(start, size).open(disk)) {
            ByteBuffer bytes = ByteBuffer.allocate(seen);
            opened.read(0, bytes);

            assertThat(opened.size()).isEqualTo(seen);
            assertThat(opened.description()).isEqualTo("disk > partition 3");
            assertThat(bytes.array()).isEqualTo(TestBytes.of(start, seen));
        }
    }

    @ParameterizedTest
    @CsvSource({"4096, 0", "4096, 1", "9223372036854775807, 0"})
    void partitionBeyondTheEndCannotBeOpened(long start, long size) {
        assertThatThrownBy(() -> partition(start, size).open(disk()))
                .isInstanceOf(CorruptImageException.class)
                .hasMessage("disk: partition 3 starts at %d, beyond the end of the disk (4096 bytes)".formatted(start));
    }

    @Test
    void closingAPartitionLeavesTheDiskOpen() throws IOException {
        BlockDevice disk = disk();

        partition(0, 512).open(disk).close();

        disk.read(0, ByteBuffer.allocate(1));
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 0", "1, -1, 0", "1, 0, -1", "1, 1, 9223372036854775807"})
    void impossibleNumbersAreRefused(int number, long start, long size) {
        assertThatThrownBy(() -> new Partition(
                        number, start, size, "0x83", "Linux", null, null, 0, "", false, Partition.Role.PRIMARY))
                .isInstanceOf(IllegalArgumentException.class);
    }

    private static Partition partition(long start, long size) {
        return new Partition(3, start, size, "0x83", "Linux", null, null, 0, "", false, Partition.Role.PRIMARY);
    }

    private static BlockDevice disk() {
        return BlockDevices.ofBytes("disk", ByteBuffer.wrap(TestBytes.of(0, SIZE)));
    }
}
