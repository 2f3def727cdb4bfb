package dev.platter.core;

/**
 * How much an image may ask for. The defaults hold for every image that the usual tools make; a service that knows its
 * images can set them lower.
 *
 * @param chainDepth images in a backing chain, the top one included
 * @param tableBytes bytes of any one table that is held in memory whole: an L1 table, partition entries
 * @param metadataBytes bytes of metadata read by one operation that gathers it: LVM text, snapshot and bitmap tables
 * @param nameBytes bytes of a name in an image
 * @param partitions partitions of a disk, logical ones included
 * @param nesting levels of structures inside each other: sections of LVM text, volumes upon volumes
 * @param volumes logical volumes of a group
 * @param walkFactor how many times the bytes of the file an operation that walks everything may read before it is taken
 *     for endless work made by tables that alias each other
 */
public record Limits(
        int chainDepth,
        int tableBytes,
        int metadataBytes,
        int nameBytes,
        int partitions,
        int nesting,
        int volumes,
        int walkFactor) {

    private static final Limits DEFAULTS = new Limits(64, 32 << 20, 16 << 20, 1023, 4096, 64, 65536, 4);

    /** Checks that every limit is positive. */
    public Limits {
        require("chainDepth", chainDepth);
        require("tableBytes", tableBytes);
        require("metadataBytes", metadataBytes);
        require("nameBytes", nameBytes);
        require("partitions", partitions);
        require("nesting", nesting);
        require("volumes", volumes);
        require("walkFactor", walkFactor);
    }

    /** Returns the defaults. */
    public static Limits defaults() {
        return DEFAULTS;
    }

    /** Returns these limits with another depth of backing chains. */
    public Limits withChainDepth(int images) {
        return new Limits(images, tableBytes, metadataBytes, nameBytes, partitions, nesting, volumes, walkFactor);
    }

    /** Returns these limits with another size of tables held whole. */
    public Limits withTableBytes(int bytes) {
        return new Limits(chainDepth, bytes, metadataBytes, nameBytes, partitions, nesting, volumes, walkFactor);
    }

    /** Returns these limits with another amount of gathered metadata. */
    public Limits withMetadataBytes(int bytes) {
        return new Limits(chainDepth, tableBytes, bytes, nameBytes, partitions, nesting, volumes, walkFactor);
    }

    /** Returns these limits with another length of names. */
    public Limits withNameBytes(int bytes) {
        return new Limits(chainDepth, tableBytes, metadataBytes, bytes, partitions, nesting, volumes, walkFactor);
    }

    /** Returns these limits with another number of partitions. */
    public Limits withPartitions(int count) {
        return new Limits(chainDepth, tableBytes, metadataBytes, nameBytes, count, nesting, volumes, walkFactor);
    }

    /** Returns these limits with another depth of nesting. */
    public Limits withNesting(int levels) {
        return new Limits(chainDepth, tableBytes, metadataBytes, nameBytes, partitions, levels, volumes, walkFactor);
    }

    /** Returns these limits with another number of logical volumes. */
    public Limits withVolumes(int count) {
        return new Limits(chainDepth, tableBytes, metadataBytes, nameBytes, partitions, nesting, count, walkFactor);
    }

    /** Returns these limits with another bound on walking. */
    public Limits withWalkFactor(int times) {
        return new Limits(chainDepth, tableBytes, metadataBytes, nameBytes, partitions, nesting, volumes, times);
    }

    private static void require(String name, int value) {
        if (value < 1) {
            throw new IllegalArgumentException(name + ": " + value + " is less than 1");
        }
    }
}
