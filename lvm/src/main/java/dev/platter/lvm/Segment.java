package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import java.util.List;

/**
 * A run of extents of a logical volume that is stored in one way. lvm2, lib/format_text/import_vsn1.c
 * ("_read_segment").
 *
 * @param startExtent first extent in the volume
 * @param extentCount extents of the volume that it covers, more than 0
 * @param type as the metadata names it, without flags: {@code striped} also for one stripe
 * @param typeFlags what follows the type after {@code +} signs
 * @param stripeSize bytes of a stripe's chunk, 0 when there is one stripe or none
 * @param areas where the bytes of a {@code striped} or {@code mirror} segment lie; empty for other types, whose parts
 *     {@code metadata} names
 * @param metadata the section of the segment with all its keys
 */
public record Segment(
        long startExtent,
        long extentCount,
        String type,
        List<String> typeFlags,
        long stripeSize,
        List<Area> areas,
        MetadataSection metadata) {

    static final String STRIPED = "striped";
    static final String LINEAR = "linear";
    static final String MIRROR = "mirror";
    static final String ERROR = "error";
    static final String ZERO = "zero";
    static final String SNAPSHOT = "snapshot";

    /**
     * A place on a physical volume, or in another logical volume of the group.
     *
     * @param name key of the physical volume in the metadata ({@code pv0}), or name of the logical volume
     * @param startExtent first extent there
     */
    public record Area(String name, long startExtent) {}

    /** Copies the lists. */
    public Segment {
        typeFlags = ImmutableList.copyOf(typeFlags);
        areas = ImmutableList.copyOf(areas);
    }

    /** Returns the type as {@code lvs -o segtype} names it: {@code linear} for one stripe. */
    public String reportedType() {
        return type.equals(STRIPED) && areas.size() == 1 ? LINEAR : type;
    }

    /** Extents that each area holds. */
    long extentsPerArea() {
        return type.equals(STRIPED) && areas.size() > 1 ? extentCount / areas.size() : extentCount;
    }

    /** The first extent after this segment. */
    long endExtent() {
        return startExtent + extentCount;
    }
}
