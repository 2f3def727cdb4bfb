package dev.platter.interop;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.filesystem.FileSystem;
import dev.platter.inspect.ImageInspector;
import dev.platter.lvm.LogicalVolume;
import dev.platter.lvm.VolumeGroup;
import dev.platter.partition.Partition;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;

/** The same facts, as one line of text each, from the manifest and from an inspection: so that lists can be compared. */
final class ManifestRows {

    private ManifestRows() {}

    static List<String> partitions(JsonNode table) {
        List<String> rows = new ArrayList<>();
        for (JsonNode p : table.path("partitions")) {
            rows.add(partition(
                    p.path("number").asInt(),
                    p.path("start").asLong(),
                    p.path("size").asLong(),
                    p.path("type").asText(),
                    p.path("bootable").asBoolean()));
        }
        return rows;
    }

    static List<String> partitions(ImageInspector image) {
        List<String> rows = new ArrayList<>();
        for (Partition p : image.partitions()) {
            rows.add(partition(p.number(), p.start(), p.size(), p.type(), p.bootable()));
        }
        return rows;
    }

    private static String partition(int number, long start, long size, String type, boolean bootable) {
        return number + ": " + size + " at " + start + ", type " + typeCode(type) + (bootable ? ", bootable" : "");
    }

    /** sfdisk prints a dos type without 0x and without leading zeros. */
    private static String typeCode(String type) {
        if (type.length() > 4) {
            return type.toUpperCase(Locale.ROOT);
        }
        String digits = type.toLowerCase(Locale.ROOT).replaceFirst("^0x", "");
        return Integer.toHexString(Integer.parseInt(digits, 16));
    }

    static List<String> partitionNames(JsonNode table) {
        List<String> rows = new ArrayList<>();
        for (JsonNode p : table.path("partitions")) {
            rows.add(p.path("number").asInt() + ": " + text(p, "name") + " "
                    + text(p, "uuid").toUpperCase(Locale.ROOT));
        }
        return rows;
    }

    static List<String> partitionNames(ImageInspector image) {
        List<String> rows = new ArrayList<>();
        for (Partition p : image.partitions()) {
            rows.add(p.number() + ": " + or(p.name()) + " " + or(p.uuid()).toUpperCase(Locale.ROOT));
        }
        return rows;
    }

    /** What blkid found; physical volumes, and volumes that lvs hides, are not shown as file systems. */
    static Set<String> fileSystems(JsonNode list, JsonNode logicalVolumes) {
        Set<String> hidden = hiddenVolumes(logicalVolumes);
        Set<String> rows = new TreeSet<>();
        for (JsonNode f : list) {
            String type = text(f, "type");
            String device = text(f, "device");
            if (!type.equals("LVM2_member") && !type.equals("unknown") && !hidden.contains(device)) {
                rows.add(device + ": " + type + " label " + text(f, "label") + " uuid " + text(f, "uuid"));
            }
        }
        return rows;
    }

    static Set<String> fileSystems(ImageInspector image) {
        Set<String> rows = new TreeSet<>();
        for (Map.Entry<String, FileSystem> entry : image.fileSystems().entrySet()) {
            FileSystem f = entry.getValue();
            rows.add(entry.getKey() + ": " + f.type() + " label " + or(f.label()) + " uuid " + or(f.uuid()));
        }
        return rows;
    }

    private static Set<String> hiddenVolumes(JsonNode logicalVolumes) {
        Set<String> hidden = new HashSet<>();
        for (JsonNode lv : logicalVolumes) {
            if (isPrivate(lv)) {
                hidden.add("/dev/" + text(lv, "vg_name") + "/" + text(lv, "lv_name"));
            }
        }
        return hidden;
    }

    static Set<String> volumeGroups(JsonNode lvm) {
        Set<String> rows = new TreeSet<>();
        for (JsonNode vg : lvm.path("vgs")) {
            rows.add(text(vg, "vg_name") + " " + text(vg, "vg_uuid") + " "
                    + vg.path("vg_size").asLong() + " free "
                    + vg.path("vg_free").asLong() + " seqno "
                    + vg.path("vg_seqno").asLong() + " missing "
                    + vg.path("vg_missing_pv_count").asInt());
        }
        return rows;
    }

    static Set<String> volumeGroups(ImageInspector image) {
        Set<String> rows = new TreeSet<>();
        for (VolumeGroup group : image.volumeGroups()) {
            rows.add(group.name() + " " + group.uuid() + " " + group.size() + " free " + group.free() + " seqno "
                    + group.seqno() + " missing " + group.missingPhysicalVolumes());
        }
        return rows;
    }

    static Set<String> logicalVolumes(JsonNode lvm, boolean privateToo) {
        Set<String> rows = new TreeSet<>();
        for (JsonNode lv : lvm.path("lvs")) {
            if (privateToo || !isPrivate(lv)) {
                rows.add(text(lv, "lv_name") + " " + text(lv, "lv_uuid") + " "
                        + lv.path("lv_size").asLong());
            }
        }
        return rows;
    }

    static Set<String> visibleVolumes(ImageInspector image) {
        Set<String> rows = new TreeSet<>();
        for (VolumeGroup group : image.volumeGroups()) {
            for (LogicalVolume volume : group.logicalVolumes()) {
                if (volume.isVisible()) {
                    rows.add(volume.name() + " " + volume.uuid() + " " + volume.size());
                }
            }
        }
        return rows;
    }

    static boolean isExported(JsonNode lvm) {
        for (JsonNode vg : lvm.path("vgs")) {
            if (text(vg, "vg_exported").equals("exported")) {
                return true;
            }
        }
        return false;
    }

    static boolean isPrivate(JsonNode logicalVolume) {
        return text(logicalVolume, "lv_role").contains("private");
    }

    /** Returns a text of the manifest; empty where it is null or absent. */
    static String text(JsonNode node, String key) {
        JsonNode value = node.path(key);
        return value.isNull() ? "" : value.asText();
    }

    private static String or(@Nullable String text) {
        return text == null ? "" : text;
    }
}
