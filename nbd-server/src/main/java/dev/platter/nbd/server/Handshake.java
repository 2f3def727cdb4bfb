package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.nbd.protocol.BlockSizes;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.InfoTypes;
import dev.platter.nbd.protocol.ListedExport;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.MetaContexts;
import dev.platter.nbd.protocol.OptionHeader;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.OptionReplyHeader;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.WireText;
import dev.platter.nbd.server.Agreement.ReplyStyle;
import dev.platter.nbd.tls.PeerIdentity;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The server's part of the newstyle handshake; "The NBD protocol", sections "Newstyle negotiation" and "Option haggling".
 * One object a connection, used by its thread.
 */
final class Handshake {
    private static final int OPTION_BYTES = 64 * 1024;
    private static final int META_OPTION_BYTES = 256 * 1024;
    private static final int NAME_SHOWN = 80;

    private final Connection connection;
    private final NbdServer server;
    private final boolean tlsRequired;

    private int clientFlags;
    private int optionsLeft;
    private PeerIdentity identity = PeerIdentity.ANONYMOUS;
    private boolean secure;
    private ReplyStyle replies = ReplyStyle.SIMPLE;
    private @Nullable String contextsOf;
    private List<String> contexts = List.of();

    /** The export whose device is held: opened by INFO, SET_META_CONTEXT or GO, and kept for the next of them. */
    private @Nullable OpenExport held;

    private @Nullable BlockDevice device;

    Handshake(Connection connection, NbdServer server) {
        this.connection = connection;
        this.server = server;
        this.tlsRequired = server.tls() != null && server.isTlsRequired();
        this.optionsLeft = server.limits().options();
    }

    /** Returns what was agreed on; null if the client went away, which it may at any time. */
    @Nullable
    Agreement run() throws IOException {
        boolean agreed = false;
        try {
            connection.send(ByteBuffer.allocate(18)
                    .putLong(Magic.NBD)
                    .putLong(Magic.OPTION)
                    .putShort((short) (HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES))
                    .flip());
            if (!connection.wire().await(4)) {
                return null;
            }
            clientFlags = connection.wire().buffer().getInt();
            if ((clientFlags & ~(HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES)) != 0) {
                throw new ProtocolException("client flags 0x" + Integer.toHexString(clientFlags) + " were not offered");
            }
            Agreement agreement = options();
            agreed = agreement != null;
            return agreement;
        } finally {
            if (!agreed) {
                letGo();
            }
        }
    }

    PeerIdentity identity() {
        return identity;
    }

    private @Nullable Agreement options() throws IOException {
        while (connection.wire().await(OptionHeader.BYTES)) {
            if (--optionsLeft < 0) {
                throw new ProtocolException("more options than a client needs");
            }
            OptionHeader header = OptionHeader.take(connection.wire().buffer());
            int option = header.option();
            if ((clientFlags & HandshakeFlags.FIXED_NEWSTYLE) == 0 && option != Options.EXPORT_NAME) {
                throw new ProtocolException(Options.name(option) + " of a client that cannot be answered");
            }
            boolean meta = option == Options.LIST_META_CONTEXT || option == Options.SET_META_CONTEXT;
            if (header.length() > (meta ? META_OPTION_BYTES : OPTION_BYTES)) {
                throw new ProtocolException(Options.name(option) + " with " + header.length() + " bytes of data");
            }
            ByteBuffer data = ByteBuffer.allocate((int) header.length());
            connection.wire().read(data);
            data.flip();

            if (option == Options.ABORT) {
                acknowledge(option);
                return null;
            }
            if (tlsRequired && !secure && option != Options.STARTTLS) {
                if (option == Options.EXPORT_NAME) {
                    throw new ProtocolException("EXPORT_NAME without TLS, which is required");
                }
                refuse(
                        option,
                        OptionReplies.ERR_TLS_REQD,
                        "Option 0x" + Integer.toHexString(option) + " not permitted before TLS");
                continue;
            }
            Agreement agreement = answer(option, data);
            if (agreement != null) {
                return agreement;
            }
        }
        return null;
    }

    private @Nullable Agreement answer(int option, ByteBuffer data) throws IOException {
        if (option == Options.EXPORT_NAME) {
            return exportName(data);
        }
        if (option == Options.STARTTLS) {
            startTls(data);
            return null;
        }
        try {
            switch (option) {
                case Options.GO, Options.INFO -> {
                    return info(option, ExportQuery.take(data));
                }
                case Options.LIST -> list(data);
                case Options.STRUCTURED_REPLY -> structured(data);
                case Options.EXTENDED_HEADERS -> extended(data);
                case Options.LIST_META_CONTEXT -> listContexts(MetaContextQuery.take(data));
                case Options.SET_META_CONTEXT -> {
                    // Whatever comes of it, what was set before is gone.
                    contextsOf = null;
                    contexts = List.of();
                    setContexts(MetaContextQuery.take(data));
                }
                default ->
                    refuse(option, OptionReplies.ERR_UNSUP, "Unsupported option " + Integer.toUnsignedString(option));
            }
        } catch (ProtocolException e) {
            // The whole option was taken, so what follows it can be understood.
            refuse(option, OptionReplies.ERR_INVALID, String.valueOf(e.getMessage()));
        }
        return null;
    }

