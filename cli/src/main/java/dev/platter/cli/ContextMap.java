package dev.platter.cli;

import dev.platter.core.BlockStatusSource;
import dev.platter.core.DiskImageException;
import dev.platter.nbd.client.NbdExport;
import java.io.IOException;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/** What a metadata context says of all bytes of an export, as {@code nbdinfo --map} prints it. libnbd: info/map.c. */
final class ContextMap {
    /** Kinds of ranges that are counted: a server can make up as many as it likes. */
    private static final int MOST_KINDS = 100_000;

    private final TextOutput out;
    private final Colours colours;
    private final NbdExport export;
    private final String context;
    private final boolean json;
    private final boolean totals;

    private String between = "";
    private long start;
    private long length;
    private long kind;

    ContextMap(NbdInfoArguments arguments, NbdExport export, Stdio io) {
        this.out = new TextOutput(io.out());
        this.export = export;
        this.context = arguments.context;
        this.json = arguments.json;
        this.totals = arguments.totals;
        this.colours = new Colours(out, arguments.colours && !json);
    }

    /**
     * Prints it.
     *
     * @throws StartFailure if the server has no such context
     */
    void print() throws IOException {
        if (!export.details().contexts().contains(context)) {
            throw new StartFailure("--map: server does not support metadata context \"" + context + "\"");
        }
        if (totals) {
            printTotals();
        } else {
            printRanges();
        }
        out.flush();
    }

    private void printRanges() throws IOException {
        if (json) {
            out.ascii("[\n");
        }
        export.status(context, 0, export.size(), (offset, run, flags) -> {
            if (length > 0 && flags == kind) {
                length += run;
            } else {
                printRange();
                start = offset;
                length = run;
                kind = flags;
            }
            return true;
        });
        printRange();
        if (json) {
            out.ascii("\n]\n");
        }
    }

    private void printRange() throws IOException {
        if (length == 0) {
            return;
        }
        String description = describe(context, kind);
        if (json) {
            out.ascii(between).ascii("{ \"offset\": ").number(start);
            out.ascii(", \"length\": ").number(length).ascii(", \"type\": ").number(kind);
            out.ascii(description == null ? "" : ", \"description\": \"" + description + "\"")
                    .ascii("}");
            between = ",\n";
            return;
        }
        String colour = colour(context, kind);
        colours.begin(colour);
        out.number(start, 10).ascii("  ").number(length, 10).ascii("  ").number(kind, 3);
        out.ascii(description == null ? "" : "  " + description);
        colours.end(colour);
        out.ascii("\n");
    }

    private void printTotals() throws IOException {
        Map<Long, Long> sums = new TreeMap<>();
        export.status(context, 0, export.size(), (offset, run, flags) -> {
            sums.merge(flags, run, Long::sum);
            if (sums.size() > MOST_KINDS) {
                throw new DiskImageException(export.description() + ": " + context + " tells of more than " + MOST_KINDS
                        + " kinds of ranges; --map without --totals shows them");
            }
            return true;
        });
        if (json) {
            out.ascii(sums.isEmpty() ? "[" : "[\n");
        }
        for (Map.Entry<Long, Long> sum : sums.entrySet()) {
            printTotal(sum.getKey(), sum.getValue());
        }
        if (json) {
            out.ascii(sums.isEmpty() ? "]\n" : "\n]\n");
        }
    }

    private void printTotal(long type, long size) throws IOException {
        double percent = 100.0 * size / export.size();
        String description = describe(context, type);
        if (json) {
            out.ascii(between).ascii("{ \"size\": ").number(size);
            out.ascii(", \"percent\": ")
                    .ascii(Sizes.general(percent))
                    .ascii(", \"type\": ")
                    .number(type);
            out.ascii(description == null ? "" : ", \"description\": \"" + description + "\"")
                    .ascii(" }");
            between = ",\n";
            return;
        }
        String share = Sizes.fixed(percent, 1);
        String colour = colour(context, type);
        colours.begin(colour);
        out.number(size, 10).ascii(" ").ascii(" ".repeat(Math.max(0, 5 - share.length())));
        out.ascii(share).ascii("% ").number(type, 3).ascii(description == null ? "" : " " + description);
        colours.end(colour);
        out.ascii("\n");
    }

    /** Returns what a number means, or null if that is not known. */
    private static @Nullable String describe(String context, long type) {
        if (context.equals(BlockStatusSource.BASE_ALLOCATION)) {
            return type == 0 ? "data" : type == 1 ? "hole" : type == 2 ? "zero" : type == 3 ? "hole,zero" : null;
        }
        if (context.startsWith(BlockStatusSource.DIRTY_BITMAP)) {
            return type == 0 ? "clean" : type == 1 ? "dirty" : null;
        }
        if (context.equals(BlockStatusSource.ALLOCATION_DEPTH)) {
            return type == 0 ? "absent" : type == 1 ? "local" : "backing depth " + type;
        }
        return null;
    }

    private static @Nullable String colour(String context, long type) {
        if (context.equals(BlockStatusSource.BASE_ALLOCATION)) {
            return type == 0 ? Colours.BOLD : null;
        }
        if (context.startsWith(BlockStatusSource.DIRTY_BITMAP)) {
            return type == 0 ? Colours.GREEN : type == 1 ? Colours.RED : null;
        }
        if (context.equals(BlockStatusSource.ALLOCATION_DEPTH)) {
            return type == 0 ? null : type == 1 ? Colours.INVERSE : Colours.SHADED;
        }
        return null;
    }
}
