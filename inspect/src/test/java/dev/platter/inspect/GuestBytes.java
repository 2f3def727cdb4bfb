package dev.platter.inspect;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/** Small disks made in memory: an MBR, swap with a label, LVM2 metadata. Little-endian. */
final class GuestBytes {
    static final int SECTOR = 512;
    static final int EXTENT = 4096;
    /** Where the extents of a physical volume begin. */
    static final int DATA_AT = 16 << 10;

    private static final int AREA_AT = 4096;
    private static final int AREA_SIZE = 12 << 10;
    private static final int[] CRC_TABLE = crcTable();

    final ByteBuffer bytes;

    GuestBytes(int size) {
        bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
    }

    BlockDevice device(String description) {
        return BlockDevices.ofBytes(description, bytes.duplicate().clear());
    }

    byte[] array() {
        return bytes.array();
    }

    /** Adds a primary partition. */
    GuestBytes partition(int number, int type, int startSector, int sectors) {
        int at = 446 + 16 * (number - 1);
        bytes.put(at + 4, (byte) type);
        bytes.putInt(at + 8, startSector);
        bytes.putInt(at + 12, sectors);
        return bootSignature();
    }

    GuestBytes bootSignature() {
        bytes.putShort(510, (short) 0xaa55);
        return this;
    }

    /** Puts a swap area at a byte offset. linux/swap.h. */
    GuestBytes swap(int offset, String label) {
        put(offset + 4086, "SWAPSPACE2".getBytes(StandardCharsets.US_ASCII));
        bytes.putInt(offset + 1024, 1);
        bytes.putInt(offset + 1028, 15);
        bytes.putLong(offset + 1036, 0x0706050403020100L);
        put(offset + 1052, label.getBytes(StandardCharsets.UTF_8));
        return this;
    }

    /** Puts a physical volume at a byte offset: a label, and one area with the text of its group. */
    GuestBytes physicalVolume(int offset, int size, String uuid, String groupText) {
        byte[] text = (groupText + '\0').getBytes(StandardCharsets.UTF_8);
        int header = offset + AREA_AT;
        put(header + 512, text);
        put(header + 4, " LVM2 x[5A%r0N*>".getBytes(StandardCharsets.US_ASCII));
        bytes.putInt(header + 20, 1);
        bytes.putLong(header + 24, AREA_AT);
        bytes.putLong(header + 32, AREA_SIZE);
        bytes.putLong(header + 40, 512);
        bytes.putLong(header + 48, text.length);
        bytes.putInt(header + 56, crc(header + 512, header + 512 + text.length));
        bytes.putInt(header, crc(header + 4, header + 512));

        int label = offset + SECTOR;
        put(label, "LABELONE".getBytes(StandardCharsets.US_ASCII));
        bytes.putLong(label + 8, 1);
        bytes.putInt(label + 20, 32);
        put(label + 24, "LVM2 001".getBytes(StandardCharsets.US_ASCII));
        put(label + 32, uuid.replace("-", "").getBytes(StandardCharsets.US_ASCII));
        bytes.putLong(label + 64, size);
        bytes.putLong(label + 72, DATA_AT);
        bytes.putLong(label + 104, AREA_AT);
        bytes.putLong(label + 112, AREA_SIZE);
        bytes.putInt(label + 16, crc(label + 20, label + SECTOR));
        return this;
    }

    /** Returns a UUID all of one character. */
    static String uuid(char c) {
        String six = String.valueOf(c).repeat(6);
        String four = six.substring(2);
        return String.join("-", six, four, four, four, four, four, six);
    }

    /** Returns the text of a group on one physical volume of 16 extents; volumes by {@link #volume}. */
    static String group(String name, char uuid, char pv, String... volumes) {
        return name + " {\nid = \"" + uuid(uuid) + "\"\nseqno = 1\nformat = \"lvm2\"\n"
                + "status = [\"RESIZEABLE\", \"READ\", \"WRITE\"]\nflags = []\nextent_size = " + EXTENT / SECTOR
                + "\nmax_lv = 0\nmax_pv = 0\nphysical_volumes {\npv0 {\nid = \"" + uuid(pv)
                + "\"\nstatus = [\"ALLOCATABLE\"]\npe_start = " + DATA_AT / SECTOR + "\npe_count = 16\n}\n}\n"
                + "logical_volumes {\n" + String.join("\n", volumes)
                + "\n}\n}\ncontents = \"Text Format Volume Group\"\nversion = 1\n";
    }

    /** Returns the text of a linear volume. */
    static String volume(String name, char uuid, int startExtent, int extents) {
        return volume(
                name,
                uuid,
                startExtent,
                extents,
                "\"striped\"\nstripe_count = 1\nstripes = [\"pv0\", " + startExtent + "]");
    }

    /** Returns the text of a volume of one segment. */
    static String volume(String name, char uuid, int startExtent, int extents, String segment) {
        return name + " {\nid = \"" + uuid(uuid)
                + "\"\nstatus = [\"READ\", \"WRITE\", \"VISIBLE\"]\nsegment_count = 1\n"
                + "segment1 {\nstart_extent = 0\nextent_count = " + extents + "\ntype = " + segment + "\n}\n}";
    }

    private void put(int at, byte[] value) {
        bytes.put(at, value);
    }

    /** The checksum of lvm2: CRC-32 with its own initial value, not inverted. lvm2, lib/misc/crc.c. */
    private int crc(int from, int to) {
        int crc = 0xf597a6cf;
        for (int i = from; i < to; i++) {
            crc = crc >>> 8 ^ CRC_TABLE[(crc ^ bytes.get(i)) & 0xff];
        }
        return crc;
    }

    private static int[] crcTable() {
        int[] table = new int[256];
        for (int i = 0; i < 256; i++) {
            int crc = i;
            for (int bit = 0; bit < 8; bit++) {
                crc = (crc & 1) == 0 ? crc >>> 1 : crc >>> 1 ^ 0xedb88320;
            }
            table[i] = crc;
        }
        return table;
    }
}
