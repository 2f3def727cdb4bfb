package dev.platter.cli;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.Printable;
import dev.platter.core.SnapshotInfo;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The internal snapshot that {@code -l} names: {@code NAME}, {@code ID}, {@code snapshot.id=ID}, {@code
 * snapshot.name=NAME}, or both of these. QEMU: qemu-img.c, img_convert, and block/snapshot.c.
 */
record SnapshotChoice(@Nullable String id, @Nullable String name, boolean either) {

    /** @throws StartFailure if it is another option */
    static SnapshotChoice parse(String text) throws StartFailure {
        if (!text.startsWith("snapshot.")) {
            return new SnapshotChoice(text, text, true);
        }
        DottedOptions options = DottedOptions.parse(text, null, true);
        SnapshotChoice choice = new SnapshotChoice(options.take("snapshot.id"), options.take("snapshot.name"), false);
        String left = options.left();
        if (left != null) {
            throw new StartFailure("Failed in parsing snapshot param `" + text + "': Invalid parameter '" + left + "'");
        }
        return choice;
    }

    /** Returns what {@code -l} or {@code --snapshot} names, or null if neither was given. */
    static @Nullable SnapshotChoice of(Arguments arguments) {
        String text = arguments.value("-l");
        if (text == null) {
            String plain = arguments.value("--snapshot");
            return plain == null ? null : new SnapshotChoice(plain, plain, true);
        }
        try {
            return parse(text);
        } catch (StartFailure e) {
            throw new UsageException(String.valueOf(e.getMessage()));
        }
    }

    /**
     * Returns what {@link DiskImage#openSnapshot} finds the snapshot by.
     *
     * @throws DiskImageException if there is none with this id and name
     */
    String in(DiskImage image) throws DiskImageException {
        String found = either ? name : find(image.snapshots());
        if (found == null) {
            throw new DiskImageException(image.description() + ": there is no snapshot " + this
                    + (image.snapshots().isEmpty() ? "; the image has none" : ""));
        }
        return found;
    }

    /** Returns the id of the snapshot, or null if there is none. */
    @Nullable
    String find(List<SnapshotInfo> snapshots) {
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
        return null;
    }

    /** In words, for messages. */
    @Override
    public String toString() {
        if (either) {
            return Printable.quote(String.valueOf(name));
        }
        String byId = id == null ? "" : "with id " + Printable.quote(id);
        String byName = name == null ? "" : "named " + Printable.quote(name);
        return byId + (id != null && name != null ? " and " : "") + byName;
    }
}
