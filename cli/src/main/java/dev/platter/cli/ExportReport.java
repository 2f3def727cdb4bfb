package dev.platter.cli;

import dev.platter.core.Printable;
import dev.platter.nbd.client.ExportDetails;
import dev.platter.nbd.client.NbdProtocol;
import dev.platter.nbd.client.NbdUri;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.ReplyHeader;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What exports are, as {@code nbdinfo} prints it for people and as JSON. libnbd: info/show.c. */
final class ExportReport {
    private static final List<Ability> ABILITIES = List.of(
            new Ability("can_cache", TransmissionFlags.SEND_CACHE),
            new Ability("can_df", TransmissionFlags.SEND_DF),
            new Ability("can_fast_zero", TransmissionFlags.SEND_FAST_ZERO),
            new Ability("can_flush", TransmissionFlags.SEND_FLUSH),
            new Ability("can_fua", TransmissionFlags.SEND_FUA),
            new Ability("can_multi_conn", TransmissionFlags.CAN_MULTI_CONN),
            new Ability("can_trim", TransmissionFlags.SEND_TRIM),
            new Ability("can_zero", TransmissionFlags.SEND_WRITE_ZEROES));

    private final TextOutput out;
    private final Colours colours;
    private final boolean json;
    private boolean structured;
    private boolean any;

    /** A line of the report that is a transmission flag. */
    private record Ability(String name, int flag) {}

    ExportReport(NbdInfoArguments arguments, Stdio io) {
        this.out = new TextOutput(io.out());
        this.json = arguments.json;
        this.colours = new Colours(out, arguments.colours && !json);
    }

    /** Prints what is spoken with the server. */
    void begin(NbdProtocol protocol) throws IOException {
        structured = protocol.replies() != ReplyHeader.Form.SIMPLE;
        String style = protocol.style().toString();
        if (json) {
            out.ascii("{\n\"protocol\": \"").ascii(style);
            out.ascii("\",\n\"TLS\": ").ascii(Boolean.toString(protocol.tls()));
            out.ascii(",\n\"structured\": ").ascii(Boolean.toString(structured)).ascii(",\n");
            return;
        }
        colours.begin(Colours.GREY);
        out.ascii("protocol: ").ascii(style).ascii(protocol.tls() ? " with" : " without");
        out.ascii(" TLS, using ").ascii(structured ? "structured" : "simple").ascii(" packets\n");
        colours.end(Colours.GREY);
    }

    /**
     * Prints an export.
     *
     * @param description what a person is told of it; empty if nothing
     * @param content what its first bytes look like, or null
     */
    void export(NbdUri uri, ExportDetails details, String description, @Nullable String content) throws IOException {
        if (json) {
            printJson(uri, details, description, content);
        } else {
            printText(uri, details, description, content);
        }
        any = true;
    }

    /** Prints what is behind the last export. */
    void end() throws IOException {
        if (json) {
            out.ascii(any ? "\t} ]\n}\n" : "\"exports\": []\n}\n");
        }
        flush();
    }

    /** Sends on what was printed. */
    void flush() throws IOException {
        out.flush();
    }

    private void printText(NbdUri uri, ExportDetails details, String description, @Nullable String content)
            throws IOException {
        colours.begin(Colours.BOLD);
        out.ascii("export=").text(JsonLine.quote(details.name())).ascii(":\n");
        if (!description.isEmpty()) {
            field("description", description);
        }
        String size = Long.toString(details.size());
        String exact = Sizes.exact(details.size());
        field("export-size", size.equals(exact) ? size : size + " (" + exact + ")");
        if (content != null) {
            field("content", content);
        }
        field("uri", uri.toFullString());
        colours.end(Colours.BOLD);
        colours.begin(Colours.GREY);
        if (structured) {
            out.ascii("\tcontexts:\n");
            for (String context : details.contexts()) {
                out.ascii("\t\t").text(Printable.escape(context)).ascii("\n");
            }
        }
        field("is_rotational", Boolean.toString(details.has(TransmissionFlags.ROTATIONAL)));
        colours.end(Colours.GREY);
        field("is_read_only", Boolean.toString(details.isReadOnly()));
        for (Ability ability : ABILITIES) {
            boolean able = details.has(ability.flag);
            String colour = able ? Colours.GREEN : Colours.RED;
            colours.begin(colour);
            field(ability.name, Boolean.toString(able));
            colours.end(colour);
        }
        BlockSizes sizes = details.blockSizes();
        if (sizes != null) {
            field("block_size_minimum", Long.toString(sizes.minimum()));
            field("block_size_preferred", Long.toString(sizes.preferred()));
            field("block_size_maximum", Long.toString(sizes.maximumPayload()));
        }
    }

    private void field(String name, String value) throws IOException {
        out.ascii("\t").ascii(name).ascii(": ").text(Printable.escape(value)).ascii("\n");
    }

    private void printJson(NbdUri uri, ExportDetails details, String description, @Nullable String content)
            throws IOException {
        out.ascii(any ? "\t},\n" : "\"exports\": [\n").ascii("\t{\n");
        string("export-name", details.name());
        if (!description.isEmpty()) {
            string("description", description);
        }
        if (content != null) {
            string("content", content);
        }
        string("uri", uri.toFullString());
        if (structured) {
            printContexts(details.contexts());
        }
        member("is_rotational", Boolean.toString(details.has(TransmissionFlags.ROTATIONAL)), ",\n");
        member("is_read_only", Boolean.toString(details.isReadOnly()), ",\n");
        for (Ability ability : ABILITIES) {
            member(ability.name, Boolean.toString(details.has(ability.flag)), ",\n");
        }
        BlockSizes sizes = details.blockSizes();
        if (sizes != null) {
            member("block_size_minimum", Long.toString(sizes.minimum()), ",\n");
            member("block_size_preferred", Long.toString(sizes.preferred()), ",\n");
            member("block_size_maximum", Long.toString(sizes.maximumPayload()), ",\n");
        }
        member("export-size", Long.toString(details.size()), ",\n");
        member("export-size-str", JsonLine.quote(Sizes.exact(details.size())), "\n");
    }

    private void printContexts(List<String> contexts) throws IOException {
        out.ascii("\t\"contexts\": [\n");
        for (int i = 0; i < contexts.size(); i++) {
            out.ascii("\t\t").text(JsonLine.quote(contexts.get(i))).ascii(i + 1 < contexts.size() ? ",\n" : "\n");
        }
        out.ascii("\t],\n");
    }

    private void string(String name, String value) throws IOException {
        member(name, JsonLine.quote(value), ",\n");
    }

    private void member(String name, String value, String end) throws IOException {
        out.ascii("\t\"").ascii(name).ascii("\": ").text(value).ascii(end);
    }
}
