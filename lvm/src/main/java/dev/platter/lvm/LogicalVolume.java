package dev.platter.lvm;

import com.google.common.collect.ImmutableList;
import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImageException;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** A logical volume of a group: what the metadata says of it, and the way to its bytes. Immutable. */
public final class LogicalVolume {
    private final LvEntry entry;
    private final long size;
    private final @Nullable String origin;
    private final @Nullable Refusal refusal;
    private final GroupVolumes volumes;

    LogicalVolume(LvEntry entry, long size, @Nullable String origin, @Nullable Refusal refusal, GroupVolumes volumes) {
        this.entry = entry;
        this.size = size;
        this.origin = origin;
        this.refusal = refusal;
        this.volumes = volumes;
    }

    /** Returns the name as the image holds it; see {@link #hasSafeName}. */
    public String name() {
        return entry.name();
    }

    /** Returns whether the name follows the rules of lvm, so that it can be part of a path. */
    public boolean hasSafeName() {
        return LvmNames.isSafe(entry.name());
    }

    /** Returns the UUID in groups of 6-4-4-4-4-4-6 characters, or what the image holds if that is none. */
    public String uuid() {
        return entry.uuid();
    }

    /**
     * Returns the size in bytes, as {@code lvs -o lv_size} says: of a snapshot it is that of its origin. 0 if the
     * metadata gives none that can be.
     */
    public long size() {
        return size;
    }

    /** Returns the segments, in the order of their extents; those before the damage if there is any. */
    public List<Segment> segments() {
        return entry.segments();
    }

    /** Returns the types of the segments as {@code lvs -o segtype} names them, each one once. */
    public List<String> segmentTypes() {
        Set<String> types = new LinkedHashSet<>();
        for (Segment segment : entry.segments()) {
            types.add(segment.reportedType());
        }
        return ImmutableList.copyOf(types);
    }

    /** Returns the name of the volume that this one is a snapshot of, null if it is no snapshot (of the old kind). */
    public @Nullable String origin() {
        return origin;
    }

    /** Returns whether {@code lvs} shows it without {@code -a}: it is no part of another volume. */
    public boolean isVisible() {
        return entry.status().contains("VISIBLE");
    }

    /** Returns flags such as {@code WRITE} and {@code VISIBLE}. */
    public List<String> status() {
        return entry.status();
    }

    /** Returns flags that may be ignored, such as {@code ACTIVATION_SKIP}. */
    public List<String> flags() {
        return entry.flags();
    }

    /** Returns the tags as the image holds them. */
    public List<String> tags() {
        return entry.tags();
    }

    /** Returns the section of the volume with all its keys. */
    public MetadataSection metadata() {
        return entry.metadata();
    }

    /** Returns whether {@link #open} can succeed. */
    public boolean isReadable() {
        return refusal == null;
    }

    /** Returns why it cannot be opened, one sentence; null if it can. */
    public @Nullable String problem() {
        return refusal == null ? null : refusal.text();
    }

    /**
     * Opens the volume. The device stands on the devices that were scanned: it writes to them if they can be written
     * and the metadata allows it, and closing it does not close them. A volume with an {@code error} or {@code zero}
     * segment is read-only: the kernel fails or drops writes there.
     *
     * @throws dev.platter.core.UnsupportedFeatureException if a segment is of a type that cannot be read yet
     * @throws dev.platter.core.CorruptImageException if the metadata contradicts itself or the devices
     * @throws dev.platter.core.LimitExceededException if volumes lie upon volumes deeper than the limits allow
     * @throws DiskImageException if a physical volume that it needs is missing or was given twice; as all of these,
     *     with the sentence of {@link #problem}
     */
    public BlockDevice open() throws DiskImageException {
        if (refusal != null) {
            throw refusal.toException();
        }
        return volumes.open(entry);
    }

    @Override
    public String toString() {
        return "LV " + volumes.shownName(entry) + " (UUID " + LvmNames.shown(entry.uuid()) + ")";
    }
}
