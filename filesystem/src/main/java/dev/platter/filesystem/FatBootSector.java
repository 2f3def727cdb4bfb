package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The boot sector of FAT12, FAT16 and FAT32 as stored. Microsoft, "FAT: General Overview of On-Disk Format", "Boot Sector
 * and BPB".
 *
 * @param fatSectors sectors of one table (BPB_FATSz16, else BPB_FATSz32)
 * @param wide whether it is FAT32: BPB_FATSz16 is 0
 * @param dirtyFlags BS_Reserved1, whose bit 0 Linux and Windows set while it is in use
 * @param serial BS_VolID, or null where the extended boot signature (0x28, 0x29) is missing
 */
record FatBootSector(
        int sectorSize,
        int clusterSectors,
        int reservedSectors,
        int tables,
        int rootEntries,
        long totalSectors,
        int media,
        long fatSectors,
        boolean wide,
        long rootCluster,
        int infoSector,
        int dirtyFlags,
        @Nullable Long serial) {

    static final int SIZE = 512;
    private static final long MAX_FAT12 = 0xFF4;
    private static final long MAX_FAT16 = 0xFFF4;
    private static final long MAX_FAT32 = 0x0FFF_FFF6;

    static FatBootSector parse(ByteBuffer sector) {
        boolean wide = u16(sector, 22) == 0;
        int extended = wide ? 0x40 : 0x24;
        int signature = u8(sector, extended + 2);
        return new FatBootSector(
                u16(sector, 11),
                u8(sector, 13),
                u16(sector, 14),
                u8(sector, 16),
                u16(sector, 17),
                u16(sector, 19) == 0 ? u32(sector, 32) : u16(sector, 19),
                u8(sector, 21),
                wide ? u32(sector, 36) : u16(sector, 22),
                wide,
                wide ? u32(sector, 44) & 0x0FFF_FFFF : 0,
                wide ? u16(sector, 48) : 0,
                u8(sector, extended + 1),
                wide || signature == 0x28 || signature == 0x29 ? u32(sector, extended + 3) : null);
    }

    /** What makes it unusable, or null; the tests of libblkid, vfat.c. */
    @Nullable
    String flaw() {
        if (tables == 0 || reservedSectors == 0) {
            return tables + " tables and " + reservedSectors + " reserved sectors, there must be at least 1 of each";
        }
        if (media != 0xF0 && media < 0xF8) {
            return String.format("media descriptor is 0x%02x, allowed are 0xf0 and 0xf8..0xff", media);
        }
        if (!Fields.isPowerOfTwo(clusterSectors)) {
            return "sectors per cluster are " + clusterSectors + ", allowed are powers of two, 1..128";
        }
        if (!Fields.isPowerOfTwo(sectorSize) || sectorSize < 512 || sectorSize > 4096) {
            return "sector size is " + sectorSize + ", allowed are powers of two, 512..4096";
        }
        if (fatSectors == 0 || dataSector() > totalSectors) {
            return "tables of " + fatSectors + " sectors and " + rootEntries + " root entries do not fit into "
                    + totalSectors + " sectors";
        }
        long most = wide ? MAX_FAT32 : MAX_FAT16;
        return clusters() > most ? clusters() + " clusters, the most are " + most : null;
    }

    /** First sector behind the tables: of the root directory, or with FAT32 of the data. */
    long rootSector() {
        return reservedSectors + tables * fatSectors;
    }

    /** First sector of cluster 2. */
    long dataSector() {
        return rootSector() + (32L * rootEntries + sectorSize - 1) / sectorSize;
    }

    /** Clusters that hold data; call only where the cluster size is not 0. */
    long clusters() {
        return (totalSectors - dataSector()) / clusterSectors;
    }

    /** Clusters that hold data and have an entry in the table. */
    long usableClusters() {
        return Math.min(clusters(), Math.max(0, fatSectors * sectorSize * 8 / entryBits() - 2));
    }

    int clusterSize() {
        return clusterSectors * sectorSize;
    }

    /** By the number of clusters, never by what the sector says in words. */
    int entryBits() {
        return wide ? 32 : clusters() > MAX_FAT12 ? 16 : 12;
    }

    long clusterOffset(long cluster) {
        return (dataSector() + (cluster - 2) * clusterSectors) * sectorSize;
    }
}
