package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A volume group, by its newest metadata. Immutable.
 *
 * @param name as the image holds it; see {@link #hasSafeName}. Another group may have the same one
 * @param uuid in groups of 6-4-4-4-4-4-6 characters
 * @param seqno counts the changes of the group
 * @param extentSize bytes of an extent, 0 if the metadata gives none that can be
 * @param size bytes of all its extents, as {@code vgs -o vg_size} says
 * @param free bytes of the extents that no volume has, as {@code vgs -o vg_free} says
 * @param missingPhysicalVolumes how many of {@code physicalVolumes} are {@linkplain PhysicalVolume#missing missing}
 * @param status flags such as {@code RESIZEABLE}
 * @param tags as the image holds them
 * @param exported whether {@code vgexport} set it aside for another system; it is read all the same
 * @param problem what keeps all its volumes from being opened, one sentence; null when nothing does
 * @param physicalVolumes in the order of the metadata
 * @param logicalVolumes in the order of the metadata, hidden ones included
 * @param metadata the section of the group with all its keys
 */
public record VolumeGroup(
        String name,
        String uuid,
        long seqno,
        long extentSize,
        long size,
        long free,
        int missingPhysicalVolumes,
        List<String> status,
        List<String> tags,
        boolean exported,
        @Nullable String problem,
        List<PhysicalVolume> physicalVolumes,
        List<LogicalVolume> logicalVolumes,
        MetadataSection metadata) {

    /** Copies the lists. */
    public VolumeGroup {
        status = ImmutableList.copyOf(status);
        tags = ImmutableList.copyOf(tags);
        physicalVolumes = ImmutableList.copyOf(physicalVolumes);
        logicalVolumes = ImmutableList.copyOf(logicalVolumes);
    }

    /** Returns whether the name follows the rules of lvm, so that it can be part of a path. */
    public boolean hasSafeName() {
        return LvmNames.isSafe(name);
    }

    /** Returns the logical volume of that name. */
    public Optional<LogicalVolume> logicalVolume(String name) {
        return logicalVolumes.stream()
                .filter(volume -> volume.name().equals(name))
                .findFirst();
    }

    @Override
    public String toString() {
        return "VG " + LvmNames.shown(name) + " (UUID " + uuid + ")";
    }
}
