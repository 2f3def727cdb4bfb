package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import dev.platter.core.Warning;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/** Makes a group out of its description and the devices that were found for it. */
final class GroupAssembler {
    private final GroupMetadata group;
    private final Limits limits;
    private final Map<String, PvPlace> places = new LinkedHashMap<>();
    private final Map<String, List<FoundPv>> devices = new HashMap<>();
    private final IdentityHashMap<FoundPv, PhysicalVolume> placed = new IdentityHashMap<>();
    private final List<PhysicalVolume> notFound = new ArrayList<>();
    private final WarningList warnings = new WarningList();
    private @Nullable Refusal refusal;

    GroupAssembler(GroupMetadata group, @Nullable Refusal conflict, Limits limits) {
        this.group = group;
        this.limits = limits;
        this.refusal = group.refusal() == null ? conflict : group.refusal();
        group.warnings().forEach(this::warn);
    }

    String uuid() {
        return group.uuid();
    }

    /** Takes a physical volume whose device cannot be used, and why. */
    void placeNowhere(PvEntry entry, Refusal why) {
        places.put(entry.key(), new PvPlace(entry, null, why));
        devices.put(entry.key(), List.of());
        warn("VG " + group.shownName() + " needs PV " + LvmNames.shown(entry.key()) + " (UUID " + entry.uuid() + "), "
                + why.text());
    }

    /** Takes a physical volume that is there more than once; nobody can tell which one is the right one. */
    void placeOnSeveral(PvEntry entry, List<FoundPv> copies) {
        String names = copies.stream()
                .limit(8)
                .map(copy -> Printable.quote(copy.candidate().deviceName()))
                .collect(Collectors.joining(" and "));
        Refusal twice = Refusal.unavailable("VG " + group.shownName() + ": the PV with UUID " + entry.uuid()
                + " is there " + copies.size() + " times, on " + names + "; give only one of them");
        if (refusal == null) {
            refusal = twice;
        }
        places.put(entry.key(), new PvPlace(entry, null, twice));
        devices.put(entry.key(), copies);
    }

    /** Takes the device of a physical volume. */
    void place(PvEntry entry, FoundPv volume) {
        Refusal why = entry.refusal();
        if (entry.isMarkedMissing()) {
            why = Refusal.unavailable("which the metadata marks as missing: what "
                    + LvmNames.shown(volume.candidate().deviceName()) + " holds is stale");
            warn("VG " + group.shownName() + ": PV " + LvmNames.shown(entry.key()) + " on "
                    + Printable.quote(volume.candidate().deviceName())
                    + " is marked as missing; the group was changed without it");
        } else if (why != null) {
            warn("VG " + group.shownName() + ": " + why.text());
            why = why.reworded("which cannot be used: " + why.text());
        }
        GroupMetadata own = volume.newestCopy();
        if (own != null && own.seqno() < group.seqno()) {
            warn(volume.description() + ": its metadata has seqno " + own.seqno() + ", the newest of VG "
                    + group.shownName() + " has " + group.seqno());
        }
        places.put(entry.key(), new PvPlace(entry, volume.candidate().device(), why));
        devices.put(entry.key(), List.of(volume));
    }

    VolumeGroup assemble() {
        ExtentUse use = ExtentUse.of(group);
        use.overlaps().forEach(this::warn);
        long size = 0;
        long free = 0;
        for (PvEntry entry : group.physicalVolumes()) {
            long bytes = ExtentMath.bytes(entry.extentCount(), group.extentSize());
            if (bytes < 0 || bytes > Long.MAX_VALUE - size) {
                refuse("VG " + group.shownName() + ": its extents are more than 2^63-1 bytes");
                bytes = 0;
            }
            size += bytes;
            free += bytes == 0 ? 0 : freeBytes(entry, use);
        }
        List<PhysicalVolume> physicalVolumes = new ArrayList<>();
        for (PvEntry entry : group.physicalVolumes()) {
            physicalVolumes.addAll(physicalVolumes(entry, use));
        }
        int missing = (int) places.values().stream()
                .filter(place -> place.device() == null || place.entry().isMarkedMissing())
                .count();
        List<String> status = group.section().texts("status");
        GroupVolumes volumes = new GroupVolumes(group, places, refusal, limits);
        return new VolumeGroup(
                group.name(),
                group.uuid(),
                group.seqno(),
                group.extentSize(),
                size,
                free,
                missing,
                status,
                group.section().texts("tags"),
                status.contains("EXPORTED"),
                refusal == null ? null : refusal.text(),
                physicalVolumes,
                volumes.volumes(),
                group.section());
    }

