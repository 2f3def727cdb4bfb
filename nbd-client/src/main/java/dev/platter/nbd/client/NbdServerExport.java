package dev.platter.nbd.client;

import dev.platter.core.Printable;
import org.jspecify.annotations.Nullable;

/**
 * An export that a server lists. The texts may hold control characters: show them escaped.
 *
 * @param name its name; the empty one is the default export
 * @param description what the list says of it; empty if nothing
 * @param details what the server says when asked for this export; null if it says nothing
 * @param problem why it said nothing, or null
 */
public record NbdServerExport(
        String name,
        String description,
        @Nullable ExportDetails details,
        @Nullable String problem) {

    /** Returns name and description as they can be shown. */
    @Override
    public String toString() {
        return Printable.quote(name) + (description.isEmpty() ? "" : " (" + Printable.escape(description) + ")");
    }
}
