package dev.platter.lvm;

import dev.platter.core.CorruptImageException;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Turns the sections of a text into the description of a group. lvm2, lib/format_text/import_vsn1.c. */
final class GroupReader {
    /** Flags that must be understood; an unknown one makes what carries it unreadable. lib/format_text/flags.c. */
    private static final Set<String> VG_STATUS =
            Set.of("RESIZEABLE", "READ", "WRITE", "EXPORTED", "CLUSTERED", "SHARED", "PVMOVE", "PARTIAL");

    private static final Set<String> PV_STATUS = Set.of("ALLOCATABLE", "EXPORTED", "MISSING");

    private static final String CONTENTS = "Text Format Volume Group";
    private static final long U32_MAX = 0xffff_ffffL;
    private static final int SECTOR_SIZE = 512;

    private final MetadataSection section;
    private final Limits limits;
    private final WarningList warnings = new WarningList();
    private @Nullable Refusal refusal;

    private GroupReader(MetadataSection section, Limits limits) {
        this.section = section;
        this.limits = limits;
    }

    /**
     * Reads the group that a text describes.
     *
     * @param where begins the messages
     * @throws CorruptImageException if it cannot be told which group that is, in which state
     */
    static GroupMetadata read(MetadataSection text, String where, Limits limits) throws CorruptImageException {
        if (!text.text("contents").filter(CONTENTS::equals).isPresent()) {
            throw new CorruptImageException(where + ": the text does not say that it is a volume group (\"contents\")");
        }
        if (text.number("version").orElse(0) != 1) {
            throw new CorruptImageException(where + ": the text has not version 1, the only one known");
        }
        if (text.sections().isEmpty()) {
            throw new CorruptImageException(where + ": the text holds no volume group");
        }
        return new GroupReader(text.sections().values().iterator().next(), limits).read(text, where);
    }

    private GroupMetadata read(MetadataSection text, String where) throws CorruptImageException {
        String group = where + ": VG " + LvmNames.shown(section.name());
        String uuid = section.text("id").map(LvmNames::uuid).orElse(null);
        if (uuid == null) {
            throw new CorruptImageException(group + " has no valid id");
        }
        OptionalLong seqno = section.number("seqno");
        if (seqno.isEmpty() || seqno.getAsLong() < 0 || seqno.getAsLong() > U32_MAX) {
            throw new CorruptImageException(group + " has no valid seqno");
        }
        if (text.sections().size() > 1) {
            warn("its text holds " + text.sections().size() + " sections, only the first is used");
        }
        if (!LvmNames.isSafe(section.name())) {
            warn("the name breaks the rules for names");
        }
        if (!section.repeatedKeys().isEmpty() || text.repeatedKeys().contains(section.name())) {
            refuse("a key of the group is given twice: " + keys(section));
        }
        checkFlags();
        long extentSize = extentSize();
        List<PvEntry> physicalVolumes = physicalVolumes();
        List<LvEntry> logicalVolumes = logicalVolumes();
        return new GroupMetadata(
                section.name(),
                uuid,
                seqno.getAsLong(),
                extentSize,
                physicalVolumes,
                logicalVolumes,
                refusal,
                warnings.texts(),
                section);
    }

    private void checkFlags() {
        String unknown = firstUnknown(section.texts("status"), VG_STATUS);
        if (unknown != null) {
            refuse(Refusal.unsupported(prefix() + "unknown status flag " + Printable.quote(unknown)));
        }
        Optional<String> format = section.text("format");
        if (format.isPresent() && !format.get().equals("lvm2")) {
            refuse(Refusal.unsupported(prefix() + "unknown format " + Printable.quote(format.get())));
        }
    }

    private long extentSize() {
        long sectors = section.number("extent_size").orElse(0);
        if (sectors < 1 || sectors > U32_MAX) {
            refuse("extent_size is " + sectors + " sectors, allowed are 1.." + U32_MAX);
            return 0;
        }
        return sectors * SECTOR_SIZE;
    }

