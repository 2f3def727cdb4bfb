package dev.platter.filesystem;

import dev.platter.core.Warning;
import java.util.List;
import java.util.Optional;

/**
 * What was recognised on a volume. Immutable.
 *
 * @param found the contents: one entry, or none where nothing is known or the signatures contradict each other
 * @param ambiguous all signatures found when they contradict each other ({@code blkid -p} then prints nothing and exits
 *     with 8), else empty
 * @param warnings what stood in the way: ranges that could not be read, superblocks with the right magic that are
 *     damaged or make no sense. What is odd about an entry of {@code found} is told there
 */
public record Recognition(List<FileSystem> found, List<Signature> ambiguous, List<Warning> warnings) {

    /** Copies the lists. */
    public Recognition {
        found = List.copyOf(found);
        ambiguous = List.copyOf(ambiguous);
        warnings = List.copyOf(warnings);
    }

    /** Returns the one entry of {@link #found}. */
    public Optional<FileSystem> fileSystem() {
        return found.stream().findFirst();
    }
}
