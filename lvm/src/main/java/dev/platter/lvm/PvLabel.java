package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.CorruptImageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.List;

/**
 * The label of a physical volume with its header. lvm2, lib/label/label.h ("struct label_header") and
 * lib/format_text/layout.h ("struct pv_header", "struct pv_header_extension"); little-endian.
 *
 * @param sector where it was found, 0..3
 * @param uuid in groups of 6-4-4-4-4-4-6 characters
 * @param deviceSize bytes that the device had when the label was written; not checked against the device
 * @param metadataAreas 0, 1 or 2 in what lvm writes
 * @param bootAreas areas set aside for a boot loader
 * @param extensionVersion 0 (none), 1 or 2
 * @param inUse whether the volume is in a group, as the label of version 2 says
 */
record PvLabel(
        int sector,
        String uuid,
        long deviceSize,
        List<DiskArea> dataAreas,
        List<DiskArea> metadataAreas,
        List<DiskArea> bootAreas,
        long extensionVersion,
        boolean inUse) {

    static final int SECTOR_SIZE = 512;
    /** Sectors that may hold the label. */
    static final int SCAN_SECTORS = 4;

    private static final int LABEL_HEADER_SIZE = 32;
    private static final int UUID_LENGTH = 32;
    private static final byte[] LABEL_ID = "LABELONE".getBytes(StandardCharsets.US_ASCII);
    private static final byte[] LABEL_TYPE = "LVM2 001".getBytes(StandardCharsets.US_ASCII);

    PvLabel {
        dataAreas = ImmutableList.copyOf(dataAreas);
        metadataAreas = ImmutableList.copyOf(metadataAreas);
        bootAreas = ImmutableList.copyOf(bootAreas);
    }

    /** Returns whether a sector claims to be a label. */
    static boolean isLabel(ByteBuffer sector) {
        return sector.limit() >= SECTOR_SIZE && holds(sector, 0, LABEL_ID);
    }

    /**
     * Reads a label.
     *
     * @param sector one sector that {@link #isLabel}
     * @param where begins the messages
     * @throws CorruptImageException if a field is wrong
     */
    static PvLabel parse(ByteBuffer sector, int number, String where) throws CorruptImageException {
        ByteBuffer in = sector.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        String label = where + ": LVM label in sector " + number;
        if (in.getLong(8) != number) {
            throw new CorruptImageException(label + " says that it belongs in sector " + unsigned(in.getLong(8)));
        }
        if (in.getInt(16) != LvmCrc.of(in, 20, SECTOR_SIZE)) {
            throw new CorruptImageException(label + ": the checksum is " + hex(in.getInt(16)) + ", the bytes give "
                    + hex(LvmCrc.of(in, 20, SECTOR_SIZE)));
        }
        if (!holds(in, 24, LABEL_TYPE)) {
            throw new CorruptImageException(label + ": the type is not \"LVM2 001\"");
        }
        long headerAt = Integer.toUnsignedLong(in.getInt(20));
        if (headerAt < LABEL_HEADER_SIZE || headerAt > SECTOR_SIZE - UUID_LENGTH - 8) {
            throw new CorruptImageException(
                    label + ": the header is said to be at byte " + headerAt + ", which is not inside the sector");
        }
        return parseHeader(in, (int) headerAt, number, label);
    }

    private static PvLabel parseHeader(ByteBuffer in, int at, int number, String label) throws CorruptImageException {
        String uuidText = StandardCharsets.ISO_8859_1
                .decode(in.duplicate().limit(at + UUID_LENGTH).position(at))
                .toString();
        String uuid = LvmNames.uuid(uuidText);
        if (uuid == null) {
            throw new CorruptImageException(label + ": the UUID holds characters that no UUID has");
        }
        long deviceSize = in.getLong(at + UUID_LENGTH);
        in.position(at + UUID_LENGTH + 8);
        List<DiskArea> dataAreas = areas(in, label + ": the list of data areas");
        List<DiskArea> metadataAreas = areas(in, label + ": the list of metadata areas");
        long version = 0;
        boolean inUse = false;
        List<DiskArea> bootAreas = List.of();
        if (in.remaining() >= 8) {
            version = Integer.toUnsignedLong(in.getInt());
            int flags = in.getInt();
            inUse = version >= 2 && (flags & 1) != 0;
            if (version >= 1) {
                bootAreas = areas(in, label + ": the list of boot loader areas");
            }
        }
        return new PvLabel(number, uuid, deviceSize, dataAreas, metadataAreas, bootAreas, version, inUse);
    }

    /** Reads (offset, size) pairs up to the one with offset 0. */
    private static List<DiskArea> areas(ByteBuffer in, String list) throws CorruptImageException {
        ImmutableList.Builder<DiskArea> areas = ImmutableList.builder();
        while (in.remaining() >= 16) {
            long offset = in.getLong();
            long size = in.getLong();
            if (offset == 0) {
                return areas.build();
            }
            areas.add(new DiskArea(offset, size));
        }
        throw new CorruptImageException(list + " has no end");
    }

    private static boolean holds(ByteBuffer bytes, int at, byte[] text) {
        for (int i = 0; i < text.length; i++) {
            if (bytes.get(at + i) != text[i]) {
                return false;
            }
        }
        return true;
    }

    private static String unsigned(long value) {
        return Long.toUnsignedString(value);
    }

    private static String hex(int value) {
        return String.format("0x%08x", value);
    }
}
