package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Limits;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Reads the partition table of a disk with each sector size, and opens what it lists. */
final class SeenTable {
    private static final int[] SECTOR_SIZES = {0, 512, 4096};

    private SeenTable() {}

    static void check(byte[] disk) {
        BlockDevice device =
                BlockDevices.ofBytes("fuzz.raw", ByteBuffer.wrap(disk).asReadOnlyBuffer());
        Promises.ofMetadata(disk.length).check(() -> {
            for (int sectorSize : SECTOR_SIZES) {
                see(device, PartitionTables.read(device, sectorSize, Limits.defaults()));
            }
        });
    }

    private static void see(BlockDevice device, PartitionTable table) {
        table.warnings().forEach(warning -> Promises.requireShowable(warning.text()));
        for (Partition partition : table.partitions()) {
            Promises.attempt(() -> read(device, partition));
        }
    }

    private static void read(BlockDevice device, Partition partition) throws IOException {
        try (BlockDevice opened = partition.open(device)) {
            if (opened.size() > device.size() - partition.start()) {
                throw new AssertionError(partition + " has more than the disk");
            }
            Promises.requireShowable(opened.description());
            ByteBuffer block = ByteBuffer.allocate((int) Math.min(512, opened.size()));
            opened.read(opened.size() - block.capacity(), block);
        }
    }
}
