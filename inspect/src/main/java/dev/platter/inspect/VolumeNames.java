package dev.platter.inspect;

import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.VolumeGroup;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Names of logical volumes. {@code /dev/vg0/root} where that is one volume; {@code /dev/vg0@<VG UUID>/root} where several
 * groups are called vg0; {@code <VG UUID>/<LV UUID>} always, and as the only name where the names make no path.
 */
final class VolumeNames {
    private final Set<String> sharedGroupNames = new HashSet<>();
    private final Map<String, Set<String>> sharedVolumeNames = new HashMap<>();

    VolumeNames(List<VolumeGroup> groups) {
        Set<String> seen = new HashSet<>();
        for (VolumeGroup group : groups) {
            if (!seen.add(group.name())) {
                sharedGroupNames.add(group.name());
            }
            Set<String> volumes = new HashSet<>();
            Set<String> shared = new HashSet<>();
            for (LogicalVolume volume : group.logicalVolumes()) {
                if (!volumes.add(volume.name())) {
                    shared.add(volume.name());
                }
            }
            sharedVolumeNames.put(group.uuid(), shared);
        }
    }

    /** Returns the name that a volume is shown by. */
    String nameOf(VolumeGroup group, LogicalVolume volume) {
        boolean isPath = group.hasSafeName()
                && volume.hasSafeName()
                && !sharedVolumeNames.getOrDefault(group.uuid(), Set.of()).contains(volume.name());
        if (!isPath) {
            return uuidName(group, volume);
        }
        String qualifier = sharedGroupNames.contains(group.name()) ? "@" + group.uuid() : "";
        return "/dev/" + group.name() + qualifier + "/" + volume.name();
    }

    /** Returns whether a person who says {@code name} means that volume and no other. */
    boolean isNameOf(String name, VolumeGroup group, LogicalVolume volume) {
        return name.equals(nameOf(group, volume))
                || name.equals(uuidName(group, volume))
                || (group.hasSafeName()
                        && name.equals("/dev/" + group.name() + "@" + group.uuid() + "/" + volume.name()));
    }

    /** Returns whether {@code name} fits volumes of several groups. */
    boolean isAmbiguous(String name) {
        for (String group : sharedGroupNames) {
            if (name.startsWith("/dev/" + group + "/")) {
                return true;
            }
        }
        return false;
    }

    /** Returns the name by which a volume can always be addressed. */
    static String uuidName(VolumeGroup group, LogicalVolume volume) {
        return group.uuid() + "/" + volume.uuid();
    }
}
