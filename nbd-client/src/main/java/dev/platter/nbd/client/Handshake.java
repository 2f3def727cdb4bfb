package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.core.Printable;
import dev.platter.nbd.client.NbdProtocol.Style;
import dev.platter.nbd.client.OptionExchange.Refusal;
import dev.platter.nbd.protocol.ExportInfo;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.HandshakeFlags;
import dev.platter.nbd.protocol.InfoTypes;
import dev.platter.nbd.protocol.ListedExport;
import dev.platter.nbd.protocol.Magic;
import dev.platter.nbd.protocol.MetaContext;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.nbd.protocol.WireText;
import dev.platter.nbd.tls.PeerIdentity;
import dev.platter.nbd.tls.TlsChannel;
import java.io.EOFException;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The client's side of a handshake: greeting, TLS, the form of replies, metadata contexts, export, in this order. Section
 * "Handshake phase". Used by one thread; what limits its time closes the channel.
 */
final class Handshake {
    /** The most exports that a server can list. */
    static final int MOST_EXPORTS = 10_000;

    /** The most pieces of information about one export. */
    static final int MOST_INFOS = 1000;

    /** The most metadata contexts that are listed of one export; {@link Negotiated#MOST_CONTEXTS} of them can be used. */
    static final int MOST_LISTED_CONTEXTS = 1000;

    private static final int ZEROES = 124;

    private final ByteChannel raw;
    private final Requirements requirements;
    private final NbdClientOptions options;

    private ByteChannel channel;
    private WireInput input;
    private OptionExchange exchange;

    private boolean greeted;
    private Style style = Style.NEWSTYLE;
    private boolean noZeroes;
    private boolean tls;
    private PeerIdentity peer = PeerIdentity.ANONYMOUS;
    private Form replies = Form.SIMPLE;
    private @Nullable ExportDetails oldstyleExport;
    private String step = "its greeting";

    /**
     * Makes a handshake.
     *
     * @param raw connected, and nothing read from it yet
     */
    Handshake(ByteChannel raw, Requirements requirements, NbdClientOptions options) {
        this.raw = raw;
        this.requirements = requirements;
        this.options = options;
        this.channel = raw;
        this.input = new WireInput(raw);
        this.exchange = new OptionExchange(raw, input);
    }

    /** Something that the server is asked. */
    @FunctionalInterface
    private interface Step<T> {
        T run() throws IOException;
    }

    /** Returns what the transmission phase goes through. */
    ByteChannel channel() {
        return channel;
    }

    /** Returns the bytes of {@link #channel}. */
    WireInput input() {
        return input;
    }

    /** Opens an export: afterwards requests can be sent. */
    Negotiated open(String export) throws IOException {
        return within(() -> {
            greet();
            return style == Style.OLDSTYLE ? oldstyle(export) : newstyle(export);
        });
    }

    /** Asks for all exports and what they are, and ends. */
    NbdListing list() throws IOException {
        return within(() -> {
            greet();
            NbdListing listing = style == Style.OLDSTYLE ? oldstyleListing() : newstyleListing();
            Channels.closeQuietly(raw);
            return listing;
        });
    }

    /** Asks what an export is, and ends. */
    NbdListing describe(String export) throws IOException {
        return within(() -> {
            greet();
            NbdListing listing = style == Style.OLDSTYLE ? oldstyleListing() : newstyleDescription(export);
            Channels.closeQuietly(raw);
            return listing;
        });
    }

    private <T> T within(Step<T> steps) throws IOException {
        try (Deadline deadline = new Deadline(options.handshakeTimeout(), raw)) {
            try {
                T result = steps.run();
                deadline.meet(where());
                return result;
            } catch (IOException e) {
                // With TLS, this tells the server why; without, it is the same as the next.
                Channels.closeQuietly(channel);
                Channels.closeQuietly(raw);
                throw deadline.explain(where(), explain(e));
            } catch (RuntimeException e) {
                Channels.closeQuietly(raw);
                throw e;
            }
        }
    }

