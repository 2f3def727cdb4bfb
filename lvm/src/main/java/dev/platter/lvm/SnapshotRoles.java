package dev.platter.lvm;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Who is whose snapshot, in the old kind of snapshot. The metadata says it by a volume that is none, with one segment
 * that names the origin and the store of changed chunks; the snapshot itself has the name of the store. lvm2,
 * lib/snapshot/snapshot.c.
 */
final class SnapshotRoles {
    private final Set<String> pseudo = new HashSet<>();
    private final Map<String, String> origins = new HashMap<>();
    private final Map<String, String> merging = new HashMap<>();

    private SnapshotRoles() {}

    static SnapshotRoles of(GroupMetadata group) {
        SnapshotRoles roles = new SnapshotRoles();
        for (LvEntry entry : group.logicalVolumes()) {
            for (Segment segment : entry.segments()) {
                if (segment.type().equals(Segment.SNAPSHOT)) {
                    roles.add(entry, segment.metadata());
                }
            }
        }
        return roles;
    }

    private void add(LvEntry entry, MetadataSection segment) {
        if (entry.refusal() == null && entry.segments().size() == 1) {
            pseudo.add(entry.name());
        }
        String origin = segment.text("origin").orElse("");
        segment.text("cow_store").ifPresent(store -> origins.put(store, origin));
        Optional<String> mergingStore = segment.text("merging_store");
        mergingStore.ifPresent(store -> {
            origins.put(store, origin);
            merging.put(origin, store);
        });
    }

    /** Returns whether a volume only says who is a snapshot; lvs does not list it. */
    boolean isPseudo(LvEntry entry) {
        return pseudo.contains(entry.name());
    }

    /** Returns the origin of the snapshot of that name, or null if it is none. */
    @Nullable
    String originOf(String snapshot) {
        return origins.get(snapshot);
    }

    /** Returns the snapshot that is being merged into the volume of that name, or null. */
    @Nullable
    String mergingInto(String origin) {
        return merging.get(origin);
    }
}
