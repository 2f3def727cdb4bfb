package dev.platter.lvm;

import dev.platter.core.Bounds;
import dev.platter.core.Limits;
import java.util.ArrayDeque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Finds out which volumes of a group can be read, and why the others cannot: once for each volume, those below first,
 * without recursion, so that thousands of volumes upon volumes or a ring of them cost no more than a list.
 */
final class VolumeResolver {
    private final GroupMetadata group;
    private final Map<String, PvPlace> places;
    private final SnapshotRoles snapshots;
    private final Limits limits;
    private final Map<String, Node> nodes = new HashMap<>();

    /** A volume on its way to be resolved. */
    private static final class Node {
        final LvEntry entry;
        boolean entered;
        boolean left;
        int segment;
        int area;
        /** Volumes upon volumes, this one included. */
        int depth = 1;

        @Nullable
        Refusal refusal;

        Node(LvEntry entry) {
            this.entry = entry;
        }
    }

    VolumeResolver(GroupMetadata group, Map<String, PvPlace> places, SnapshotRoles snapshots, Limits limits) {
        this.group = group;
        this.places = places;
        this.snapshots = snapshots;
        this.limits = limits;
        for (LvEntry entry : group.logicalVolumes()) {
            nodes.put(entry.name(), new Node(entry));
        }
    }

    /** Returns the reasons by the names of the volumes that cannot be read. */
    Map<String, Refusal> refusals() {
        ArrayDeque<Node> path = new ArrayDeque<>();
        for (LvEntry entry : group.logicalVolumes()) {
            enter(nodes.get(entry.name()), path);
            while (!path.isEmpty()) {
                step(path.element(), path);
            }
        }
        Map<String, Refusal> refusals = new HashMap<>();
        for (Node node : nodes.values()) {
            if (node.refusal != null) {
                refusals.put(node.entry.name(), node.refusal);
            }
        }
        return refusals;
    }

    private void enter(@Nullable Node node, ArrayDeque<Node> path) {
        if (node != null && !node.entered) {
            node.entered = true;
            node.refusal = checkAlone(node.entry);
            path.push(node);
        }
    }

    /** Looks at the next area of the volume on top, or leaves the volume when there is none or it is refused. */
    private void step(Node node, ArrayDeque<Node> path) {
        List<Segment> segments = node.entry.segments();
        while (node.refusal == null && node.segment < segments.size()) {
            Segment segment = segments.get(node.segment);
            if (node.area == segment.areas().size()) {
                node.segment++;
                node.area = 0;
                continue;
            }
            Segment.Area area = segment.areas().get(node.area);
            PvPlace place = places.get(area.name());
            if (place != null) {
                node.refusal = checkPlace(node.entry, segment, area, place);
                node.area++;
                continue;
            }
            Node below = nodes.get(area.name());
            if (below != null && !below.entered) {
                enter(below, path);
                return;
            }
            node.refusal = checkBelow(node, segment, area, below);
            node.area++;
        }
        node.left = true;
        path.pop();
    }

    /** Checks what can be said of a volume without looking at what it lies on. */
    private @Nullable Refusal checkAlone(LvEntry entry) {
        if (entry.refusal() != null) {
            return entry.refusal();
        }
        if (snapshots.originOf(entry.name()) != null) {
            return Refusal.unsupported(name(entry) + ": segment type snapshot cannot be read yet");
        }
        String merging = snapshots.mergingInto(entry.name());
        if (merging != null) {
            return Refusal.unsupported(name(entry) + ": the snapshot " + LvmNames.shown(merging)
                    + " is being merged into it, which cannot be read yet");
        }
        for (Segment segment : entry.segments()) {
            Refusal refusal = checkType(entry, segment);
            if (refusal != null) {
                return refusal;
            }
        }
        if (ExtentMath.bytes(entry.extentCount(), group.extentSize()) < 0) {
            return Refusal.corrupt(name(entry) + ": its " + entry.extentCount() + " extents of " + group.extentSize()
                    + " bytes are more than 2^63-1 bytes");
        }
        return null;
    }

