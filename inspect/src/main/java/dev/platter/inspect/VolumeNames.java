package dev.platter.inspect;

import dev.platter.core.Printable;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.VolumeGroup;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Names of logical volumes. {@code /dev/vg0/root} where that is one volume; {@code /dev/vg0@<VG UUID>/root} where several
 * groups are called vg0; {@code <VG UUID>/<LV UUID>} always, and as the only name where the names make no path or one
 * that two volumes of the group have.
 */
final class VolumeNames {
    /** How many names a message lists. */
    private static final int MOST_LISTED = 8;

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
        if (!isPath(group, volume)) {
            return uuidName(group, volume);
        }
        return sharedGroupNames.contains(group.name()) ? qualifiedName(group, volume) : plainName(group, volume);
    }

    /** Returns whether a person who says {@code name} means that volume and no other. */
    boolean isNameOf(String name, VolumeGroup group, LogicalVolume volume) {
        return name.equals(nameOf(group, volume))
                || name.equals(uuidName(group, volume))
                || (isPath(group, volume) && name.equals(qualifiedName(group, volume)));
    }

    /** Returns the names of the volumes that a person may mean who says {@code name}, where that is the name of none. */
    List<String> candidates(String name, List<VolumeGroup> groups) {
        List<String> names = new ArrayList<>();
        for (VolumeGroup group : groups) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                if (name.equals(plainName(group, volume)) || name.equals(qualifiedName(group, volume))) {
                    names.add(nameOf(group, volume));
                }
            }
        }
        return names;
    }

    /** Returns a list of names for a message, not without end. */
    static String list(List<String> names) {
        String listed = Printable.escape(String.join(" or ", names.subList(0, Math.min(MOST_LISTED, names.size()))));
        return names.size() > MOST_LISTED ? listed + " or " + (names.size() - MOST_LISTED) + " more" : listed;
    }

    private boolean isPath(VolumeGroup group, LogicalVolume volume) {
        return group.hasSafeName()
                && volume.hasSafeName()
                && !sharedVolumeNames.getOrDefault(group.uuid(), Set.of()).contains(volume.name());
    }

    private static String plainName(VolumeGroup group, LogicalVolume volume) {
        return "/dev/" + group.name() + "/" + volume.name();
    }

    private static String qualifiedName(VolumeGroup group, LogicalVolume volume) {
        return "/dev/" + group.name() + "@" + group.uuid() + "/" + volume.name();
    }

    /** Returns the name by which a volume can always be addressed. */
    static String uuidName(VolumeGroup group, LogicalVolume volume) {
        return group.uuid() + "/" + volume.uuid();
    }
}