    private long freeBytes(PvEntry entry, ExtentUse use) {
        long extents = Math.max(0, entry.extentCount() - use.extents(entry.key()));
        return Math.max(0, ExtentMath.bytes(extents, group.extentSize()));
    }

    private List<PhysicalVolume> physicalVolumes(PvEntry entry, ExtentUse use) {
        List<FoundPv> copies = devices.getOrDefault(entry.key(), List.of());
        if (copies.isEmpty()) {
            PhysicalVolume missing = physicalVolume(entry, null, use);
            notFound.add(missing);
            return List.of(missing);
        }
        ImmutableList.Builder<PhysicalVolume> physicalVolumes = ImmutableList.builder();
        for (FoundPv copy : copies) {
            PhysicalVolume physicalVolume = physicalVolume(entry, copy, use);
            placed.put(copy, physicalVolume);
            physicalVolumes.add(physicalVolume);
        }
        return physicalVolumes.build();
    }

    private PhysicalVolume physicalVolume(PvEntry entry, @Nullable FoundPv volume, ExtentUse use) {
        PvPlace place = places.get(entry.key());
        boolean missing = place == null || place.device() == null || entry.isMarkedMissing();
        return new PhysicalVolume(
                entry.uuid(),
                volume == null ? null : volume.candidate().deviceName(),
                group.name(),
                group.uuid(),
                Math.max(0, ExtentMath.bytes(entry.extentCount(), group.extentSize())),
                freeBytes(entry, use),
                volume == null ? 0 : volume.candidate().device().size(),
                entry.dataOffset(),
                entry.extentCount(),
                missing,
                entry.status(),
                entry.tags(),
                volume == null ? 0 : volume.label().metadataAreas().size(),
                problem(entry, place, volume),
                volume == null ? List.of() : volume.warnings());
    }

    private @Nullable String problem(PvEntry entry, @Nullable PvPlace place, @Nullable FoundPv volume) {
        String name = "PV " + LvmNames.shown(entry.key()) + " (UUID " + entry.uuid() + ")";
        if (place != null && place.refusal() != null) {
            String why = place.refusal().text();
            return why.startsWith("which ") ? name + ", " + why : why;
        }
        if (volume == null) {
            return null;
        }
        if (volume.problem() != null) {
            return Printable.escape(volume.problem());
        }
        BlockDevice device = volume.candidate().device();
        long bytes = ExtentMath.bytes(entry.extentCount(), group.extentSize());
        if (bytes < 0 || entry.dataOffset() > device.size() || bytes > device.size() - entry.dataOffset()) {
            return device.description() + ": the " + entry.extentCount() + " extents from byte " + entry.dataOffset()
                    + " on do not lie inside the device (" + device.size() + " bytes)";
        }
        return null;
    }

    /** Returns the physical volumes that were found, by what was found. */
    IdentityHashMap<FoundPv, PhysicalVolume> placed() {
        return placed;
    }

    /** Returns the physical volumes without a device. */
    List<PhysicalVolume> notFound() {
        return notFound;
    }

    List<Warning> warnings() {
        List<Warning> all = new ArrayList<>();
        warnings.texts().forEach(text -> all.add(new Warning(-1, text)));
        return all;
    }

    private void warn(String what) {
        warnings.add(what);
    }

    private void refuse(String what) {
        if (refusal == null) {
            refusal = Refusal.corrupt(what);
        }
    }
}
