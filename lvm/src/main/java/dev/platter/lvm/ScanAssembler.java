package dev.platter.lvm;

import dev.platter.core.Limits;
import dev.platter.core.Warning;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Puts what the devices hold together: the newest description of each group, and for each group its devices. */
final class ScanAssembler {
    private final List<FoundPv> found;
    private final int deviceCount;
    private final Limits limits;
    private final Map<String, List<FoundPv>> foundByUuid = new LinkedHashMap<>();
    private final Map<String, GroupMetadata> newest = new LinkedHashMap<>();
    private final Map<String, Refusal> conflicts = new HashMap<>();
    /** Groups that list a physical volume, by its UUID. */
    private final Map<String, List<GroupMetadata>> claims = new HashMap<>();

    ScanAssembler(List<FoundPv> found, int deviceCount, Limits limits) {
        this.found = found;
        this.deviceCount = deviceCount;
        this.limits = limits;
    }

    LvmScan assemble(List<String> problems, List<Warning> warnings) {
        for (FoundPv volume : found) {
            foundByUuid
                    .computeIfAbsent(volume.label().uuid(), uuid -> new ArrayList<>())
                    .add(volume);
            warnings.addAll(volume.warnings());
            volume.copies().forEach(this::keepNewest);
        }
        for (GroupMetadata group : newest.values()) {
            for (PvEntry entry : group.physicalVolumes()) {
                claims.computeIfAbsent(entry.uuid(), uuid -> new ArrayList<>()).add(group);
            }
        }
        warnOfCommonNames(newest.values(), warnings);
        List<VolumeGroup> groups = new ArrayList<>();
        IdentityHashMap<FoundPv, PhysicalVolume> placed = new IdentityHashMap<>();
        List<PhysicalVolume> missing = new ArrayList<>();
        for (GroupMetadata group : newest.values()) {
            GroupAssembler assembler = new GroupAssembler(group, conflicts.get(group.uuid()), limits);
            for (PvEntry entry : group.physicalVolumes()) {
                place(assembler, entry);
            }
            groups.add(assembler.assemble());
            placed.putAll(assembler.placed());
            missing.addAll(assembler.notFound());
            warnings.addAll(assembler.warnings());
        }
        List<PhysicalVolume> physicalVolumes = new ArrayList<>();
        for (FoundPv volume : found) {
            PhysicalVolume known = placed.get(volume);
            physicalVolumes.add(known == null ? orphan(volume, warnings) : known);
        }
        physicalVolumes.addAll(missing);
        return new LvmScan(physicalVolumes, groups, problems, warnings);
    }

    /** Highest seqno wins. Two texts of one seqno that say different things leave nothing to trust. */
    private void keepNewest(GroupMetadata copy) {
        GroupMetadata other = newest.get(copy.uuid());
        if (other == null || copy.seqno() > other.seqno()) {
            newest.put(copy.uuid(), copy);
            conflicts.remove(copy.uuid());
        } else if (copy.seqno() == other.seqno() && !copy.section().equals(other.section())) {
            conflicts.put(
                    copy.uuid(),
                    Refusal.corrupt(
                            "VG " + other.shownName() + ": two different texts have the same seqno " + copy.seqno()));
        }
    }

    private void place(GroupAssembler assembler, PvEntry entry) {
        List<FoundPv> candidates = foundByUuid.getOrDefault(entry.uuid(), List.of());
        if (candidates.isEmpty()) {
            assembler.placeNowhere(
                    entry,
                    Refusal.unavailable("which is not among the " + deviceCount
                            + (deviceCount == 1 ? " device" : " devices") + " given"));
            return;
        }
        if (candidates.size() > 1) {
            assembler.placeOnSeveral(entry, candidates);
            return;
        }
        FoundPv volume = candidates.get(0);
        GroupMetadata home = home(volume);
        if (home != null && !home.uuid().equals(assembler.uuid())) {
            assembler.placeNowhere(
                    entry,
                    Refusal.unavailable(
                            "which is on " + LvmNames.shown(volume.candidate().deviceName()) + " and belongs to VG "
                                    + home.shownName() + " (UUID " + home.uuid() + ")"));
        } else if (home == null && claims.getOrDefault(entry.uuid(), List.of()).size() > 1) {
            assembler.placeNowhere(
                    entry,
                    Refusal.unavailable("which several groups claim, while it does not say which one is its own"));
        } else {
            assembler.place(entry, volume);
        }
    }

    /** Returns the group that a device itself says it belongs to, null if it has no sound text of its own. */
    private @Nullable GroupMetadata home(FoundPv volume) {
        GroupMetadata own = volume.newestCopy();
        return own == null ? null : newest.get(own.uuid());
    }

    private PhysicalVolume orphan(FoundPv volume, List<Warning> warnings) {
        String problem = volume.problem();
        GroupMetadata own = volume.newestCopy();
        GroupMetadata home = home(volume);
        if (problem == null && own != null && home != null) {
            problem = volume.description() + ": its metadata (seqno " + own.seqno() + ") is of VG " + home.shownName()
                    + ", whose newest metadata (seqno " + home.seqno() + ") does not list it";
        }
        if (problem == null && volume.label().inUse()) {
            warnings.add(new Warning(
                    -1,
                    volume.description() + ": the label says that it is in use, but no group was found that has it"));
        }
        long size = volume.candidate().device().size();
        return new PhysicalVolume(
                volume.label().uuid(),
                volume.candidate().deviceName(),
                null,
                null,
                size,
                size,
                size,
                0,
                0,
                false,
                List.of(),
                List.of(),
                volume.label().metadataAreas().size(),
                problem,
                volume.warnings());
    }

    private static void warnOfCommonNames(Collection<GroupMetadata> groups, List<Warning> warnings) {
        Map<String, GroupMetadata> byName = new HashMap<>();
        for (GroupMetadata group : groups) {
            GroupMetadata other = byName.putIfAbsent(group.name(), group);
            if (other != null) {
                warnings.add(new Warning(
                        -1,
                        "VG " + group.shownName() + ": two groups have this name, tell them apart by UUID: "
                                + other.uuid() + " and " + group.uuid()));
            }
        }
    }
}
