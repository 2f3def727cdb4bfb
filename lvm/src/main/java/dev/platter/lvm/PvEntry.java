package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A physical volume as the metadata of its group lists it.
 *
 * @param key its name inside the metadata: {@code pv0}
 * @param dataOffset bytes from the start of the device to extent 0
 * @param extentCount extents, at most 2^32-1
 * @param refusal why nothing on it can be read, whatever device is found for it
 */
record PvEntry(
        String key,
        String uuid,
        List<String> status,
        List<String> flags,
        List<String> tags,
        long dataOffset,
        long extentCount,
        @Nullable Refusal refusal) {

    private static final String MISSING = "MISSING";

    PvEntry {
        status = ImmutableList.copyOf(status);
        flags = ImmutableList.copyOf(flags);
        tags = ImmutableList.copyOf(tags);
    }

    /** Returns whether the group was changed while this volume was away, so that what it holds is stale. */
    boolean isMarkedMissing() {
        return status.contains(MISSING) || flags.contains(MISSING);
    }
}