    /** Has no way to answer an error but to hang up. */
    private Agreement exportName(ByteBuffer data) throws IOException {
        if (replies == ReplyStyle.EXTENDED) {
            throw new ProtocolException("EXPORT_NAME after EXTENDED_HEADERS");
        }
        String name = WireText.take(data, data.remaining(), "export name");
        BlockDevice open = select(name);
        OpenExport export = held;
        if (open == null || export == null) {
            throw new ProtocolException(unknown(name));
        }
        if (!export.admit()) {
            throw new ProtocolException(full(export));
        }
        boolean zeros = (clientFlags & HandshakeFlags.NO_ZEROES) == 0;
        ByteBuffer answer = ByteBuffer.allocate(zeros ? 134 : 10);
        answer.putLong(open.size()).putShort((short) Agreement.flags(open, replies, several(export)));
        connection.send(answer.clear());
        return agreement(export, open, name);
    }

    private @Nullable Agreement info(int option, ExportQuery query) throws IOException {
        BlockDevice open;
        try {
            open = select(query.name());
        } catch (IOException e) {
            refuse(option, OptionReplies.ERR_UNKNOWN, String.valueOf(e.getMessage()));
            return null;
        }
        OpenExport export = held;
        if (open == null || export == null) {
            refuse(option, OptionReplies.ERR_UNKNOWN, unknown(query.name()));
            return null;
        }
        BlockSizes sizes = Agreement.blockSizes(open, server.limits().maximumPayload());
        boolean go = option == Options.GO;
        if (go && sizes.minimum() > 1 && !query.wants(InfoTypes.BLOCK_SIZE)) {
            refuse(option, OptionReplies.ERR_BLOCK_SIZE_REQD, "requests must lie on blocks of " + sizes.minimum());
            return null;
        }
        if (go && !export.admit()) {
            refuse(option, OptionReplies.ERR_POLICY, full(export));
            return null;
        }
        try {
            if (query.wants(InfoTypes.NAME)) {
                information(option, new ExportInfo.Name(export.export().name()));
            }
            if (!export.export().description().isEmpty()) {
                information(option, new ExportInfo.Description(export.export().description()));
            }
            information(option, new ExportInfo.Sizes(sizes));
            information(option, new ExportInfo.Export(open.size(), Agreement.flags(open, replies, several(export))));
            acknowledge(option);
        } catch (IOException | RuntimeException e) {
            if (go) {
                export.leave();
            }
            throw e;
        }
        return go ? agreement(export, open, query.name()) : null;
    }

    private boolean several(OpenExport export) {
        return export.export().maximumClients() > 1 && server.limits().connections() > 1;
    }

    private Agreement agreement(OpenExport export, BlockDevice open, String name) {
        held = null;
        device = null;
        return new Agreement(export, open, replies, name.equals(contextsOf) ? contexts : List.of());
    }

    private void list(ByteBuffer data) throws IOException {
        if (data.hasRemaining()) {
            throw new ProtocolException("LIST takes no data");
        }
        for (ListedExport export : server.exports().list()) {
            if (server.authorization().allows(identity, export.name())) {
                connection.send(OptionReplyHeader.message(Options.LIST, OptionReplies.SERVER, export.bytes()));
                optionsLeft = Math.min(optionsLeft + server.limits().optionsPerExport(), 1 << 20);
            }
        }
        acknowledge(Options.LIST);
    }

    private void startTls(ByteBuffer data) throws IOException {
        if (data.hasRemaining()) {
            throw new ProtocolException("STARTTLS takes no data");
        }
        if (secure) {
            refuse(Options.STARTTLS, OptionReplies.ERR_INVALID, "TLS already enabled");
            return;
        }
        if (server.tls() == null) {
            refuse(Options.STARTTLS, OptionReplies.ERR_POLICY, "TLS not configured");
            return;
        }
        // What is sent in the clear behind STARTTLS was not sent by whom the handshake will prove.
        connection.wire().requireNothingMore("STARTTLS, before TLS began");
        acknowledge(Options.STARTTLS);
        identity = connection.secure();
        secure = true;
        letGo();
        replies = ReplyStyle.SIMPLE;
        contextsOf = null;
        contexts = List.of();
    }

