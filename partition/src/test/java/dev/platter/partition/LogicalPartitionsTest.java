package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.Limits;
import dev.platter.core.Warning;
import dev.platter.partition.Partition.Role;
import java.io.IOException;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class LogicalPartitionsTest {
    private static final int EXTENDED_START = 100;

    @ParameterizedTest
    @ValueSource(ints = {0x05, 0x0f, 0x85})
    void chainIsNumberedFromFive(int type) throws IOException {
        TestDisk disk = extended(0, type)
                .diskId(0xabcdL)
                .entry(100, 0, 0x83, 2, 10)
                .entry(100, 1, 0x05, 50, 20)
                .entry(150, 0, 0x82, 3, 10);

        PartitionTable table = disk.read();

        assertThat(table.warnings()).isEmpty();
        assertThat(table.partitions()).hasSize(3);
        assertThat(table.partitions().get(0).role()).isEqualTo(Role.EXTENDED);
        assertThat(table.partitions().get(1))
                .isEqualTo(new Partition(
                        5, 102 * 512, 10 * 512, "0x83", "Linux", null, "0000abcd-05", 0, "", false, Role.LOGICAL));
        assertThat(table.partitions().get(2).start()).isEqualTo(153 * 512);
    }

    @Test
    void linkLeadsBackwards() throws IOException {
        TestDisk disk = extended(0, 0x05)
                .entry(100, 0, 0x83, 2, 10)
                .entry(100, 1, 0x05, 500, 20)
                .entry(600, 0, 0x83, 1, 10)
                .entry(600, 1, 0x05, 50, 20)
                .entry(150, 0, 0x83, 1, 10);

        PartitionTable table = disk.read();

        assertThat(startSectors(table)).containsExactly(100L, 102L, 601L, 151L);
        assertThat(table.warnings()).isEmpty();
    }

    @Test
    void emptyFirstRecordTakesNoNumber() throws IOException {
        TestDisk disk = extended(0, 0x05).entry(100, 1, 0x05, 50, 20).entry(150, 0, 0x83, 1, 10);

        assertThat(disk.read().partitions()).extracting(Partition::number).containsExactly(1, 5);
    }

    @Test
    void linkMayStandInTheFirstEntry() throws IOException {
        TestDisk disk = extended(0, 0x05).entry(100, 0, 0x05, 50, 20).entry(150, 0, 0x83, 1, 10);

        assertThat(startSectors(disk.read())).containsExactly(100L, 151L);
    }

    @Test
    void extendedPartitionMayBeInAnySlotAndThereMayBeTwo() throws IOException {
        TestDisk disk = TestDisk.ofSectors(2000)
                .entry(0, 1, 0x05, 100, 400)
                .entry(0, 3, 0x0f, 1000, 500)
                .entry(100, 0, 0x83, 1, 10)
                .entry(1000, 0, 0x83, 1, 10);

        PartitionTable table = disk.read();

        assertThat(table.partitions()).extracting(Partition::number).containsExactly(2, 4, 5, 6);
        assertThat(texts(table)).containsExactly("partition 4: is a second extended partition");
    }

    @Test
    void loopEndsTheChainAndIsTold() throws IOException {
        TestDisk disk = extended(0, 0x05)
                .entry(100, 0, 0x83, 2, 10)
                .entry(100, 1, 0x05, 50, 20)
                .entry(150, 0, 0x83, 3, 10)
                .entry(150, 1, 0x05, 0, 20);

        PartitionTable table = disk.read();

        assertThat(table.partitions()).extracting(Partition::number).containsExactly(1, 5, 6);
        assertThat(texts(table))
                .containsExactly(
                        "extended boot record at sector 100: is linked to twice: the chain is a loop and ends here");
    }

    @Test
    void linkOutsideTheExtendedPartitionIsNotFollowed() throws IOException {
        TestDisk disk = extended(0, 0x05).entry(100, 0, 0x83, 2, 10).entry(100, 1, 0x05, 900, 20);

        PartitionTable table = disk.read();

        assertThat(startSectors(table)).containsExactly(100L, 102L);
        assertThat(texts(table))
                .singleElement()
                .asString()
                .contains("links to sector 1000, outside the extended partition");
    }

    @Test
    void recordBeyondTheEndOfTheDiskEndsTheChain() throws IOException {
        TestDisk disk = TestDisk.ofSectors(200)
                .entry(0, 0, 0x05, 100, 5000)
                .entry(100, 0, 0x83, 2, 10)
                .entry(100, 1, 0x05, 4000, 20);

        PartitionTable table = disk.read();

        assertThat(startSectors(table)).containsExactly(100L, 102L);
        assertThat(texts(table))
                .anySatisfy(text -> assertThat(text)
                        .isEqualTo("extended boot record at sector 4100: sector 4100 lies beyond the end of the disk"
                                + " (200 sectors of 512)"));
    }

    @Test
    void recordWithoutSignatureEndsTheChain() throws IOException {
        PartitionTable table = extended(0, 0x05).read();

        assertThat(startSectors(table)).containsExactly(100L);
        assertThat(texts(table))
                .containsExactly("extended boot record at sector 100: has no 55 AA at its end; the chain ends here");
    }

    @Test
    void extendedPartitionAtSectorZeroIsNotFollowed() throws IOException {
        PartitionTable table = TestDisk.ofSectors(200).entry(0, 0, 0x05, 0, 100).read();

        assertThat(table.partitions()).hasSize(1);
        assertThat(texts(table)).contains("partition 1: an extended partition at sector 0 is not followed");
    }

    @Test
    void dataOutsideTheExtendedPartitionIsIgnored() throws IOException {
        TestDisk disk = extended(0, 0x05).entry(100, 0, 0x83, 4_294_967_290L, 4_294_967_295L);

        PartitionTable table = disk.read();

        assertThat(startSectors(table)).containsExactly(100L);
        assertThat(texts(table)).singleElement().asString().contains("starts at sector 4294967390, outside");
    }

    @Test
    void dataThatEndsOutsideIsListedWithAWarning() throws IOException {
        PartitionTable table = extended(0, 0x05).entry(100, 0, 0x83, 2, 899).read();

        assertThat(startSectors(table)).containsExactly(100L, 102L);
        assertThat(texts(table)).containsExactly("partition 5: ends outside the extended partition");
    }

    @Test
    void samePartitionTwiceIsListedOnce() throws IOException {
        TestDisk disk = extended(0, 0x05)
                .entry(100, 0, 0x83, 60, 10)
                .entry(100, 1, 0x05, 50, 20)
                .entry(150, 0, 0x83, 10, 10);

        PartitionTable table = disk.read();

        assertThat(startSectors(table)).containsExactly(100L, 160L);
        assertThat(texts(table)).singleElement().asString().contains("starts at sector 160 like another partition");
    }

    @Test
    void thirdEntryIsBelievedOnlyIfItFits() throws IOException {
        TestDisk disk = extended(0, 0x05)
                .entry(100, 0, 0x83, 2, 10)
                .entry(100, 2, 0x83, 20, 10)
                .entry(100, 3, 0x83, 790, 100);

        PartitionTable table = disk.read();

        assertThat(startSectors(table)).containsExactly(100L, 102L, 120L);
        assertThat(texts(table)).singleElement().asString().contains("entry 4 does not fit and is ignored");
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 7})
    void limitIsTold(int limit) throws IOException {
        TestDisk disk = extended(0, 0x05);
        for (int i = 0; i < 20; i++) {
            disk.entry(100 + 10 * i, 0, 0x83, 1, 5).entry(100 + 10 * i, 1, 0x05, 10L * (i + 1), 10);
        }

        PartitionTable table = disk.read(Limits.defaults().withPartitions(limit));

        assertThat(table.partitions()).hasSize(1 + limit);
        assertThat(texts(table)).singleElement().asString().contains("longer than the limit of " + limit);
    }

    @Test
    void sectorsOf4096BytesCountInTheChainToo() throws IOException {
        TestDisk disk = TestDisk.ofSectors(300, 4096)
                .entry(0, 0, 0x05, 100, 100)
                .entry(100, 0, 0x83, 2, 10)
                .entry(100, 1, 0x05, 50, 20)
                .entry(150, 0, 0x83, 3, 10);

        PartitionTable table = PartitionTables.read(disk.device(), 4096, Limits.defaults());

        assertThat(table.partitions()).extracting(Partition::start).containsExactly(409600L, 102L * 4096, 153L * 4096);
    }

    /** A disk of 1100 sectors with an extended partition of 800 sectors. */
    private static TestDisk extended(int slot, int type) {
        return TestDisk.ofSectors(1100).entry(0, slot, type, EXTENDED_START, 800);
    }

    private static List<Long> startSectors(PartitionTable table) {
        return table.partitions().stream()
                .map(partition -> partition.start() / table.sectorSize())
                .toList();
    }

    private static List<String> texts(PartitionTable table) {
        return table.warnings().stream().map(Warning::text).toList();
    }
}
