package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;

/** The snippet of the README, kept compiling and true. */
class ReadmeTest {

    @Test
    void snippetListsAndOpensPartitions() throws IOException {
        BlockDevice disk = TestDisk.ofSectors(100).entry(0, 0, 0x83, 10, 20).device();
        var printed = new ByteArrayOutputStream();
        PrintStream out = new PrintStream(printed, true, StandardCharsets.UTF_8);

        PartitionTable table = PartitionTables.read(disk, 0, Limits.defaults());
        for (Partition partition : table.partitions()) {
            out.println(partition.number() + ": " + partition.size() + " bytes, " + partition.typeName());
            try (BlockDevice bytes = partition.open(disk)) {
                out.println(bytes.description());
            }
        }
        table.warnings().forEach(out::println);

        assertThat(printed.toString(StandardCharsets.UTF_8))
                .isEqualToNormalizingNewlines("1: 10240 bytes, Linux\ndisk > partition 1\n");
    }
}
