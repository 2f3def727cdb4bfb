package dev.platter.lvm;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Printable;
import dev.platter.core.UnsupportedFeatureException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** Turns the section of a logical volume into its description. lvm2, lib/format_text/import_vsn1.c. */
final class VolumeReader {
    /** Flags that must be understood. lvm2, lib/format_text/flags.c. */
    private static final Set<String> LV_STATUS = Set.of(
            "READ", "WRITE", "VISIBLE", "FIXED_MINOR", "PVMOVE", "LOCKED", "NOTSYNCED", "REBUILD", "WRITEMOSTLY");

    private static final long U32_MAX = 0xffff_ffffL;
    /** A type and its flags; lvm knows two. */
    private static final int TYPE_PARTS_MAX = 16;

    private static final int SECTOR_SIZE = 512;

    private final MetadataSection section;
    private final String shownName;
    private final List<Segment> segments = new ArrayList<>();
    private long extentCount;

    private VolumeReader(MetadataSection section, String group) {
        this.section = section;
        this.shownName = "LV " + LvmNames.shown(group, section.name());
    }

    /** Reads a volume; what is wrong with it ends up in the description. */
    static LvEntry read(MetadataSection section, String group, boolean repeated) {
        VolumeReader reader = new VolumeReader(section, group);
        Refusal refusal = null;
        try {
            if (repeated) {
                throw new CorruptImageException(reader.shownName + ": the group has two volumes of this name");
            }
            reader.readSegments();
            reader.checkIdentity();
        } catch (UnsupportedFeatureException e) {
            refusal = Refusal.unsupported(message(e));
        } catch (DiskImageException e) {
            refusal = Refusal.corrupt(message(e));
        }
        return reader.entry(refusal);
    }

    private LvEntry entry(@Nullable Refusal refusal) {
        String uuid = section.text("id").orElse("");
        String dashed = LvmNames.uuid(uuid);
        return new LvEntry(
                section.name(),
                dashed == null ? uuid : dashed,
                section.texts("status"),
                section.texts("flags"),
                section.texts("tags"),
                segments,
                extentCount,
                section,
                refusal);
    }

    private void checkIdentity() throws DiskImageException {
        if (section.text("id").map(LvmNames::uuid).isEmpty()) {
            throw corrupt("it has no valid id");
        }
        if (!section.repeatedKeys().isEmpty()) {
            throw corrupt("a key is given twice: " + GroupReader.keys(section));
        }
        String unknown = GroupReader.firstUnknown(section.texts("status"), LV_STATUS);
        if (unknown != null) {
            throw new UnsupportedFeatureException(shownName + ": unknown status flag " + Printable.quote(unknown));
        }
    }

    /** Every section inside a volume is a segment, as for lvm. */
    private void readSegments() throws DiskImageException {
        for (MetadataSection entry : section.sections().values()) {
            segments.add(segment(entry));
        }
        segments.sort(Comparator.comparingLong(Segment::startExtent));
        long stated = section.number("segment_count").orElse(0);
        if (stated != segments.size()) {
            throw corrupt("segment_count is " + stated + ", but " + segments.size() + " segments are there");
        }
        if (segments.isEmpty()) {
            throw corrupt("it has no segments");
        }
        for (Segment segment : segments) {
            if (segment.startExtent() != extentCount) {
                throw corrupt("a segment begins at LE " + segment.startExtent() + ", but LE " + extentCount
                        + " is the next one");
            }
            extentCount = segment.endExtent();
        }
        if (extentCount > U32_MAX) {
            throw corrupt("it has " + extentCount + " extents, allowed are " + U32_MAX);
        }
    }

    private Segment segment(MetadataSection entry) throws DiskImageException {
        String name = "segment " + LvmNames.shown(entry.name());
        if (!entry.repeatedKeys().isEmpty()) {
            throw corrupt(name + ": a key is given twice: " + GroupReader.keys(entry));
        }
        long start = entry.number("start_extent").orElse(-1);
        long count = entry.number("extent_count").orElse(-1);
        if (start < 0 || start > U32_MAX || count < 1 || count > U32_MAX) {
            throw corrupt(name + " has start_extent " + start + " and extent_count " + count);
        }
        String stated = entry.text("type").orElse("");
        if (stated.isEmpty()) {
            throw corrupt(name + " has no type");
        }
        List<String> parts = List.of(stated.split("\\+", TYPE_PARTS_MAX));
        String type = parts.get(0).equals(Segment.LINEAR) ? Segment.STRIPED : parts.get(0);
        List<String> flags = parts.subList(1, parts.size());
        return switch (type) {
            case Segment.STRIPED -> striped(entry, start, count, flags, name);
            case Segment.MIRROR -> new Segment(start, count, type, flags, 0, mirrorAreas(entry), entry);
            default -> new Segment(start, count, type, flags, 0, List.of(), entry);
        };
    }

    private Segment striped(MetadataSection entry, long start, long count, List<String> flags, String name)
            throws CorruptImageException {
        long stripes = entry.number("stripe_count").orElse(0);
        List<Segment.Area> areas = areas(entry, "stripes", name);
        if (stripes < 1 || stripes != areas.size()) {
            throw corrupt(name + ": stripe_count is " + stripes + ", but " + areas.size() + " stripes are there");
        }
        if (stripes == 1) {
            return new Segment(start, count, Segment.STRIPED, flags, 0, areas, entry);
        }
        long sectors = entry.number("stripe_size").orElse(0);
        if (sectors < 1 || sectors > U32_MAX) {
            throw corrupt(name + ": stripe_size is " + sectors + " sectors, allowed are 1.." + U32_MAX);
        }
        if (count % stripes != 0) {
            throw corrupt(name + ": " + count + " extents do not divide into " + stripes + " stripes");
        }
        return new Segment(start, count, Segment.STRIPED, flags, sectors * SECTOR_SIZE, areas, entry);
    }

    /** A mirror is listed whatever its areas look like; it is not read. */
    private List<Segment.Area> mirrorAreas(MetadataSection entry) {
        try {
            return areas(entry, "mirrors", "mirror");
        } catch (CorruptImageException e) {
            return List.of();
        }
    }

    /** Reads a list of names and extents by turns. */
    private List<Segment.Area> areas(MetadataSection entry, String key, String name) throws CorruptImageException {
        List<MetadataValue> items =
                entry.values().get(key) instanceof MetadataValue.Items list ? list.values() : List.of();
        if (items.size() % 2 != 0) {
            throw corrupt(name + ": " + key + " names " + items.size() + " values, they must be pairs");
        }
        List<Segment.Area> areas = new ArrayList<>(items.size() / 2);
        for (int i = 0; i < items.size(); i += 2) {
            if (!(items.get(i) instanceof MetadataValue.Text text)
                    || !(items.get(i + 1) instanceof MetadataValue.Whole extent)) {
                throw corrupt(name + ": " + key + " must be names and extents by turns");
            }
            if (extent.value() < 0 || extent.value() > U32_MAX) {
                throw corrupt(name + ": " + key + " has the extent " + extent.value());
            }
            areas.add(new Segment.Area(text.value(), extent.value()));
        }
        return areas;
    }

    private CorruptImageException corrupt(String what) {
        return new CorruptImageException(shownName + ": " + what);
    }

    private static String message(DiskImageException e) {
        String message = e.getMessage();
        return message == null ? "" : message;
    }
}
