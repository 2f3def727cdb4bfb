package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.Limits;
import dev.platter.core.Warning;
import java.io.IOException;
import java.math.BigInteger;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class GptReaderTest {
    private static final int SECTORS = 1000;
    private static final int LAST = SECTORS - 1;
    private static final long BEYOND_COUNTING = Long.MAX_VALUE / 512;

    @Test
    void entryBecomesAPartitionInBytes() throws IOException {
        PartitionTable table =
                disk().gptEntry(1, 100, 199, 1L << 2 | 1L << 60, "root ä€").read();

        assertThat(table.type()).isEqualTo("gpt");
        assertThat(table.id()).isEqualTo(TestDisk.DISK_GUID);
        assertThat(table.fromBackup()).isFalse();
        assertThat(table.warnings()).isEmpty();
        assertThat(table.partitions())
                .containsExactly(new Partition(
                        2,
                        51200,
                        51200,
                        TestDisk.LINUX,
                        "Linux filesystem",
                        "root ä€",
                        "AAAAAAAA-BBBB-CCCC-DDDD-000000000002",
                        1L << 2 | 1L << 60,
                        "LegacyBIOSBootable GUID:60",
                        true,
                        null));
    }

    @Test
    void firstAndLastEntryAreRead() throws IOException {
        PartitionTable table =
                disk().gptEntry(0, 34, 34, 0, "").gptEntry(127, 966, 966, 0, "").read();

        assertThat(table.partitions()).extracting(Partition::number).containsExactly(1, 128);
        assertThat(table.warnings()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({
        "0, ''",
        "7, 'RequiredPartition NoBlockIOProtocol LegacyBIOSBootable'",
        "0x8, ''",
        "0x0000800000000000, ''",
        "0x0001000000000000, 'GUID:48'",
        "0x9000000000000001, 'RequiredPartition GUID:60,63'",
    })
    void attributesAreSpelledLikeSfdiskDoes(String bits, String text) throws IOException {
        PartitionTable table = disk().gptEntry(0, 100, 199, new BigInteger(bits.replace("0x", ""), 16).longValue(), "")
                .read();

        assertThat(table.partitions().get(0).attributesText()).isEqualTo(text);
        assertThat(table.partitions().get(0).bootable()).isEqualTo(text.contains("LegacyBIOSBootable"));
    }

    @ParameterizedTest
    @CsvSource({"'', ", "'\ud800', '\ufffd'", "'a\udc00\ud800b', 'a\ufffd\ufffdb'", "'\ud83d\ude00', '\ud83d\ude00'"})
    void nameIsSafeToEncode(String name, String expected) throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "");
        for (int lba : new int[] {1, LAST}) {
            for (int i = 0; i < name.length(); i++) {
                disk.bytes().putChar(disk.entriesOf(lba) + 56 + 2 * i, name.charAt(i));
            }
            disk.seal(lba);
        }

        assertThat(disk.read().partitions().get(0).name()).isEqualTo(expected);
    }

    @Test
    void nameOf36UnitsEndsWithTheEntryAndControlsStayRaw() throws IOException {
        String full = "\u001b[2J" + "Z".repeat(32);

        PartitionTable table = disk().gptEntry(0, 100, 199, 0, full)
                .gptEntry(1, 200, 299, 0, "")
                .read();

        assertThat(table.partitions().get(0).name()).isEqualTo(full);
        assertThat(table.partitions().get(1).name()).isNull();
    }

    @ParameterizedTest
    @CsvSource({
        "0, header, 'primary GPT header at sector 1: has no signature \"EFI PART\"'",
        "60, header, 'primary GPT header at sector 1: checksum does not match'",
        "9, entries, 'primary GPT entries at sector 2: checksum does not match'",
    })
    void backupStandsInForADamagedPrimary(int at, String where, String reason) throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "kept");
        disk.bytes().put(where.equals("header") ? 512 + at : 1024 + at, (byte) 0x5a);

        PartitionTable table = disk.read();

        assertThat(table.fromBackup()).isTrue();
        assertThat(table.partitions()).extracting(Partition::name).containsExactly("kept");
        assertThat(texts(table)).containsExactly(reason, "GPT: only the backup copy can be read; it is used");
    }

    @Test
    void damagedBackupIsTold() throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "kept");
        disk.bytes().put(disk.at(LAST, 60), (byte) 0x5a);

        PartitionTable table = disk.read();

        assertThat(table.fromBackup()).isFalse();
        assertThat(texts(table))
                .containsExactly(
                        "backup GPT header at sector 999: checksum does not match",
                        "GPT: only the primary copy can be read; it is used");
    }

    @Test
    void primaryCountsWhereTheCopiesDiffer() throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "first");
        disk.bytes().putChar(disk.entriesOf(LAST) + 56, 'w');
        disk.seal(LAST);

        PartitionTable table = disk.read();

        assertThat(table.partitions().get(0).name()).isEqualTo("first");
        assertThat(texts(table))
                .containsExactly("GPT: the primary and the backup copy differ; the primary one is used");
    }

    @ParameterizedTest
    @CsvSource({
        "12, 91, 'header size is 91, allowed are 92..512'",
        "12, 513, 'header size is 513, allowed are 92..512'",
        "12, -1, 'header size is 4294967295, allowed are 92..512'",
        "80, 0, 'has no entries'",
        "80, -1, 'has 4294967295 entries of 128 bytes, the limit is 4194304 bytes'",
        "80, 32769, 'has 32769 entries of 128 bytes, the limit is 4194304 bytes'",
        "84, 0, 'entry size is 0, allowed are 128 times a power of two'",
        "84, 64, 'entry size is 64, allowed are 128 times a power of two'",
        "84, 192, 'entry size is 192, allowed are 128 times a power of two'",
        "84, -2147483648, 'has 128 entries of 2147483648 bytes, the limit is 4194304 bytes'",
    })
    void headerThatCannotBeUsedLeavesTheProtectiveMbr(int field, int value, String reason) throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "").gptInt(field, value);

        PartitionTable table = disk.read();

        assertThat(table.type()).isEqualTo("dos");
        assertThat(table.partitions())
                .singleElement()
                .satisfies(partition -> assertThat(partition.type()).isEqualTo("0xee"));
        assertThat(texts(table))
                .containsExactly(
                        "primary GPT header at sector 1: " + reason,
                        "backup GPT header at sector 999: " + reason,
                        "GPT: neither copy can be read; what is shown is the protective MBR");
    }

    @ParameterizedTest
    @ValueSource(longs = {1000, 969, Long.MAX_VALUE, -1, Long.MIN_VALUE})
    void entriesBeyondTheEndAreNotRead(long lba) throws IOException {
        PartitionTable table = disk().gptLong(72, lba).read();

        assertThat(table.type()).isEqualTo("dos");
        assertThat(texts(table)).contains("GPT: neither copy can be read; what is shown is the protective MBR");
    }

    @ParameterizedTest
    @ValueSource(ints = {256, 512})
    void largerEntriesAreRead(int entrySize) throws IOException {
        TestDisk disk = disk();
        disk.gptEntry(0, 100, 199, 0, "one").gptEntry(entrySize / 128, 200, 299, 0, "two");
        disk.gptInt(80, 128 * 128 / entrySize).gptInt(84, entrySize);

        PartitionTable table = disk.read();

        assertThat(table.warnings()).isEmpty();
        assertThat(table.partitions()).extracting(Partition::number).containsExactly(1, 2);
    }

    @Test
    void limitOfTableBytesHoldsForTheEntries() throws IOException {
        PartitionTable table = disk().read(Limits.defaults().withTableBytes(128 * 128 - 1));

        assertThat(table.type()).isEqualTo("dos");
        assertThat(texts(table))
                .contains("primary GPT header at sector 1: has 128 entries of 128 bytes, the limit is 16383 bytes");
    }

    @Test
    void limitOfPartitionsIsTold() throws IOException {
        TestDisk disk =
                disk().gptEntry(0, 100, 109, 0, "").gptEntry(5, 110, 119, 0, "").gptEntry(9, 120, 129, 0, "");

        PartitionTable table = disk.read(Limits.defaults().withPartitions(2));

        assertThat(table.partitions()).extracting(Partition::number).containsExactly(1, 6);
        assertThat(texts(table))
                .containsExactly(
                        "GPT entries: more partitions than the limit of 2; those from number 10 are not shown");
    }

    @ParameterizedTest
    @CsvSource({
        "900, 100, 900, 0, 'partition 1: ends before it starts (sectors 900..100)'",
        "1, -1, 1, 0, 'partition 1: ends beyond what a disk can have (sectors 1..18446744073709551615)'",
        "500, 1999, 500, 1500, 'partition 1: ends at 1024000, beyond the end of the disk (512000 bytes)'",
        "2000, 2001, 2000, 2, 'partition 1: starts at 1024000, beyond the end of the disk (512000 bytes)'",
        "0, 0, 0, 1, 'partition 1: sectors 0..0 leave the usable ones, 34..966'",
        "960, 967, 960, 8, 'partition 1: sectors 960..967 leave the usable ones, 34..966'",
    })
    void oddRangeIsShownWithAWarning(long first, long last, long start, long count, String warning) throws IOException {
        PartitionTable table = disk().gptEntry(0, first, last, 0, "").read();

        assertThat(table.partitions()).singleElement().satisfies(partition -> {
            assertThat(partition.start()).isEqualTo(start * 512);
            assertThat(partition.size()).isEqualTo(count * 512);
        });
        assertThat(texts(table)).containsExactly(warning);
    }

    @ParameterizedTest
    @CsvSource({"-1, -1", "-9223372036854775808, -1", "36028797018963968, 36028797018963968", "1, 18014398509481983"})
    void rangeThatBytesCannotCountHasNoLength(long first, long last) throws IOException {
        PartitionTable table = disk().gptEntry(0, first, last, 0, "").read();

        assertThat(table.partitions())
                .singleElement()
                .satisfies(partition -> assertThat(partition.size()).isZero());
        assertThat(table.warnings()).isNotEmpty();
    }

    @Test
    void lastCountableSectorHasItsLength() throws IOException {
        PartitionTable table =
                disk().gptEntry(0, 100, BEYOND_COUNTING - 1, 0, "").read();

        Partition partition = table.partitions().get(0);
        assertThat(partition.start() + partition.size()).isEqualTo(BEYOND_COUNTING * 512);
    }

    @Test
    void twinsOfOneUniqueIdAreTold() throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "").gptEntry(3, 200, 299, 0, "");
        for (int lba : new int[] {1, LAST}) {
            disk.bytes().put(disk.entriesOf(lba) + 3 * 128 + 31, (byte) 1);
            disk.seal(lba);
        }

        assertThat(texts(disk.read())).containsExactly("partition 4: has the same unique id as partition 1");
    }

    @Test
    void grownDiskShowsWhereTheBackupIs() throws IOException {
        TestDisk small = disk().gptEntry(0, 100, 199, 0, "");
        TestDisk grown = TestDisk.ofSectors(2000);
        grown.bytes().put(0, small.bytes(), 0, small.bytes().capacity());

        PartitionTable table = grown.read();

        assertThat(table.type()).isEqualTo("gpt");
        assertThat(table.fromBackup()).isFalse();
        assertThat(texts(table))
                .containsExactly(
                        "protective MBR: covers 999 sectors, there are 1999 behind it",
                        "primary GPT header: says that the backup lies at sector 999, not at the last, 1999");
    }

    @Test
    void cutOffDiskShowsWhatThePrimarySays() throws IOException {
        TestDisk whole = disk().gptEntry(0, 100, 199, 0, "here").gptEntry(1, 800, 899, 0, "gone");
        TestDisk cut = TestDisk.ofSectors(500);
        cut.bytes().put(0, whole.bytes(), 0, cut.bytes().capacity());

        PartitionTable table = cut.read();

        assertThat(table.type()).isEqualTo("gpt");
        assertThat(table.partitions()).extracting(Partition::name).containsExactly("here", "gone");
        assertThat(texts(table))
                .contains(
                        "primary GPT header: last usable sector 966 lies beyond the end of the disk (500 sectors):"
                                + " the disk was cut off",
                        "partition 2: starts at 409600, beyond the end of the disk (256000 bytes)");
    }

    @Test
    void copyThatFitsTheDiskCountsBeforeThePrimary() throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "kept").gptLong(1, 48, 5000);

        PartitionTable table = disk.read();

        assertThat(table.fromBackup()).isTrue();
        assertThat(texts(table)).contains("GPT: the primary and the backup copy differ; the backup one is used");
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 3})
    void hybridMbrIsIgnored(int slot) throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "");
        disk.entry(0, 0, 0x0c, 100, 100).entry(0, 3, 0x83, 300, 100).entry(0, slot, 0xee, 1, 33);

        PartitionTable table = disk.read();

        assertThat(table.type()).isEqualTo("gpt");
        assertThat(table.partitions()).hasSize(1);
        assertThat(table.warnings()).isEmpty();
    }

    @Test
    void headerWithoutAnySignatureInTheFirstSectorIsToldAndIgnored() throws IOException {
        TestDisk disk = disk().gptEntry(0, 100, 199, 0, "");
        disk.bytes().putShort(510, (short) 0);

        PartitionTable table = disk.read();

        assertThat(table.type()).isNull();
        assertThat(texts(table))
                .containsExactly(
                        "GPT: the header at sector 1 is ignored, because the first sector does not end in 55 AA");
    }

    @Test
    void warningsOfAHostileTableAreCounted() throws IOException {
        TestDisk disk = disk();
        for (int i = 0; i < 128; i++) {
            disk.gptEntry(i, 900, 100, 0, "");
        }

        PartitionTable table = disk.read();

        assertThat(table.warnings()).hasSize(101);
        assertThat(table.warnings().get(100).text()).isEqualTo("partition table: 28 more warnings are not shown");
    }

    private static TestDisk disk() {
        return TestDisk.ofSectors(SECTORS).gpt();
    }

    private static List<String> texts(PartitionTable table) {
        return table.warnings().stream().map(Warning::text).toList();
    }
}
