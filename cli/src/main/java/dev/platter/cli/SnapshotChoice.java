package dev.platter.cli;

import dev.platter.core.SnapshotInfo;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The internal snapshot that {@code nbd -l} names: {@code NAME}, {@code ID}, {@code snapshot.id=ID}, {@code
 * snapshot.name=NAME}, or both of these.
 */
record SnapshotChoice(@Nullable String id, @Nullable String name, boolean either) {

    /** @throws StartFailure if it is another option */
    static SnapshotChoice parse(String text) throws StartFailure {
        if (!text.startsWith("snapshot.")) {
            return new SnapshotChoice(text, text, true);
        }
        DottedOptions options = DottedOptions.parse(text, "snapshot.id", true);
        SnapshotChoice choice = new SnapshotChoice(options.take("snapshot.id"), options.take("snapshot.name"), false);
        String left = options.left();
        if (left != null) {
            throw new StartFailure("Failed in parsing snapshot param `" + text + "': Invalid parameter '" + left + "'");
        }
        return choice;
    }

    /**
     * Returns the id of the snapshot.
     *
     * @throws StartFailure if there is none
     */
    String find(List<SnapshotInfo> snapshots) throws StartFailure {
        if (either) {
            // An id comes before a name.
            for (SnapshotInfo snapshot : snapshots) {
                if (snapshot.id().equals(id)) {
                    return snapshot.id();
                }
            }
        }
        for (SnapshotInfo snapshot : snapshots) {
            boolean matches = either
                    ? snapshot.name().equals(name)
                    : (id == null || snapshot.id().equals(id))
                            && (name == null || snapshot.name().equals(name));
            if (matches) {
                return snapshot.id();
            }
        }
        throw new StartFailure("Can't find snapshot");
    }
}