    private void structured(ByteBuffer data) throws IOException {
        if (data.hasRemaining()) {
            throw new ProtocolException("STRUCTURED_REPLY takes no data");
        }
        if (replies == ReplyStyle.EXTENDED) {
            refuse(Options.STRUCTURED_REPLY, OptionReplies.ERR_EXT_HEADER_REQD, "extended headers are agreed on");
            return;
        }
        if (replies == ReplyStyle.STRUCTURED) {
            throw new ProtocolException("structured replies are agreed on already");
        }
        replies = ReplyStyle.STRUCTURED;
        acknowledge(Options.STRUCTURED_REPLY);
    }

    private void extended(ByteBuffer data) throws IOException {
        if (!server.offersExtendedHeaders()) {
            refuse(Options.EXTENDED_HEADERS, OptionReplies.ERR_UNSUP, "extended headers are not offered");
            return;
        }
        if (data.hasRemaining()) {
            throw new ProtocolException("EXTENDED_HEADERS takes no data");
        }
        if (replies == ReplyStyle.EXTENDED) {
            throw new ProtocolException("extended headers are agreed on already");
        }
        replies = ReplyStyle.EXTENDED;
        acknowledge(Options.EXTENDED_HEADERS);
    }

    private void listContexts(MetaContextQuery query) throws IOException {
        List<String> offered = offered(Options.LIST_META_CONTEXT, query);
        if (offered == null) {
            return;
        }
        for (String context : offered) {
            if (query.queries().isEmpty()
                    || query.queries().stream().anyMatch(wanted -> MetaContexts.matches(wanted, context))) {
                sendContext(Options.LIST_META_CONTEXT, new MetaContext(0, context));
            }
        }
        acknowledge(Options.LIST_META_CONTEXT);
    }

    private void setContexts(MetaContextQuery query) throws IOException {
        if (replies == ReplyStyle.SIMPLE) {
            throw new ProtocolException("SET_META_CONTEXT without structured replies");
        }
        List<String> offered = offered(Options.SET_META_CONTEXT, query);
        if (offered == null) {
            return;
        }
        List<String> chosen = new ArrayList<>();
        for (String context : offered) {
            if (query.queries().contains(context)) {
                sendContext(Options.SET_META_CONTEXT, new MetaContext(chosen.size(), context));
                chosen.add(context);
            }
        }
        contextsOf = query.name();
        contexts = List.copyOf(chosen);
        acknowledge(Options.SET_META_CONTEXT);
    }

    private @Nullable List<String> offered(int option, MetaContextQuery query) throws IOException {
        try {
            BlockDevice open = select(query.name());
            if (open != null && held != null) {
                return held.contexts(open);
            }
            refuse(option, OptionReplies.ERR_UNKNOWN, unknown(query.name()));
        } catch (IOException e) {
            refuse(option, OptionReplies.ERR_UNKNOWN, String.valueOf(e.getMessage()));
        }
        return null;
    }

    /**
     * Returns the device of an export that this client may have, and holds it; null if there is none. Whoever may not have
     * it learns no more than who asks for one that does not exist.
     */
    private @Nullable BlockDevice select(String name) throws IOException {
        OpenExport export = server.exports().find(name);
        if (export == null
                || !server.authorization().allows(identity, export.export().name())) {
            letGo();
            return null;
        }
        BlockDevice open = device;
        if (export == held && open != null) {
            return open;
        }
        letGo();
        open = export.acquire();
        held = export;
        device = open;
        return open;
    }

    private void letGo() throws IOException {
        OpenExport export = held;
        held = null;
        device = null;
        if (export != null) {
            export.release();
        }
    }

    private static String unknown(String name) {
        return "export '" + (name.length() > NAME_SHOWN ? name.substring(0, NAME_SHOWN) + "..." : name)
                + "' not present";
    }

    private static String full(OpenExport export) {
        return export.export() + " has " + export.export().maximumClients()
                + " clients already, the most that it may have";
    }

    private void information(int option, ExportInfo info) throws IOException {
        connection.send(OptionReplyHeader.message(option, OptionReplies.INFO, info.bytes()));
    }

    private void sendContext(int option, MetaContext context) throws IOException {
        connection.send(OptionReplyHeader.message(option, OptionReplies.META_CONTEXT, context.bytes()));
    }

    private void acknowledge(int option) throws IOException {
        connection.send(OptionReplyHeader.message(option, OptionReplies.ACK, new byte[0]));
    }

    private void refuse(int option, int error, String text) throws IOException {
        connection.send(OptionReplyHeader.error(option, error, text));
    }
}
