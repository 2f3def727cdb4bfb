package dev.platter.partition;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.Limits;
import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PartitionTablesTest {

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 511})
    void deviceShorterThanASectorHasNoTable(int size) throws IOException {
        BlockDevice disk = BlockDevices.ofBytes("disk", ByteBuffer.allocate(size));

        PartitionTable table = PartitionTables.read(disk, 0, Limits.defaults());

        assertThat(table.type()).isNull();
        assertThat(table.partitions()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {-1, 1, 1024, 8192})
    void sectorSizeOfTheCallerIsChecked(int size) {
        assertThatThrownBy(() -> PartitionTables.read(TestDisk.ofSectors(1).device(), size, Limits.defaults()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("sectorSize: " + size + " is neither 0, 512 nor 4096");
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void sectorSizeOfAGptIsDetected(int size) throws IOException {
        PartitionTable table =
                TestDisk.ofSectors(100, size).gpt().gptEntry(0, 40, 49, 0, "").read();

        assertThat(table.sectorSize()).isEqualTo(size);
        assertThat(table.warnings()).isEmpty();
        assertThat(table.partitions().get(0).start()).isEqualTo(40L * size);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, 4096})
    void sectorSizeIsDetectedByTheBackupAlone(int size) throws IOException {
        TestDisk disk = TestDisk.ofSectors(100, size).gpt().gptEntry(0, 40, 49, 0, "");
        disk.text(size, "NO");

        PartitionTable table = disk.read();

        assertThat(table.sectorSize()).isEqualTo(size);
        assertThat(table.fromBackup()).isTrue();
    }

    @ParameterizedTest
    @CsvSource({"0, 4096", "512, 512"})
    void sizeStatedByTheCallerCountsBeforeThatOfTheDisk(int stated, int used) throws IOException {
        TestDisk disk = TestDisk.ofSectors(1000).entry(0, 0, 0x83, 10, 10);
        BlockDevice large = new ForwardingDevice(disk.device()) {
            @Override
            public Features features() {
                return super.features().withLogicalSectorSize(4096);
            }
        };

        PartitionTable table = PartitionTables.read(large, stated, Limits.defaults());

        assertThat(table.sectorSize()).isEqualTo(used);
        assertThat(table.partitions().get(0).start()).isEqualTo(10L * used);
    }

    @Test
    void firstSectorThatCannotBeReadIsAnError() {
        BlockDevice disk = failing(TestDisk.ofSectors(100), 0, 1);

        assertThatThrownBy(() -> PartitionTables.read(disk, 0, Limits.defaults()))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("medium");
    }

    @Test
    void primaryHeaderThatCannotBeReadLeavesTheBackup() throws IOException {
        BlockDevice disk = failing(TestDisk.ofSectors(100).gpt().gptEntry(0, 40, 49, 0, ""), 512, 1);

        PartitionTable table = PartitionTables.read(disk, 0, Limits.defaults());

        assertThat(table.fromBackup()).isTrue();
        assertThat(table.partitions()).hasSize(1);
        assertThat(table.warnings())
                .extracting(Warning::text)
                .anySatisfy(text -> assertThat(text).startsWith("primary GPT header: cannot be read: disk: medium"));
    }

    @Test
    void extendedRecordThatCannotBeReadLeavesThePrimaryPartitions() throws IOException {
        TestDisk disk = TestDisk.ofSectors(200).entry(0, 0, 0x83, 10, 10).entry(0, 1, 0x05, 100, 50);

        PartitionTable table = PartitionTables.read(failing(disk, 100 * 512, 1), 0, Limits.defaults());

        assertThat(table.partitions()).extracting(Partition::number).containsExactly(1, 2);
        assertThat(table.warnings()).singleElement().asString().contains("cannot be read");
    }

    @Test
    void closedDiskIsAnErrorAndNotAFinding() throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).gpt();
        BlockDevice closing = new ForwardingDevice(disk.device()) {
            @Override
            public void read(long offset, ByteBuffer into) throws IOException {
                super.read(offset, into);
                device.close();
            }
        };

        assertThatThrownBy(() -> PartitionTables.read(closing, 0, Limits.defaults()))
                .isInstanceOf(ClosedChannelException.class);
    }

    @ParameterizedTest
    @CsvSource({
        "exFAT, 3, 'EXFAT   '",
        "NTFS, 3, 'NTFS    '",
        "BitLocker, 3, '-FVE-FS-'",
        "FAT, 3, 'mkfs.fat'",
    })
    void bootSectorOfAFileSystemIsNoTable(String name, int at, String magic) throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).text(at, magic).sign(0);
        parameterBlock(disk.bytes(), name);

        PartitionTable bare = disk.read();
        PartitionTable withEntries = disk.entry(0, 0, 0x83, 10, 10).read();

        assertThat(bare.type()).isNull();
        assertThat(bare.warnings()).isEmpty();
        assertThat(withEntries.type()).isNull();
        assertThat(withEntries.warnings())
                .singleElement()
                .asString()
                .isEqualTo("MBR: the first sector is the boot sector of a file system (" + name
                        + "); its partition entries are ignored");
    }

    @ParameterizedTest
    @ValueSource(strings = {"exFAT", "NTFS", "FAT"})
    void magicWithoutAParameterBlockIsATable(String name) throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).entry(0, 0, 0x83, 10, 10);
        disk.text(3, name.equals("exFAT") ? "EXFAT   " : name.equals("NTFS") ? "NTFS    " : "MSDOS5.0");

        assertThat(disk.read().type()).isEqualTo("dos");
    }

    /** FAT12/16 keep their counts in 16 bits, FAT32 in 32; a block that has neither is none, whatever else it says. */
    @ParameterizedTest
    @CsvSource({
        "19, 0, 32, 100, true",
        "22, 0, 36, 100, true",
        "19, 0, 32, 0, false",
        "22, 0, 36, 0, false",
        "11, 0, 32, 0, false",
        "11, 8192, 32, 0, false",
        "14, 0, 32, 0, false",
    })
    void fatNeedsEveryFieldOfItsParameterBlock(int at, int value, int largeAt, int large, boolean isFat)
            throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).text(3, "mkfs.fat").entry(0, 0, 0x83, 10, 10);
        parameterBlock(disk.bytes(), "FAT");
        disk.bytes().putShort(at, (short) value).putInt(largeAt, large);

        assertThat(disk.read().type()).isEqualTo(isFat ? null : "dos");
    }

    @ParameterizedTest
    @CsvSource({"0xf0, true", "0xf8, true", "0xff, true", "0xef, false", "0xf7, false"})
    void fatNeedsAMediaByteOfADisk(String media, boolean isFat) throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).text(3, "mkfs.fat").entry(0, 0, 0x83, 10, 10);
        parameterBlock(disk.bytes(), "FAT");
        disk.bytes().put(21, Integer.decode(media).byteValue());

        assertThat(disk.read().type()).isEqualTo(isFat ? null : "dos");
    }

    @ParameterizedTest
    @CsvSource({"9, 1, true", "12, 2, true", "8, 1, false", "13, 1, false", "9, 0, false", "9, 3, false"})
    void exfatNeedsASectorSizeAndOneOrTwoFats(int shift, int fats, boolean isExfat) throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).text(3, "EXFAT   ").entry(0, 0, 0x83, 10, 10);
        disk.bytes().put(108, (byte) shift).put(110, (byte) fats);

        assertThat(disk.read().type()).isEqualTo(isExfat ? null : "dos");
    }

    @Test
    void protectiveEntryByChanceInABootSectorIsNoTable() throws IOException {
        TestDisk disk = TestDisk.ofSectors(100).text(3, "NTFS    ").entry(0, 0, 0xee, 1, 99);
        parameterBlock(disk.bytes(), "NTFS");

        PartitionTable table = disk.read();

        assertThat(table.type()).isNull();
        assertThat(table.warnings()).isEmpty();
    }

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 2, 3})
    void lvmLabelUnderAnEmptyMbrIsNoTable(int sector) throws IOException {
        TestDisk disk = TestDisk.ofSectors(8).sign(0);
        disk.text(sector * 512, "LABELONE").text(sector * 512 + 24, "LVM2 001");

        assertThat(disk.read().type()).isNull();
        assertThat(disk.entry(0, 0, 0x83, 4, 4).read().type()).isEqualTo("dos");
    }

    @Test
    void lvmLabelInTheFifthSectorDoesNotCount() throws IOException {
        TestDisk disk = TestDisk.ofSectors(8).sign(0).text(4 * 512, "LABELONE").text(4 * 512 + 24, "LVM2 001");

        assertThat(disk.read().type()).isEqualTo("dos");
    }

    @ParameterizedTest
    @ValueSource(strings = {"aix", "bsd", "mac", "sgi", "sun"})
    void otherTablesAreNamed(String type) throws IOException {
        TestDisk disk = TestDisk.ofSectors(16);
        ByteBuffer big = disk.bytes().duplicate().order(ByteOrder.BIG_ENDIAN);
        switch (type) {
            case "aix" -> big.putInt(0, 0xc9c2d4c1);
            case "bsd" -> disk.bytes().putInt(512, 0x82564557).putInt(512 + 132, 0x82564557);
            case "mac" ->
                big.putShort(0, (short) 0x4552).putShort(2, (short) 512).putShort(512, (short) 0x504d);
            case "sgi" -> big.putInt(0, 0x0be5a941).putInt(504, -0x0be5a941);
            default -> big.putShort(508, (short) 0xdabe).putShort(510, (short) 0xdabe);
        }

        PartitionTable table = disk.read();

        assertThat(table.type()).isEqualTo(type);
        assertThat(table.partitions()).isEmpty();
        assertThat(table.warnings())
                .singleElement()
                .asString()
                .isEqualTo("partition table: is of type " + type + ", whose partitions are not read");
    }

    @Test
    void sunAndSgiLabelsNeedTheirChecksums() throws IOException {
        TestDisk disk = TestDisk.ofSectors(16);
        disk.bytes().order(ByteOrder.BIG_ENDIAN).putInt(0, 0x0be5a941).putShort(508, (short) 0xdabe);

        assertThat(disk.read().type()).isNull();
    }

    private static void parameterBlock(ByteBuffer bytes, String name) {
        switch (name) {
            case "exFAT" -> bytes.put(108, (byte) 9).put(110, (byte) 1);
            case "NTFS" -> bytes.putShort(11, (short) 512).put(13, (byte) 8).put(21, (byte) 0xf8);
            case "FAT" ->
                bytes.putShort(11, (short) 512)
                        .put(13, (byte) 4)
                        .putShort(14, (short) 4)
                        .put(16, (byte) 2)
                        .putShort(19, (short) 100)
                        .put(21, (byte) 0xf8)
                        .putShort(22, (short) 1);
            default -> {}
        }
    }

    /** A disk that fails reads which touch a range. */
    private static BlockDevice failing(TestDisk disk, long offset, long length) {
        return new ForwardingDevice(disk.device()) {
            @Override
            public void read(long at, ByteBuffer into) throws IOException {
                if (at < offset + length && at + into.remaining() > offset) {
                    throw new BlockIOException(BlockIOException.Kind.IO, description() + ": medium error", null);
                }
                super.read(at, into);
            }
        };
    }
}
