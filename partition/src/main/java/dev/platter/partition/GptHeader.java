package dev.platter.partition;

import dev.platter.core.DiskUuid;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * A GPT header as stored. Layout: UEFI specification, 5.3.2 "GPT Header". Sectors (LBA) are 64 bits without sign; here,
 * negative ones lie beyond 2^63, which no disk has.
 *
 * @param headerSize bytes that the checksum covers, 0..2^32-1
 * @param crcMatches whether the header size is possible, and the checksum that of the header
 * @param myLba sector where this header says it is
 * @param alternateLba sector where it says the other copy is
 * @param firstUsableLba first sector that partitions may use
 * @param lastUsableLba last sector that partitions may use, inclusive
 * @param diskGuid upper case
 * @param entriesLba first sector of the entries
 * @param entryCount 0..2^32-1
 * @param entrySize bytes, 0..2^32-1
 * @param entriesCrc checksum of all entries, 0..2^32-1
 */
record GptHeader(
        long headerSize,
        boolean crcMatches,
        long myLba,
        long alternateLba,
        long firstUsableLba,
        long lastUsableLba,
        String diskGuid,
        long entriesLba,
        long entryCount,
        long entrySize,
        long entriesCrc) {
    private static final long SIGNATURE = 0x5452415020494645L; // "EFI PART"
    private static final int LEAST_SIZE = 92;
    private static final int CRC_AT = 16;

    /** Returns the header in a whole sector, or null if it does not begin with the signature. */
    static @Nullable GptHeader parse(ByteBuffer sector) {
        if (sector.getLong(0) != SIGNATURE) {
            return null;
        }
        long headerSize = Integer.toUnsignedLong(sector.getInt(12));
        return new GptHeader(
                headerSize,
                headerSize >= LEAST_SIZE
                        && headerSize <= sector.limit()
                        && crc(sector, (int) headerSize) == Integer.toUnsignedLong(sector.getInt(CRC_AT)),
                sector.getLong(24),
                sector.getLong(32),
                sector.getLong(40),
                sector.getLong(48),
                DiskUuid.guid(sector, 56),
                sector.getLong(72),
                Integer.toUnsignedLong(sector.getInt(80)),
                Integer.toUnsignedLong(sector.getInt(84)),
                Integer.toUnsignedLong(sector.getInt(88)));
    }

    /** Returns whether this is a header at all, and stood where it says it does. */
    boolean isGenuine(long lba) {
        return crcMatches && myLba == lba;
    }

    /** Returns why a header read at {@code lba} cannot be used, or null; the entries are not looked at. */
    @Nullable
    String defect(long lba, int sectorSize) {
        if (headerSize < LEAST_SIZE || headerSize > sectorSize) {
            return "header size is " + headerSize + ", allowed are " + LEAST_SIZE + ".." + sectorSize;
        }
        if (!crcMatches) {
            return "checksum does not match";
        }
        if (myLba != lba) {
            return "says that it lies at sector " + Long.toUnsignedString(myLba);
        }
        if (entrySize < GptEntry.LEAST_SIZE || Long.bitCount(entrySize) != 1) {
            return "entry size is " + entrySize + ", allowed are 128 times a power of two";
        }
        return entryCount == 0 ? "has no entries" : null;
    }

    /** Returns why this does not fit a disk of that many sectors though it is genuine, or null. */
    @Nullable
    String misfit(long sectorCount) {
        if (Long.compareUnsigned(firstUsableLba, lastUsableLba) > 0) {
            return "first usable sector " + Long.toUnsignedString(firstUsableLba) + " lies behind the last, "
                    + Long.toUnsignedString(lastUsableLba);
        }
        if (Long.compareUnsigned(lastUsableLba, sectorCount) >= 0) {
            return "last usable sector " + Long.toUnsignedString(lastUsableLba) + " lies beyond the end of the disk ("
                    + sectorCount + " sectors): the disk was cut off";
        }
        if (myLba >= firstUsableLba && myLba <= lastUsableLba) {
            return "lies at sector " + myLba + ", among the usable ones";
        }
        return null;
    }

    /** Returns whether both copies of a table say the same, as far as their headers go. */
    boolean agreesWith(GptHeader other) {
        return firstUsableLba == other.firstUsableLba
                && lastUsableLba == other.lastUsableLba
                && diskGuid.equals(other.diskGuid)
                && entryCount == other.entryCount
                && entrySize == other.entrySize;
    }

    /** The checksum is taken with its own field at zero. */
    private static long crc(ByteBuffer sector, int length) {
        CRC32 crc = new CRC32();
        crc.update(sector.slice(0, CRC_AT));
        crc.update(new byte[4]);
        crc.update(sector.slice(CRC_AT + 4, length - CRC_AT - 4));
        return crc.getValue();
    }
}
