package dev.platter.lvm;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Which extents of the physical volumes of a group the volumes take, and where two take the same. */
final class ExtentUse {
    /** Overlaps told one by one; hostile metadata may hold one for each volume. */
    private static final int OVERLAPS_TOLD = 32;

    private final Map<String, Long> extents = new HashMap<>();
    private final List<String> overlaps = new ArrayList<>();

    private record Range(String pv, long start, long end, LvEntry volume) {}

    private ExtentUse() {}

    /** Counts the extents of all segments whose areas are known; those of other types lie on volumes that are counted. */
    static ExtentUse of(GroupMetadata group) {
        ExtentUse use = new ExtentUse();
        for (PvEntry entry : group.physicalVolumes()) {
            use.extents.put(entry.key(), 0L);
        }
        List<Range> ranges = new ArrayList<>();
        for (LvEntry volume : group.logicalVolumes()) {
            for (Segment segment : volume.segments()) {
                for (Segment.Area area : segment.areas()) {
                    Long known = use.extents.get(area.name());
                    if (known != null) {
                        long count = segment.extentsPerArea();
                        use.extents.put(area.name(), known + count);
                        ranges.add(new Range(area.name(), area.startExtent(), area.startExtent() + count, volume));
                    }
                }
            }
        }
        use.findOverlaps(group, ranges);
        return use;
    }

    private void findOverlaps(GroupMetadata group, List<Range> ranges) {
        ranges.sort(Comparator.comparing(Range::pv).thenComparingLong(Range::start));
        int found = 0;
        for (int i = 1; i < ranges.size(); i++) {
            Range last = ranges.get(i - 1);
            Range next = ranges.get(i);
            if (!next.pv.equals(last.pv) || next.start >= last.end) {
                continue;
            }
            if (found++ < OVERLAPS_TOLD) {
                overlaps.add("VG " + group.shownName() + ": " + LvmNames.shown(last.volume.name()) + " and "
                        + LvmNames.shown(next.volume.name()) + " both have extent " + next.start + " of PV "
                        + LvmNames.shown(next.pv));
            }
            if (last.end > next.end) {
                ranges.set(i, new Range(next.pv, next.start, last.end, last.volume));
            }
        }
        if (found > OVERLAPS_TOLD) {
            overlaps.add("VG " + group.shownName() + ": " + (found - OVERLAPS_TOLD) + " more volumes overlap");
        }
    }

    /** Returns how many extents of a physical volume are taken; those taken twice count twice. */
    long extents(String pv) {
        return extents.getOrDefault(pv, 0L);
    }

    /** Returns a sentence for each place that two volumes have in common, the first ones of many. */
    List<String> overlaps() {
        return overlaps;
    }
}
