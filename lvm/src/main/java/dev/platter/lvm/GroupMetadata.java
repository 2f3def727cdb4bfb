package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A volume group as one text describes it, with the odd and the broken still in it.
 *
 * @param seqno counts the changes of the group
 * @param extentSize bytes, 0 if the text gives none that can be
 * @param refusal what makes the whole description unfit to read volumes by, if anything does
 * @param section the section of the group with all its keys
 */
record GroupMetadata(
        String name,
        String uuid,
        long seqno,
        long extentSize,
        List<PvEntry> physicalVolumes,
        List<LvEntry> logicalVolumes,
        @Nullable Refusal refusal,
        List<String> warnings,
        MetadataSection section) {

    GroupMetadata {
        physicalVolumes = ImmutableList.copyOf(physicalVolumes);
        logicalVolumes = ImmutableList.copyOf(logicalVolumes);
        warnings = ImmutableList.copyOf(warnings);
    }

    String shownName() {
        return LvmNames.shown(name);
    }
}
