package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.Warning;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A physical volume: one that was found, or one that a group needs and that was not. Immutable.
 *
 * @param uuid in groups of 6-4-4-4-4-4-6 characters
 * @param deviceName of the candidate on which it was found, null when it was not found
 * @param vgName name of the group that it belongs to, as the image holds it; null for an orphan
 * @param vgUuid UUID of that group, null for an orphan
 * @param size bytes, as {@code pvs -o pv_size} says: the extents of one in a group, the whole device for an orphan
 * @param free bytes, as {@code pvs -o pv_free} says
 * @param deviceSize bytes of the device, 0 when it was not found
 * @param dataOffset bytes from the start of the device to extent 0; 0 for an orphan
 * @param extentCount extents of the group that it holds, 0 for an orphan
 * @param missing whether the group has to do without it: not found, found twice, of another group, or marked as
 *     missing in the metadata, so that what it holds is stale
 * @param status flags such as {@code ALLOCATABLE}
 * @param tags as the image holds them
 * @param metadataAreas metadata areas that its label names
 * @param problem what is wrong with it, one sentence; its extents may be readable all the same, by the metadata of others
 * @param warnings what is odd about it
 */
public record PhysicalVolume(
        String uuid,
        @Nullable String deviceName,
        @Nullable String vgName,
        @Nullable String vgUuid,
        long size,
        long free,
        long deviceSize,
        long dataOffset,
        long extentCount,
        boolean missing,
        List<String> status,
        List<String> tags,
        int metadataAreas,
        @Nullable String problem,
        List<Warning> warnings) {

    /** Copies the lists. */
    public PhysicalVolume {
        status = ImmutableList.copyOf(status);
        tags = ImmutableList.copyOf(tags);
        warnings = ImmutableList.copyOf(warnings);
    }
}