    private List<PvEntry> physicalVolumes() {
        Optional<MetadataSection> entries = section.section("physical_volumes");
        if (entries.isEmpty()) {
            refuse("the section physical_volumes is not there");
            return List.of();
        }
        List<PvEntry> physicalVolumes = new ArrayList<>();
        Map<String, String> keysByUuid = new HashMap<>();
        for (MetadataSection entry : entries.get().sections().values()) {
            String name = "physical volume " + LvmNames.shown(entry.name());
            String uuid = entry.text("id").map(LvmNames::uuid).orElse(null);
            if (uuid == null) {
                refuse(name + " has no valid id");
                continue;
            }
            String other = keysByUuid.putIfAbsent(uuid, entry.name());
            if (other != null) {
                refuse(name + " has the same UUID as " + LvmNames.shown(other) + ": " + uuid);
            }
            physicalVolumes.add(physicalVolume(entry, uuid, name));
        }
        if (!entries.get().repeatedKeys().isEmpty()) {
            refuse("a physical volume is given twice: " + keys(entries.get()));
        }
        return physicalVolumes;
    }

    private PvEntry physicalVolume(MetadataSection entry, String uuid, String name) {
        List<String> status = entry.texts("status");
        long startSector = entry.number("pe_start").orElse(0);
        long extentCount = entry.number("pe_count").orElse(0);
        String unknown = firstUnknown(status, PV_STATUS);
        Refusal wrong = null;
        if (!entry.repeatedKeys().isEmpty()) {
            wrong = Refusal.corrupt(name + ": a key is given twice: " + keys(entry));
        } else if (unknown != null) {
            wrong = Refusal.unsupported(name + ": unknown status flag " + Printable.quote(unknown));
        } else if (startSector < 0 || startSector > Long.MAX_VALUE / SECTOR_SIZE) {
            wrong = Refusal.corrupt(name + ": pe_start is " + startSector + " sectors");
            startSector = 0;
        } else if (extentCount < 0 || extentCount > U32_MAX) {
            wrong = Refusal.corrupt(name + ": pe_count is " + extentCount + ", allowed are 0.." + U32_MAX);
            extentCount = 0;
        }
        if (wrong == null && startSector == 0 && extentCount > 0) {
            warn(name + ": pe_start is 0, its extents cover the label");
        }
        return new PvEntry(
                entry.name(),
                uuid,
                status,
                entry.texts("flags"),
                entry.texts("tags"),
                wrong == null ? startSector * SECTOR_SIZE : 0,
                wrong == null ? extentCount : 0,
                wrong);
    }

    private List<LvEntry> logicalVolumes() {
        Optional<MetadataSection> entries = section.section("logical_volumes");
        if (entries.isEmpty()) {
            return List.of();
        }
        int count = entries.get().sections().size();
        if (count > limits.volumes()) {
            refuse(Refusal.limit(
                    prefix() + "it has " + count + " logical volumes, Limits.volumes allows " + limits.volumes()));
            return List.of();
        }
        List<LvEntry> logicalVolumes = new ArrayList<>(count);
        Set<String> uuids = new HashSet<>();
        for (MetadataSection entry : entries.get().sections().values()) {
            boolean repeated = entries.get().repeatedKeys().contains(entry.name());
            LvEntry volume = VolumeReader.read(entry, section.name(), repeated);
            if (volume.refusal() == null && !uuids.add(volume.uuid())) {
                warn("the UUID of LV " + LvmNames.shown(volume.name()) + " is that of another LV, too");
            }
            if (!LvmNames.isSafe(volume.name())) {
                warn("the name of LV " + LvmNames.shown(volume.name()) + " breaks the rules for names");
            }
            logicalVolumes.add(volume);
        }
        return logicalVolumes;
    }

    /** Returns the first string that is not in a set, or null. */
    static @Nullable String firstUnknown(List<String> flags, Set<String> known) {
        for (String flag : flags) {
            if (!known.contains(flag)) {
                return flag;
            }
        }
        return null;
    }

    /** Names the keys that a section holds twice. */
    static String keys(MetadataSection section) {
        return section.repeatedKeys().stream()
                .limit(1)
                .map(LvmNames::shown)
                .findFirst()
                .orElse("the group itself");
    }

    private String prefix() {
        return "VG " + LvmNames.shown(section.name()) + ": ";
    }

    private void warn(String what) {
        warnings.add(prefix() + what);
    }

    private void refuse(String what) {
        refuse(Refusal.corrupt(prefix() + what));
    }

    /** Keeps the first reason. */
    private void refuse(Refusal reason) {
        if (refusal == null) {
            refusal = reason;
        }
    }
}
