package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import org.jspecify.annotations.Nullable;

/**
 * Where the extents of a physical volume are to be found.
 *
 * @param device null when they are not to be found
 * @param refusal why nothing may be read from it, in words that follow the name of what needs it; null when it may
 */
record PvPlace(
        PvEntry entry,
        @Nullable BlockDevice device,
        @Nullable Refusal refusal) {}
