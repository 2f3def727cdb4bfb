package dev.platter.cli;

import dev.platter.core.BlockIOException;
import dev.platter.nbd.client.ExportDetails;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdExport;
import dev.platter.nbd.client.NbdListing;
import dev.platter.nbd.client.NbdServerExport;
import dev.platter.nbd.client.NbdUri;
import dev.platter.nbd.client.OptionRefusedException;
import java.io.IOException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Asks NBD servers for {@code platter nbdinfo}. The command line and its help need nothing of the client. */
final class NbdInfo {
    /** What {@code --is} and {@code --can} end with where the answer is no. */
    private static final int FALSE = 2;

    private NbdInfo() {}

    /**
     * Asks, and prints the answer.
     *
     * @return the exit code
     */
    static int run(NbdInfoArguments arguments, Stdio io) throws IOException {
        return switch (arguments.task) {
            case SHOW -> show(arguments, io);
            case LIST -> list(arguments, io);
            case SIZE -> {
                try (NbdExport export = client(arguments.uri(), List.of()).open()) {
                    io.print(export.details().size() + "\n");
                }
                yield ExitCode.WHOLE;
            }
            case MAP -> {
                List<String> contexts = List.of(arguments.context);
                try (NbdExport export = client(arguments.uri(), contexts).open()) {
                    new ContextMap(arguments, export, io).print();
                }
                yield ExitCode.WHOLE;
            }
            case CAN -> {
                try (NbdExport export = client(arguments.uri(), List.of()).open()) {
                    yield arguments.capability().of(export) ? ExitCode.WHOLE : FALSE;
                }
            }
            case HELP, VERSION -> throw new IllegalArgumentException("task: " + arguments.task);
        };
    }

    /** Whoever asks what a server is wants to hear that it is an old one. */
    private static NbdClient client(NbdUri uri, @Nullable List<String> contexts) {
        NbdClientOptions.Builder options = NbdClientOptions.builder().oldstyle(true);
        if (contexts != null) {
            options.contexts(contexts);
        }
        return NbdClient.to(uri).with(options.build());
    }

    private static int show(NbdInfoArguments arguments, Stdio io) throws IOException {
        NbdUri uri = arguments.uri();
        NbdClient client = client(uri, null);
        ExportReport report = new ExportReport(arguments, io);
        if (!arguments.content()) {
            NbdListing listing = describe(client);
            ExportDetails details =
                    listing == null ? null : listing.exports().get(0).details();
            if (listing != null && details != null) {
                report.begin(listing.protocol());
                report.export(uri, details, details.description(), null);
                report.end();
                return ExitCode.WHOLE;
            }
        }
        try (NbdExport export = client.open()) {
            ExportDetails details = export.details();
            String content = arguments.content() ? FileType.of(export) : null;
            report.begin(export.protocol());
            report.export(uri, details, details.description(), content);
            report.end();
            return ExitCode.WHOLE;
        } catch (OptionRefusedException e) {
            NbdListing listing = arguments.json ? null : describe(client);
            if (listing != null) {
                report.begin(listing.protocol());
                report.flush();
            }
            io.message(Failures.text(e));
            io.message("suggestion: to list all exports on the server, use --list");
            return ExitCode.ERROR;
        }
    }

    /** Asks about an export without opening it; null if there is no way to. */
    private static @Nullable NbdListing describe(NbdClient client) throws IOException {
        try {
            return client.describe();
        } catch (OptionRefusedException e) {
            return null;
        } catch (BlockIOException e) {
            if (e.kind() == BlockIOException.Kind.NOT_SUPPORTED) {
                return null;
            }
            throw e;
        }
    }

    private static int list(NbdInfoArguments arguments, Stdio io) throws IOException {
        NbdListing listing = client(arguments.uri(), null).list();
        ExportReport report = new ExportReport(arguments, io);
        report.begin(listing.protocol());
        int exit = ExitCode.WHOLE;
        for (NbdServerExport export : listing.exports()) {
            NbdUri uri = arguments.uri().withExport(export.name());
            ExportDetails details = export.details();
            if (details == null) {
                io.message(uri + ": the server lists this export and does not tell about it: " + export.problem());
                exit = ExitCode.ERROR;
                continue;
            }
            report.export(uri, details, export.description(), arguments.content() ? content(uri) : null);
        }
        report.end();
        return exit;
    }

    private static @Nullable String content(NbdUri uri) throws IOException {
        try (NbdExport export = client(uri, List.of()).open()) {
            return FileType.of(export);
        }
    }
}
