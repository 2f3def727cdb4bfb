package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.Warning;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A physical volume as its own device shows it.
 *
 * @param copies the group's description in each metadata area that holds a sound one
 * @param problem what is wrong with its metadata areas, the first of it
 */
record FoundPv(
        PhysicalVolumeCandidate candidate,
        PvLabel label,
        List<GroupMetadata> copies,
        @Nullable String problem,
        List<Warning> warnings) {

    FoundPv {
        copies = ImmutableList.copyOf(copies);
        warnings = ImmutableList.copyOf(warnings);
    }

    String description() {
        return candidate.device().description();
    }

    /** Returns the newest of its own copies, null when it has none. */
    @Nullable
    GroupMetadata newestCopy() {
        GroupMetadata newest = null;
        for (GroupMetadata copy : copies) {
            if (newest == null || copy.seqno() > newest.seqno()) {
                newest = copy;
            }
        }
        return newest;
    }
}
