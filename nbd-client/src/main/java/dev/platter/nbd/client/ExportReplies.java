package dev.platter.nbd.client;

import dev.platter.core.Printable;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What a server says of one export, piece by piece, until it is whole. */
final class ExportReplies {
    private final String asked;
    private ExportInfo.@Nullable Export export;
    private @Nullable BlockSizes sizes;
    private @Nullable String name;
    private String description = "";

    ExportReplies(String asked) {
        this.asked = asked;
    }

    /** Takes the data of one reply. */
    void take(ByteBuffer data) throws ProtocolException {
        ExportInfo info = ExportInfo.take(data);
        if (info instanceof ExportInfo.Export facts) {
            requireFirst(export == null, "size and flags");
            requireFlags(facts.flags());
            export = facts;
        } else if (info instanceof ExportInfo.Sizes stated) {
            requireFirst(sizes == null, "block sizes");
            sizes = stated.sizes();
        } else if (info instanceof ExportInfo.Name canonical) {
            name = canonical.name();
        } else if (info instanceof ExportInfo.Description text) {
            description = text.text();
        }
    }

    private void requireFirst(boolean first, String what) throws ProtocolException {
        if (!first) {
            throw new ProtocolException(what + " of the export " + Printable.quote(asked) + " come twice");
        }
    }

    /**
     * Returns what was said.
     *
     * @throws ProtocolException if size and flags are not there
     */
    ExportDetails details(List<String> contexts) throws ProtocolException {
        ExportInfo.Export facts = export;
        if (facts == null) {
            throw new ProtocolException("size and flags of the export " + Printable.quote(asked) + " are missing");
        }
        return new ExportDetails(
                name == null ? asked : name, description, facts.size(), facts.flags(), sizes, contexts);
    }

    String asked() {
        return asked;
    }

    /** Returns transmission flags, if they have the one that is always set. */
    static int requireFlags(int flags) throws ProtocolException {
        if ((flags & TransmissionFlags.HAS_FLAGS) == 0) {
            throw new ProtocolException(
                    String.format("the transmission flags 0x%04x lack the bit that is always set", flags));
        }
        return flags;
    }
}