    private @Nullable Refusal checkType(LvEntry entry, Segment segment) {
        String type = segment.type();
        boolean known = type.equals(Segment.STRIPED) || type.equals(Segment.ZERO) || type.equals(Segment.ERROR);
        if (!known || !segment.typeFlags().isEmpty()) {
            String flags = segment.typeFlags().isEmpty() ? "" : "+" + String.join("+", segment.typeFlags());
            return Refusal.unsupported(name(entry) + ": segment type " + LvmNames.shown(type)
                    + (flags.isEmpty() ? "" : " with the flags " + LvmNames.shown(flags)) + " cannot be read yet");
        }
        long areaBytes = ExtentMath.bytes(segment.extentsPerArea(), group.extentSize());
        if (segment.stripeSize() > 0 && (areaBytes < 0 || areaBytes % segment.stripeSize() != 0)) {
            return Refusal.corrupt(segment(entry, segment) + ": stripes of " + areaBytes
                    + " bytes do not divide into chunks of " + segment.stripeSize());
        }
        return null;
    }

    private @Nullable Refusal checkPlace(LvEntry entry, Segment segment, Segment.Area area, PvPlace place) {
        String needs = segment(entry, segment) + " needs PV " + LvmNames.shown(area.name()) + " (UUID "
                + place.entry().uuid() + "), ";
        if (place.refusal() != null) {
            return place.refusal().reworded(needs + place.refusal().text());
        }
        long count = segment.extentsPerArea();
        if (!Bounds.inside(area.startExtent(), count, place.entry().extentCount())) {
            return Refusal.corrupt(needs + "extents " + area.startExtent() + ".." + (area.startExtent() + count - 1)
                    + ", but that has " + place.entry().extentCount());
        }
        long size = place.device() == null ? 0 : place.device().size();
        long start = ExtentMath.bytes(area.startExtent(), group.extentSize());
        long length = ExtentMath.bytes(count, group.extentSize());
        long room = size - place.entry().dataOffset();
        if (start < 0 || length < 0 || room < 0 || !Bounds.inside(start, length, room)) {
            return Refusal.corrupt(needs + "extents " + area.startExtent() + ".." + (area.startExtent() + count - 1)
                    + ", which lie beyond the end of its device (" + size + " bytes)");
        }
        return null;
    }

    private @Nullable Refusal checkBelow(Node node, Segment segment, Segment.Area area, @Nullable Node below) {
        String needs = segment(node.entry, segment) + " lies on " + LvmNames.shown(area.name());
        if (below == null) {
            return Refusal.corrupt(needs + ", which is neither a physical nor a logical volume of the group");
        }
        if (!below.left) {
            return Refusal.corrupt(needs + ", which lies on it in turn");
        }
        if (below.refusal != null) {
            // only the reason of the lowest volume is passed on: a sentence does not grow with the stack
            String root = below.refusal.root();
            return below.refusal.reworded(needs + ": " + root).withRoot(root);
        }
        node.depth = Math.max(node.depth, below.depth + 1);
        if (node.depth > limits.nesting()) {
            return Refusal.limit(name(node.entry) + ": it lies on more volumes upon volumes than Limits.nesting ("
                    + limits.nesting() + ") allows");
        }
        long count = segment.extentsPerArea();
        if (!Bounds.inside(area.startExtent(), count, below.entry.extentCount())) {
            return Refusal.corrupt(needs + ", extents " + area.startExtent() + ".." + (area.startExtent() + count - 1)
                    + ", but that has " + below.entry.extentCount());
        }
        return null;
    }

    private String segment(LvEntry entry, Segment segment) {
        return name(entry) + ": segment at LE " + segment.startExtent();
    }

    private String name(LvEntry entry) {
        return "LV " + LvmNames.shown(group.name(), entry.name());
    }
}
