package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * The boot sector of exFAT as stored. Microsoft, "exFAT file system specification", section 3.1.
 *
 * @param sectors VolumeLength, unsigned
 * @param heapSector ClusterHeapOffset
 * @param mustBeZero whether the bytes that FAT uses are zero, the jump is right and the sector is signed
 */
record ExfatBootSector(
        long sectors,
        long fatSector,
        long fatSectors,
        long heapSector,
        long clusters,
        long rootCluster,
        long serial,
        int minorRevision,
        int majorRevision,
        int volumeFlags,
        int sectorShift,
        int clusterShift,
        int tables,
        boolean mustBeZero) {

    static final int SIZE = 512;
    static final int MAGIC_OFFSET = 3;
    static final String MAGIC = "EXFAT   ";
    private static final int LARGEST_CLUSTER_SHIFT = 25;
    private static final int VOLUME_DIRTY = 2;
    private static final int MEDIA_FAILURE = 4;

    static ExfatBootSector parse(ByteBuffer sector) {
        return new ExfatBootSector(
                sector.getLong(72),
                u32(sector, 80),
                u32(sector, 84),
                u32(sector, 88),
                u32(sector, 92),
                u32(sector, 96),
                u32(sector, 100),
                u8(sector, 104),
                u8(sector, 105),
                u16(sector, 106),
                u8(sector, 108),
                u8(sector, 109),
                u8(sector, 110),
                Fields.has(sector, 0, "\u00ebv\u0090")
                        && Fields.isZero(sector, 11, 53)
                        && Fields.has(sector, 510, "U\u00aa"));
    }

    /** What makes it unusable, or null. */
    @Nullable
    String flaw() {
        if (!mustBeZero) {
            return "jump, zeros or signature are not as they must be";
        }
        if (sectorShift < 9 || sectorShift > 12) {
            return "sector size exponent is " + sectorShift + ", allowed are 9..12";
        }
        if (clusterShift > LARGEST_CLUSTER_SHIFT - sectorShift) {
            return "cluster size exponent is " + clusterShift + " above that of the sector, allowed are 0.."
                    + (LARGEST_CLUSTER_SHIFT - sectorShift);
        }
        return tables < 1 || tables > 2 ? tables + " tables, allowed are 1 and 2" : null;
    }

    int sectorSize() {
        return 1 << sectorShift;
    }

    int clusterSize() {
        return 1 << (sectorShift + clusterShift);
    }

    boolean hasCluster(long cluster) {
        return cluster >= 2 && cluster - 2 < clusters;
    }

    long clusterOffset(long cluster) {
        return (heapSector << sectorShift) + ((cluster - 2) << (sectorShift + clusterShift));
    }

    /** Where the first table has the entry of a cluster. */
    long entryOffset(long cluster) {
        return (fatSector << sectorShift) + 4 * cluster;
    }

    boolean isClean() {
        return (volumeFlags & (VOLUME_DIRTY | MEDIA_FAILURE)) == 0;
    }
}