    private String where() {
        String hint = greeted ? "" : " (some servers let clients wait while they have enough of them)";
        return requirements.description() + ": handshake, waiting for " + step + hint;
    }

    private IOException explain(IOException failure) {
        String description = requirements.description();
        if (failure instanceof ProtocolException) {
            ProtocolException exception = new ProtocolException(
                    description + ": the server breaks the protocol in the handshake: " + failure.getMessage());
            exception.initCause(failure);
            return exception;
        }
        // With TLS 1.3, a server refuses a client when the client has long been content.
        String hint = tls ? "; it may want a certificate of the client, or another one" : "";
        if (failure instanceof EOFException) {
            return new BlockIOException(
                    BlockIOException.Kind.IO,
                    description + ": " + failure.getMessage() + ", where " + step + " was due" + hint,
                    failure);
        }
        boolean known = failure instanceof BlockIOException || failure instanceof OptionRefusedException;
        return known || failure instanceof ClosedByInterruptException
                ? failure
                : new BlockIOException(BlockIOException.Kind.IO, where() + ": " + failure.getMessage() + hint, failure);
    }

    private void greet() throws IOException {
        ByteBuffer greeting = input.awaitMessage(16);
        greeted = true;
        long magic = greeting.getLong();
        if (magic != Magic.NBD) {
            throw new ProtocolException(String.format("it begins with 0x%016x, so it is no NBD server", magic));
        }
        long second = greeting.getLong();
        if (second == Magic.OLDSTYLE) {
            oldstyleGreeting();
            return;
        }
        if (second != Magic.OPTION) {
            throw new ProtocolException(
                    String.format("0x%016x in its greeting names no handshake that exists", second));
        }
        int offered = Short.toUnsignedInt(input.await(2).getShort());
        int flags = offered & (HandshakeFlags.FIXED_NEWSTYLE | HandshakeFlags.NO_ZEROES);
        style = (flags & HandshakeFlags.FIXED_NEWSTYLE) != 0 ? Style.FIXED_NEWSTYLE : Style.NEWSTYLE;
        noZeroes = (flags & HandshakeFlags.NO_ZEROES) != 0;
        Channels.writeAll(channel, ByteBuffer.allocate(4).putInt(flags).flip());
        if (requirements.tls() != null) {
            requireFixed("to encrypt");
            startTls(requirements.tls());
        }
    }

