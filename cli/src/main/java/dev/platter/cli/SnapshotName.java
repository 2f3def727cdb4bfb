package dev.platter.cli;

import org.jspecify.annotations.Nullable;

/** The internal snapshot that {@code -l} names, in the ways of qemu-img. */
final class SnapshotName {
    private static final String ID = "snapshot.id=";
    private static final String NAME = "snapshot.name=";

    private SnapshotName() {}

    /** Returns an id or a name from {@code -l} or {@code --snapshot}, or null if neither was given. */
    static @Nullable String of(Arguments arguments) {
        String text = arguments.value("-l");
        if (text == null) {
            return arguments.value("--snapshot");
        }
        if (!text.startsWith(ID) && !text.startsWith(NAME)) {
            return text;
        }
        if (text.indexOf(',') >= 0) {
            throw new UsageException("-l " + text + ": an id or a name, not both");
        }
        return text.substring(text.indexOf('=') + 1);
    }
}
