package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A logical volume as the metadata of its group describes it.
 *
 * @param uuid in groups of characters, or as the image holds it when it is none
 * @param segments in the order of their extents; those before the damage, if there is any
 * @param extentCount extents of all segments
 * @param refusal what is wrong with the description, if anything is
 */
record LvEntry(
        String name,
        String uuid,
        List<String> status,
        List<String> flags,
        List<String> tags,
        List<Segment> segments,
        long extentCount,
        MetadataSection metadata,
        @Nullable Refusal refusal) {

    LvEntry {
        status = ImmutableList.copyOf(status);
        flags = ImmutableList.copyOf(flags);
        tags = ImmutableList.copyOf(tags);
        segments = ImmutableList.copyOf(segments);
    }
}