    private void requireFixed(String what) throws IOException {
        if (style != Style.FIXED_NEWSTYLE) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    requirements.description() + ": the server speaks the handshake " + style + ", which has no way "
                            + what,
                    null);
        }
    }

    private void startTls(Requirements.Tls wanted) throws IOException {
        step = "its answer to STARTTLS";
        Refusal refusal = exchange.ask(Options.STARTTLS);
        if (refusal != null) {
            throw refusal.toException(requirements.description(), "the server refuses TLS, which is required");
        }
        if (input.pending() > 0) {
            // Whoever sits on the line could have put them there.
            throw new ProtocolException(input.pending() + " bytes in clear behind the answer to STARTTLS");
        }
        step = "the TLS handshake";
        TlsChannel encrypted = new TlsChannel(raw, wanted.credentials().clientSession(wanted.host()));
        channel = encrypted;
        encrypted.handshake();
        tls = true;
        peer = encrypted.peer();
        input = new WireInput(encrypted);
        exchange = new OptionExchange(encrypted, input);
    }

    private Negotiated newstyle(String export) throws IOException {
        if (style == Style.NEWSTYLE) {
            return exportName(export, List.of());
        }
        agreeOnReplies();
        List<MetaContext> contexts = replies == Form.SIMPLE ? List.of() : agreeOnContexts(export);
        step = "its answer to GO";
        ExportReplies details = new ExportReplies(export);
        Refusal refusal = ask(Options.GO, details);
        if (refusal == null) {
            return new Negotiated(protocol(), details.details(names(contexts)), contexts);
        }
        if (refusal.is(OptionReplies.ERR_UNSUP) && replies != Form.EXTENDED) {
            return exportName(export, contexts);
        }
        abort();
        throw refusal.toException(
                requirements.description(), "the server does not open the export " + Printable.quote(export));
    }

    private void agreeOnReplies() throws IOException {
        if (options.extendedHeaders()) {
            step = "its answer to EXTENDED_HEADERS";
            if (accepted(exchange.ask(Options.EXTENDED_HEADERS))) {
                replies = Form.EXTENDED;
                return;
            }
        }
        if (options.structuredReplies()) {
            step = "its answer to STRUCTURED_REPLY";
            if (accepted(exchange.ask(Options.STRUCTURED_REPLY))) {
                replies = Form.STRUCTURED;
            }
        }
    }

    /** A no is no reason to stop, unless the server is about to; that the export cannot be had, GO tells better. */
    private boolean accepted(@Nullable Refusal refusal) throws IOException {
        if (refusal != null && refusal.is(OptionReplies.ERR_SHUTDOWN)) {
            abort();
            throw refusal.toException(requirements.description(), "the server cannot be used");
        }
        return refusal == null;
    }

    private List<MetaContext> agreeOnContexts(String export) throws IOException {
        List<String> wanted = options.contexts();
        List<String> asked = (wanted == null ? listContexts(export) : wanted)
                .stream().limit(Negotiated.MOST_CONTEXTS).toList();
        if (asked.isEmpty()) {
            return List.of();
        }
        step = "its answer to SET_META_CONTEXT";
        List<MetaContext> contexts = new ArrayList<>();
        Refusal refusal = exchange.ask(
                Options.SET_META_CONTEXT,
                new MetaContextQuery(export, asked).bytes(),
                OptionReplies.META_CONTEXT,
                asked.size(),
                data -> {
                    MetaContext context = MetaContext.take(data);
                    if (!asked.contains(context.name())) {
                        throw new ProtocolException(
                                "the metadata context " + Printable.quote(context.name()) + ", which nobody asked for");
                    }
                    for (MetaContext other : contexts) {
                        if (other.id() == context.id() || other.name().equals(context.name())) {
                            throw new ProtocolException("the metadata context " + Printable.quote(context.name())
                                    + " and its number " + Integer.toUnsignedString(context.id()) + " are not unique");
                        }
                    }
                    contexts.add(context);
                });
        return accepted(refusal) ? contexts : List.of();
    }

    private List<String> listContexts(String export) throws IOException {
        if (replies == Form.SIMPLE) {
            // Some servers list them even so, but they cannot be used.
            return List.of();
        }
        step = "its answer to LIST_META_CONTEXT";
        Set<String> names = new LinkedHashSet<>();
        Refusal refusal = exchange.ask(
                Options.LIST_META_CONTEXT,
                new MetaContextQuery(export, List.of()).bytes(),
                OptionReplies.META_CONTEXT,
                MOST_LISTED_CONTEXTS,
                data -> names.add(MetaContext.take(data).name()));
        return accepted(refusal) ? List.copyOf(names) : List.of();
    }

    private @Nullable Refusal ask(int option, ExportReplies details) throws IOException {
        ExportQuery query =
                new ExportQuery(details.asked(), InfoTypes.NAME, InfoTypes.DESCRIPTION, InfoTypes.BLOCK_SIZE);
        return exchange.ask(option, query.bytes(), OptionReplies.INFO, MOST_INFOS, details::take);
    }

    /** The only way to an export that a server without options, or without GO, knows; section "NBD_OPT_EXPORT_NAME". */
    private Negotiated exportName(String export, List<MetaContext> contexts) throws IOException {
        step = "the export " + Printable.quote(export) + " (a server that lacks it hangs up)";
        exchange.send(Options.EXPORT_NAME, WireText.bytes(export));
        ByteBuffer answer = input.awaitMessage(10);
        long size = ExportInfo.size(answer.getLong());
        int flags = ExportReplies.requireFlags(Short.toUnsignedInt(answer.getShort()));
        if (!noZeroes) {
            input.skip(ZEROES);
        }
        ExportDetails details = new ExportDetails(export, "", size, flags, null, names(contexts));
        return new Negotiated(protocol(), details, contexts);
    }

    private void oldstyleGreeting() throws IOException {
        style = Style.OLDSTYLE;
        String description = requirements.description();
        if (requirements.tls() != null) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    description + ": TLS is required, and the server speaks the oldstyle handshake, which has none",
                    null);
        }
        if (!options.oldstyle()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    description + ": the server speaks the oldstyle handshake, which has to be allowed (oldstyle)",
                    null);
        }
        ByteBuffer answer = input.await(12);
        long size = ExportInfo.size(answer.getLong());
        int flags = ExportReplies.requireFlags(answer.getInt() & 0xffff);
        input.skip(ZEROES);
        oldstyleExport = new ExportDetails("", "", size, flags, null, List.of());
    }

    private ExportDetails oldstyleExport() {
        if (oldstyleExport == null) {
            throw new IllegalStateException("no oldstyle greeting");
        }
        return oldstyleExport;
    }

    private Negotiated oldstyle(String export) throws IOException {
        if (!export.isEmpty()) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    requirements.description() + ": there is no export " + Printable.quote(export)
                            + ": a server with the oldstyle handshake has one export, without a name",
                    null);
        }
        return new Negotiated(protocol(), oldstyleExport(), List.of());
    }

    private NbdListing oldstyleListing() {
        return new NbdListing(protocol(), List.of(new NbdServerExport("", "", oldstyleExport(), null)));
    }

    private NbdListing newstyleListing() throws IOException {
        requireFixed("to list exports");
        agreeOnReplies();
        step = "its list of exports";
        List<ListedExport> listed = new ArrayList<>();
        Refusal refusal = exchange.ask(
                Options.LIST,
                new byte[0],
                OptionReplies.SERVER,
                MOST_EXPORTS,
                data -> listed.add(ListedExport.take(data)));
        if (refusal != null) {
            abort();
            throw refusal.toException(requirements.description(), "the server does not list its exports");
        }
        List<NbdServerExport> exports = new ArrayList<>();
        for (ListedExport export : listed) {
            exports.add(described(export));
        }
        abort();
        return new NbdListing(protocol(), exports);
    }

    private NbdListing newstyleDescription(String export) throws IOException {
        requireFixed("to ask about an export");
        agreeOnReplies();
        NbdServerExport described = described(new ListedExport(export, ""));
        abort();
        return new NbdListing(protocol(), List.of(described));
    }

    private NbdServerExport described(ListedExport export) throws IOException {
        step = "its answer to INFO";
        ExportReplies details = new ExportReplies(export.name());
        Refusal refusal = ask(Options.INFO, details);
        if (refusal != null) {
            String why = OptionReplies.describe(refusal.reply())
                    + (refusal.text().isEmpty() ? "" : ": " + Printable.quote(refusal.text()));
            return new NbdServerExport(export.name(), export.description(), null, why);
        }
        ExportDetails known = details.details(listContexts(export.name()));
        String description = export.description().isEmpty() ? known.description() : export.description();
        return new NbdServerExport(export.name(), description, known, null);
    }

    /** Says that nothing more will be asked. Nobody waits for the answer, nor minds if the server is gone already. */
    private void abort() {
        try {
            exchange.send(Options.ABORT, new byte[0]);
            channel.close();
        } catch (IOException e) {
            System.getLogger(Handshake.class.getName()).log(System.Logger.Level.DEBUG, "saying goodbye", e);
        }
    }

    private NbdProtocol protocol() {
        return new NbdProtocol(style, tls, peer, replies);
    }

    private static List<String> names(List<MetaContext> contexts) {
        return contexts.stream().map(MetaContext::name).toList();
    }
}
