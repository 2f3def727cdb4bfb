package dev.platter.cli;

import dev.platter.core.BlockIOException;
import dev.platter.core.Printable;
import dev.platter.nbd.client.ExportDetails;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdListing;
import dev.platter.nbd.client.NbdServerExport;
import dev.platter.nbd.client.NbdUri;
import dev.platter.nbd.client.OptionRefusedException;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.TransmissionFlags;
import java.io.IOException;
import java.net.SocketException;

/** What another server exports, as {@code qemu-nbd --list} prints it. QEMU: qemu-nbd.c, qemu_nbd_client_list. */
final class ExportList {
    private final TextOutput out;

    private ExportList(TextOutput out) {
        this.out = out;
    }

    /** Asks a server and prints what it says. */
    static void print(NbdArguments arguments, Stdio io) throws IOException {
        NbdListing listing = ask(arguments);
        TextOutput out = new TextOutput(io.out());
        out.ascii("exports available: ").number(listing.exports().size()).ascii("\n");
        ExportList list = new ExportList(out);
        for (NbdServerExport export : listing.exports()) {
            list.print(export);
        }
        out.flush();
    }

    private static NbdListing ask(NbdArguments arguments) throws IOException {
        ServerAddress address = arguments.address;
        // Says in the words of QEMU what is wrong with the address.
        address.resolve();
        String socket = address.socket();
        if (socket == null && address.portNumber() == 0) {
            throw new StartFailure("Failed to connect to '" + address.host() + ":0': no server has that port");
        }
        String host = address.host().isEmpty() ? "localhost" : address.host();
        NbdUri uri = new NbdUri(
                arguments.tls != null,
                socket == null ? host : null,
                socket == null ? address.portNumber() : NbdUri.DEFAULT_PORT,
                socket,
                "",
                null,
                new NbdUri.Credentials(null, arguments.serverName(), true, null, null));
        NbdClientOptions options = NbdClientOptions.builder().tls(arguments.tls).build();
        try {
            return NbdClient.to(uri).with(options).list();
        } catch (OptionRefusedException e) {
            if (e.reply() != OptionReplies.ERR_TLS_REQD) {
                throw e;
            }
            throw new StartFailure(
                    "TLS negotiation required before option 3 (list)", "Did you forget a valid tls-creds?");
        } catch (BlockIOException e) {
            if (!(e.getCause() instanceof SocketException cause)
                    || String.valueOf(cause.getMessage()).startsWith("Connection reset")) {
                throw e;
            }
            throw new StartFailure("Failed to connect to '"
                    + (socket == null ? address.host() + ":" + address.port() : socket) + "': " + cause.getMessage());
        }
    }

    private void print(NbdServerExport export) throws IOException {
        line(" export: '" + export.name() + "'");
        if (!export.description().isEmpty()) {
            line("  description: " + export.description());
        }
        ExportDetails details = export.details();
        if (details == null) {
            return;
        }
        line("  size:  " + details.size());
        line("  flags: 0x" + Integer.toHexString(details.flags()) + " ( " + TransmissionFlags.describe(details.flags())
                + " )");
        BlockSizes sizes = details.blockSizes();
        if (sizes != null) {
            line("  min block: " + sizes.minimum());
            line("  opt block: " + sizes.preferred());
            line("  max block: " + sizes.maximumPayload());
        }
        if (!details.contexts().isEmpty()) {
            line("  available meta contexts: " + details.contexts().size());
            for (String context : details.contexts()) {
                line("   " + context);
            }
        }
    }

    private void line(String text) throws IOException {
        out.text(Printable.escape(text)).ascii("\n");
    }
}
