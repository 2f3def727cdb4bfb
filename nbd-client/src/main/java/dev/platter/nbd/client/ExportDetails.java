package dev.platter.nbd.client;

import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What a server says of an export. The texts may hold control characters: show them escaped.
 *
 * @param name its name; the canonical one where the server gave that
 * @param description what a person is told of it; empty if nothing
 * @param size bytes
 * @param flags sum of {@link TransmissionFlags}
 * @param blockSizes how requests must lie; null if the server did not say
 * @param contexts names of the metadata contexts that it has; of an opened export, those that were agreed on
 */
public record ExportDetails(
        String name,
        String description,
        long size,
        int flags,
        @Nullable BlockSizes blockSizes,
        List<String> contexts) {

    /** Makes a description. */
    public ExportDetails {
        contexts = List.copyOf(contexts);
    }

    /** Returns whether one of {@link TransmissionFlags} is set. */
    public boolean has(int flag) {
        return (flags & flag) != 0;
    }

    /** Returns whether writes are refused. */
    public boolean isReadOnly() {
        return has(TransmissionFlags.READ_ONLY);
    }

    ExportDetails withContexts(List<String> names) {
        return new ExportDetails(name, description, size, flags, blockSizes, names);
    }
}
