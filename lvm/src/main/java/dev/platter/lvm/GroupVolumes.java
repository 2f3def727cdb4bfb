package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.BlockDevice;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Limits;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** The volumes of a group: which can be read, and their devices. Immutable once made. */
final class GroupVolumes {
    private final GroupMetadata group;
    private final Map<String, PvPlace> places;
    private final Map<String, LvEntry> entries = new HashMap<>();
    private final Map<String, Refusal> refusals;
    private final ImmutableList<LogicalVolume> volumes;

    GroupVolumes(GroupMetadata group, Map<String, PvPlace> places, @Nullable Refusal groupRefusal, Limits limits) {
        this.group = group;
        this.places = places;
        for (LvEntry entry : group.logicalVolumes()) {
            entries.put(entry.name(), entry);
        }
        SnapshotRoles snapshots = SnapshotRoles.of(group);
        this.refusals = new VolumeResolver(group, places, snapshots, limits).refusals();
        ImmutableList.Builder<LogicalVolume> listed = ImmutableList.builder();
        for (LvEntry entry : group.logicalVolumes()) {
            if (snapshots.isPseudo(entry)) {
                continue;
            }
            Refusal refusal = groupRefusal == null ? refusals.get(entry.name()) : groupRefusal;
            String origin = snapshots.originOf(entry.name());
            LvEntry sized = origin == null ? entry : entries.getOrDefault(origin, entry);
            long size = Math.max(0, ExtentMath.bytes(sized.extentCount(), group.extentSize()));
            listed.add(new LogicalVolume(entry, size, origin, refusal, this));
        }
        this.volumes = listed.build();
    }

    List<LogicalVolume> volumes() {
        return volumes;
    }

    String shownName(LvEntry entry) {
        return LvmNames.shown(group.name(), entry.name());
    }

    /** Opens a volume that nothing speaks against. */
    BlockDevice open(LvEntry entry) throws DiskImageException {
        return open(entry, new HashMap<>());
    }

    /**
     * Opens a volume and those that it lies on, each of these once. Recursive: the resolver has refused what lies deeper
     * than {@link Limits#nesting} volumes.
     */
    private VolumeDevice open(LvEntry entry, Map<String, VolumeDevice> opened) throws DiskImageException {
        VolumeDevice known = opened.get(entry.name());
        if (known != null) {
            return known;
        }
        SegmentMap.Builder map = new SegmentMap.Builder(entry.segments().size());
        for (Segment segment : entry.segments()) {
            long start = ExtentMath.bytes(segment.startExtent(), group.extentSize());
            switch (segment.type()) {
                case Segment.ZERO -> map.addZero(start);
                case Segment.ERROR -> map.addError(start);
                default -> {
                    map.addStriped(start, segment.stripeSize());
                    for (Segment.Area area : segment.areas()) {
                        addArea(map, area, opened);
                    }
                }
            }
        }
        boolean writable = entry.status().contains("WRITE")
                && group.section().texts("status").contains("WRITE");
        VolumeDevice device = new VolumeDevice(
                shownName(entry),
                map.build(ExtentMath.bytes(entry.extentCount(), group.extentSize())),
                group.extentSize(),
                writable);
        opened.put(entry.name(), device);
        return device;
    }

    private void addArea(SegmentMap.Builder map, Segment.Area area, Map<String, VolumeDevice> opened)
            throws DiskImageException {
        long offset = ExtentMath.bytes(area.startExtent(), group.extentSize());
        PvPlace place = places.get(area.name());
        if (place != null && place.device() != null) {
            map.addArea(place.device(), place.entry().dataOffset() + offset);
            return;
        }
        LvEntry below = entries.get(area.name());
        if (below == null) {
            throw new CorruptImageException("VG " + group.shownName() + ": " + LvmNames.shown(area.name())
                    + " is neither a physical nor a logical volume of the group");
        }
        map.addArea(open(below, opened), offset);
    }
}
