package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.Warning;
import java.util.List;

/**
 * What LVM2 holds on some devices. Immutable; text of the image in {@code problems} and {@code warnings} is escaped.
 *
 * @param physicalVolumes those found, in the order of the devices; then those that groups need and that were not found
 * @param volumeGroups in the order in which they were met
 * @param problems damage that belongs to none of these: labels that cannot be read, devices that fail
 * @param warnings what is odd, of the devices, the physical volumes and the groups together
 */
public record LvmScan(
        List<PhysicalVolume> physicalVolumes,
        List<VolumeGroup> volumeGroups,
        List<String> problems,
        List<Warning> warnings) {

    /** Copies the lists. */
    public LvmScan {
        physicalVolumes = ImmutableList.copyOf(physicalVolumes);
        volumeGroups = ImmutableList.copyOf(volumeGroups);
        problems = ImmutableList.copyOf(problems);
        warnings = ImmutableList.copyOf(warnings);
    }
}
