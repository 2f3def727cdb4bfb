package dev.platter.qcow2;

/**
 * An L2 entry as stored, in host byte order, and the compact form that {@link ClusterMapper} keeps. Source: qcow2.rst,
 * "Cluster mapping". The compact form has the kind in its lowest three bits, which a cluster offset never uses; compressed
 * clusters keep their descriptor, told apart by bit 62.
 */
final class L2Entry {

    /** Bits 9 to 55: where the cluster lies in the file; also the offset of an L1 entry. */
    static final long OFFSET_MASK = 0x00ff_ffff_ffff_fe00L;

    /** Bit 63: the refcount is exactly one; a hint to writers, except in images with a data file. */
    static final long COPIED = 1L << 63;

    static final long COMPRESSED = 1L << 62;

    /** Bit 0: the cluster reads as zeros; version 3 without subclusters. */
    static final long ZERO_FLAG = 1;

    /** Bits that are reserved in a standard L2 entry. */
    static final long RESERVED = 0x3f00_0000_0000_01feL;

    /** Bits that are reserved in an L1 entry. */
    static final long L1_RESERVED = 0x7f00_0000_0000_01ffL;

    static final int UNALLOCATED = 0;
    static final int ZERO = 1;
    static final int DATA = 2;
    static final int ZERO_ALLOCATED = 3;
    /** The entry contradicts the format. */
    static final int INVALID = 4;
    /** The cluster begins beyond the end of the file. */
    static final int BEYOND_END = 5;
    /** Subclusters of several kinds; the bitmap tells. */
    static final int SUBCLUSTERS = 6;
    /** The same without space in the file: none of them is data. */
    static final int BARE_SUBCLUSTERS = 7;

    private static final int KIND_MASK = 7;
    private static final long ALL_SUBCLUSTERS = 0xffff_ffffL;

    private L2Entry() {}

    static boolean isCompressed(long entry) {
        return (entry & COMPRESSED) != 0;
    }

    /** The kind of a compact entry that is not compressed. */
    static int kind(long compact) {
        return (int) compact & KIND_MASK;
    }

    static long offset(long entry) {
        return entry & OFFSET_MASK;
    }

    /** Returns by how much compact entries of one kind grow, from cluster to cluster, as long as they are one run. */
    static long step(long compact, Qcow2Header header) {
        int kind = kind(compact);
        return kind == DATA || kind == ZERO_ALLOCATED ? header.clusterSize() : 0;
    }

    /**
     * Compacts a standard entry; whether its cluster lies in the file is not looked at.
     *
     * @param kept {@link #COPIED} to keep it in entries with a cluster of their own, for those who write there; else 0
     */
    static long compact(long entry, Qcow2Header header, long kept) {
        if (isCompressed(entry)) {
            return header.hasDataFile() ? INVALID : entry & ~COPIED;
        }
        long offset = offset(entry);
        if ((offset & (header.clusterSize() - 1)) != 0) {
            return INVALID;
        }
        if ((entry & ZERO_FLAG) != 0) {
            return header.version() < 3 ? INVALID : offset == 0 ? ZERO : offset | ZERO_ALLOCATED | (entry & kept);
        }
        return hasSpace(entry, header) ? offset | DATA | (entry & kept) : UNALLOCATED;
    }

    /** Compacts an extended entry: one kind where all subclusters agree. */
    static long compactExtended(long entry, long bitmap, Qcow2Header header, long kept) {
        if (isCompressed(entry)) {
            return header.hasDataFile() ? INVALID : entry & ~COPIED;
        }
        long offset = offset(entry);
        long allocated = bitmap & ALL_SUBCLUSTERS;
        long zero = bitmap >>> 32;
        boolean space = hasSpace(entry, header);
        if ((allocated & zero) != 0 || (allocated != 0 && !space) || (offset & (header.clusterSize() - 1)) != 0) {
            return INVALID;
        }
        if (zero == ALL_SUBCLUSTERS) {
            return space ? offset | ZERO_ALLOCATED | (entry & kept) : ZERO;
        }
        if (allocated == ALL_SUBCLUSTERS) {
            return offset | DATA | (entry & kept);
        }
        if (!space) {
            return bitmap == 0 ? UNALLOCATED : BARE_SUBCLUSTERS;
        }
        return offset | SUBCLUSTERS | (entry & kept);
    }

    /** Returns a compact entry as an image without subclusters stores it. */
    static long stored(long compact) {
        if (isCompressed(compact)) {
            return compact;
        }
        return switch (kind(compact)) {
            case UNALLOCATED -> 0;
            case ZERO -> ZERO_FLAG;
            case ZERO_ALLOCATED -> (compact & (OFFSET_MASK | COPIED)) | ZERO_FLAG;
            case DATA -> compact & (OFFSET_MASK | COPIED);
            default -> throw new IllegalArgumentException("nobody writes entries of kind " + kind(compact));
        };
    }

    /** Returns the kind of one subcluster of an entry whose bitmap tells. */
    static int subclusterKind(long bitmap, int subcluster) {
        if (((bitmap >>> subcluster) & 1) != 0) {
            return DATA;
        }
        return ((bitmap >>> (32 + subcluster)) & 1) != 0 ? ZERO : UNALLOCATED;
    }

    /** In an image with a data file, offset 0 is a place like any other, and bit 63 says that it is meant. */
    private static boolean hasSpace(long entry, Qcow2Header header) {
        return offset(entry) != 0 || (header.hasDataFile() && (entry & COPIED) != 0);
    }
}
