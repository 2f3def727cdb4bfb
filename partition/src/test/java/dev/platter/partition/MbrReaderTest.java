package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.Limits;
import dev.platter.core.Warning;
import dev.platter.partition.Partition.Role;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class MbrReaderTest {

    @Test
    void entryBecomesAPartitionInBytes() throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).diskId(0x38ba5c5cL).entry(0, 0, 0x83, 63, 10);
        disk.flag(0, 0x80);

        PartitionTable table = disk.read();

        assertThat(table.type()).isEqualTo("dos");
        assertThat(table.id()).isEqualTo("0x38ba5c5c");
        assertThat(table.sectorSize()).isEqualTo(512);
        assertThat(table.fromBackup()).isFalse();
        assertThat(table.warnings()).isEmpty();
        assertThat(table.partitions())
                .containsExactly(new Partition(
                        1, 63 * 512, 10 * 512, "0x83", "Linux", null, "38ba5c5c-01", 0, "", true, Role.PRIMARY));
    }

    @Test
    void numbersFollowSlotsAndKeepGaps() throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).entry(0, 3, 0x83, 10, 10).entry(0, 1, 0x0b, 50, 10);

        assertThat(disk.read().partitions()).extracting(Partition::number).containsExactly(2, 4);
    }

    @Test
    void diskIdZeroGivesNoPartitionUuid() throws IOException {
        PartitionTable table = TestDisk.ofSectors(100).entry(0, 0, 0x83, 10, 10).read();

        assertThat(table.id()).isEqualTo("0x00000000");
        assertThat(table.partitions().get(0).uuid()).isNull();
    }

    @Test
    void signatureWithoutEntriesIsAnEmptyTable() throws IOException {
        PartitionTable table = TestDisk.ofSectors(1).sign(0).read();

        assertThat(table.type()).isEqualTo("dos");
        assertThat(table.partitions()).isEmpty();
        assertThat(table.warnings()).isEmpty();
    }

    @Test
    void zerosAreNoTable() throws IOException {
        PartitionTable table = TestDisk.ofSectors(100).read();

        assertThat(table).isEqualTo(new PartitionTable(null, null, 512, false, List.of(), table.warnings()));
        assertThat(table.warnings()).isEmpty();
    }

    @Test
    void typeZeroWithALengthIsListed() throws IOException {
        PartitionTable table = TestDisk.ofSectors(100).entry(0, 0, 0, 10, 10).read();

        assertThat(table.partitions())
                .singleElement()
                .satisfies(partition -> assertThat(partition.type()).isEqualTo("0x00"));
    }

    @Test
    void typeWithoutALengthIsListedWithAWarning() throws IOException {
        PartitionTable table = TestDisk.ofSectors(100).entry(0, 0, 0x83, 10, 0).read();

        assertThat(table.partitions())
                .singleElement()
                .satisfies(partition -> assertThat(partition.size()).isZero());
        assertThat(table.warnings()).containsExactly(new Warning(446, "partition 1: has no length"));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 0x7f, 0x81, 0xff})
    void unknownBootFlagMeansNoTable(int flag) throws IOException {
        PartitionTable table =
                TestDisk.ofSectors(100).entry(0, 2, 0x83, 10, 10).flag(2, flag).read();

        assertThat(table.type()).isNull();
        assertThat(table.warnings())
                .singleElement()
                .satisfies(warning -> assertThat(warning.text())
                        .contains("the boot flag of entry 3 is " + String.format("0x%02x", flag)));
    }

    @ParameterizedTest
    @CsvSource({
        "90, 10,                  ",
        "90, 11,                  'partition 1: ends at 51712, beyond the end of the disk (51200 bytes)'",
        "99, 4294967295,          'partition 1: ends at 2199023305728, beyond the end of the disk (51200 bytes)'",
        "100, 1,                  'partition 1: starts at 51200, beyond the end of the disk (51200 bytes)'",
        "4294967295, 4294967295,  'partition 1: starts at 2199023255040, beyond the end of the disk (51200 bytes)'",
        "0, 100,                  'partition 1: starts at sector 0 and covers the table'",
    })
    void partitionIsReportedUnchangedWithAWarning(long start, long count, String warning) throws IOException {
        PartitionTable table =
                TestDisk.ofSectors(100).entry(0, 0, 0x83, start, count).read();

        assertThat(table.partitions()).singleElement().satisfies(partition -> {
            assertThat(partition.start()).isEqualTo(start * 512);
            assertThat(partition.size()).isEqualTo(count * 512);
        });
        if (warning == null) {
            assertThat(table.warnings()).isEmpty();
        } else {
            assertThat(table.warnings()).extracting(Warning::text).containsExactly(warning);
        }
    }

    @Test
    void overlapIsToldAndTouchingIsNot() throws IOException {
        TestDisk disk = TestDisk.ofSectors(100)
                .entry(0, 0, 0x83, 50, 10)
                .entry(0, 1, 0x83, 40, 10)
                .entry(0, 2, 0x83, 59, 10);

        assertThat(disk.read().warnings())
                .extracting(Warning::text)
                .containsExactly("partition 3: overlaps partition 1");
    }

    @Test
    void sectorsOf4096BytesScaleTheEntries() throws IOException {
        TestDisk disk = TestDisk.ofSectors(100, 4096).entry(0, 0, 0x83, 10, 5);

        PartitionTable table = PartitionTables.read(disk.device(), 4096, Limits.defaults());

        assertThat(table.sectorSize()).isEqualTo(4096);
        assertThat(table.partitions().get(0).start()).isEqualTo(40960);
        assertThat(table.partitions().get(0).size()).isEqualTo(20480);
    }

    @Test
    void gptHeaderUnderAPlainMbrIsToldAndIgnored() throws IOException {
        TestDisk disk = TestDisk.ofSectors(200).gpt().gptEntry(0, 40, 50, 0, "");
        disk.entry(0, 0, 0x83, 60, 10);

        PartitionTable table = disk.read();

        assertThat(table.type()).isEqualTo("dos");
        assertThat(table.partitions()).extracting(Partition::start).containsExactly(60L * 512);
        assertThat(table.warnings())
                .extracting(Warning::text)
                .containsExactly("GPT: the header at sector 1 is ignored, because the MBR has no entry of type 0xee");
    }
}
