package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.zip.CRC32;

/** A small disk in memory whose tables are written field by field, so that any of them can be wrong. */
final class TestDisk {
    static final String LINUX = "0FC63DAF-8483-4772-8E79-3D69D8477DE4";
    static final String DISK_GUID = "11111111-2222-3333-4444-555555555555";
    static final int ENTRY_SIZE = 128;
    static final int ENTRY_COUNT = 128;

    private final ByteBuffer bytes;
    private final int sectorSize;

    private TestDisk(int sectors, int sectorSize) {
        this.bytes = ByteBuffer.allocate(sectors * sectorSize).order(ByteOrder.LITTLE_ENDIAN);
        this.sectorSize = sectorSize;
    }

    static TestDisk ofSectors(int count) {
        return new TestDisk(count, 512);
    }

    static TestDisk ofSectors(int count, int sectorSize) {
        return new TestDisk(count, sectorSize);
    }

    ByteBuffer bytes() {
        return bytes;
    }

    BlockDevice device() {
        return BlockDevices.ofBytes("disk", bytes.asReadOnlyBuffer());
    }

    PartitionTable read() throws IOException {
        return PartitionTables.read(device(), 0, Limits.defaults());
    }

    PartitionTable read(Limits limits) throws IOException {
        return PartitionTables.read(device(), 0, limits);
    }

    int lastSector() {
        return bytes.capacity() / sectorSize - 1;
    }

    /** Returns the byte offset of a field in a sector. */
    int at(int sector, int field) {
        return sector * sectorSize + field;
    }

    TestDisk sign(int sector) {
        bytes.putShort(at(sector, 510), (short) 0xaa55);
        return this;
    }

    TestDisk diskId(long id) {
        bytes.putInt(440, (int) id);
        return this;
    }

    /** Writes an entry of the MBR or of an extended boot record, and 55 AA behind it. */
    TestDisk entry(int sector, int slot, int type, long start, long count) {
        int at = at(sector, 446 + 16 * slot);
        bytes.put(at + 4, (byte) type);
        bytes.putInt(at + 8, (int) start);
        bytes.putInt(at + 12, (int) count);
        return sign(sector);
    }

    TestDisk flag(int slot, int flag) {
        bytes.put(446 + 16 * slot, (byte) flag);
        return this;
    }

    TestDisk text(int at, String text) {
        bytes.put(at, text.getBytes(StandardCharsets.US_ASCII));
        return this;
    }

    /** Writes a protective MBR and both copies of an empty GPT. */
    TestDisk gpt() {
        entry(0, 0, 0xee, 1, lastSector());
        int table = tableSectors();
        header(1, lastSector(), 2);
        header(lastSector(), 1, lastSector() - table);
        return this;
    }

    private int tableSectors() {
        return ENTRY_COUNT * ENTRY_SIZE / sectorSize;
    }

    private void header(int lba, int alternate, int entries) {
        int at = at(lba, 0);
        text(at, "EFI PART");
        bytes.putInt(at + 8, 0x10000);
        bytes.putInt(at + 12, 92);
        bytes.putLong(at + 24, lba);
        bytes.putLong(at + 32, alternate);
        bytes.putLong(at + 40, 2 + tableSectors());
        bytes.putLong(at + 48, lastSector() - tableSectors() - 1);
        guid(at + 56, DISK_GUID);
        bytes.putLong(at + 72, entries);
        bytes.putInt(at + 80, ENTRY_COUNT);
        bytes.putInt(at + 84, ENTRY_SIZE);
        seal(lba);
    }

    /** Writes an entry into both copies, unique by its index, and their checksums. */
    TestDisk gptEntry(int index, long first, long last, long attributes, String name) {
        for (int lba : new int[] {1, lastSector()}) {
            int at = entriesOf(lba) + index * ENTRY_SIZE;
            guid(at, LINUX);
            guid(at + 16, String.format("AAAAAAAA-BBBB-CCCC-DDDD-%012X", index + 1));
            bytes.putLong(at + 32, first);
            bytes.putLong(at + 40, last);
            bytes.putLong(at + 48, attributes);
            bytes.put(at + 56, name.getBytes(StandardCharsets.UTF_16LE));
            seal(lba);
        }
        return this;
    }

    /** Returns the offset of the entries of the copy whose header is at {@code lba}. */
    int entriesOf(int lba) {
        return at((int) bytes.getLong(at(lba, 72)), 0);
    }

    /** Writes a field of both headers and their checksums. */
    TestDisk gptLong(int field, long value) {
        return gptLong(1, field, value).gptLong(lastSector(), field, value);
    }

    TestDisk gptLong(int lba, int field, long value) {
        bytes.putLong(at(lba, field), value);
        return seal(lba);
    }

    TestDisk gptInt(int field, int value) {
        for (int lba : new int[] {1, lastSector()}) {
            bytes.putInt(at(lba, field), value);
            seal(lba);
        }
        return this;
    }

    /** Writes what the entries and the header of a copy should have for checksums, if they are where a disk can have them. */
    TestDisk seal(int lba) {
        int at = at(lba, 0);
        long table = bytes.getLong(at + 72);
        long length = (long) bytes.getInt(at + 80) * bytes.getInt(at + 84);
        if (table >= 0 && table <= lastSector() && length >= 0 && length <= bytes.capacity() - table * sectorSize) {
            bytes.putInt(at + 88, crc((int) table * sectorSize, (int) length));
        }
        int headerSize = bytes.getInt(at + 12);
        bytes.putInt(at + 16, 0);
        if (headerSize >= 0 && headerSize <= sectorSize) {
            bytes.putInt(at + 16, crc(at, headerSize));
        }
        return this;
    }

    private int crc(int at, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes.slice(at, length));
        return (int) crc.getValue();
    }

    /** Writes a GUID as Microsoft stores it. */
    private void guid(int at, String text) {
        byte[] raw = HexFormat.of().parseHex(text.replace("-", ""));
        int[] order = {3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15};
        for (int i = 0; i < 16; i++) {
            bytes.put(at + i, raw[order[i]]);
        }
    }
}
