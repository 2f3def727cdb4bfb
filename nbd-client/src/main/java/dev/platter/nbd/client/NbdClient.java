package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.core.Printable;
import dev.platter.nbd.protocol.ProtocolException;
import java.io.IOException;
import java.net.URI;
import java.nio.channels.ByteChannel;

/**
 * Reaches an NBD server:
 *
 * <pre>{@code
 * try (NbdExport disk = NbdClient.to("nbd://backup.example/web").open()) {
 *     disk.read(0, sector);
 * }
 * }</pre>
 *
 * <p>Immutable. Nothing is sent before one of the methods that throw {@link IOException} is called; those wait for the server
 * as long as {@link NbdClientOptions} allow, and throw
 *
 * <ul>
 *   <li>{@link BlockIOException} if the server cannot be reached, hangs up, or takes too long;
 *   <li>{@link OptionRefusedException} if it says no: there is no such export, it wants TLS;
 *   <li>{@link ProtocolException} if it breaks the protocol, or is no NBD server.
 * </ul>
 */
public final class NbdClient {
    private final NbdUri uri;
    private final NbdClientOptions options;

    private NbdClient(NbdUri uri, NbdClientOptions options) {
        this.uri = uri;
        this.options = options;
    }

    /** Returns a client of the server and the export that an address names. */
    public static NbdClient to(NbdUri uri) {
        return new NbdClient(uri, NbdClientOptions.defaults());
    }

    /**
     * Returns a client of the server and the export that an address names.
     *
     * @throws IllegalArgumentException if it is no address; see {@link NbdUri#parse}
     */
    public static NbdClient to(String uri) {
        return to(NbdUri.parse(uri));
    }

    /**
     * Returns a client of the server and the export that an address names.
     *
     * @throws IllegalArgumentException if it is no address; see {@link NbdUri#parse}
     */
    public static NbdClient to(URI uri) {
        return to(uri.toString());
    }

    /** Returns the same client with other options. */
    public NbdClient with(NbdClientOptions other) {
        return new NbdClient(uri, other);
    }

    /**
     * Opens the export.
     *
     * @throws dev.platter.core.ReadOnlyDeviceException if the options ask for writing and the server allows none
     */
    public NbdExport open() throws IOException {
        return NbdExport.open(new ServerConnector(uri, options), options);
    }

    /** Asks what the server has, whatever export the address names. */
    public NbdListing list() throws IOException {
        return new ServerConnector(uri, options).handshake().list();
    }

    /**
     * Asks what the export is that the address names, without opening it. One that the server does not want to tell about is
     * there with the {@linkplain NbdServerExport#problem reason}.
     */
    public NbdListing describe() throws IOException {
        return new ServerConnector(uri, options).handshake().describe(uri.export());
    }

    /**
     * Opens an export by a channel that leads to a server already: a tunnel, a socket that was handed over, a test. The
     * channel belongs to the export from then on, and is closed if this throws.
     *
     * <p>Its reads and writes must block, may be called by two threads at the same time, and end when it is closed. A {@link
     * java.nio.channels.SocketChannel} is put into the mode that it needs. Another channel that is interruptible is closed,
     * for all, by an interrupt of a thread that is sending.
     *
     * @param uri which export, and whether by TLS; its host is what a certificate has to name, and is not looked for
     */
    public static NbdExport attach(ByteChannel channel, NbdUri uri, NbdClientOptions options) throws IOException {
        ServerConnector server = new ServerConnector(uri, options);
        return attach(channel, server.description(), options, server::connect);
    }

    /**
     * Opens an export by a channel that leads to a server already, without TLS; see above.
     *
     * @param export name of the export
     */
    public static NbdExport attach(ByteChannel channel, String export, NbdClientOptions options) throws IOException {
        String description = describe(export);
        return attach(channel, description, options, raw -> {
            Handshake handshake = new Handshake(raw, new Requirements(description, null), options);
            Negotiated negotiated = handshake.open(export);
            return new Connection(description, raw, handshake.channel(), handshake.input(), negotiated, options);
        });
    }

    /**
     * Takes over a channel on which somebody else did the handshake.
     *
     * @param channel as above; the next byte that it gives begins a reply
     * @param negotiated what was agreed on
     */
    public static NbdExport attach(ByteChannel channel, Negotiated negotiated, NbdClientOptions options)
            throws IOException {
        String description = describe(negotiated.details().name());
        return attach(
                channel,
                description,
                options,
                raw -> new Connection(description, raw, raw, new WireInput(raw), negotiated, options));
    }

    /** Makes a connection of a channel. */
    @FunctionalInterface
    private interface Making {
        Connection make(ByteChannel raw) throws IOException;
    }

    private static NbdExport attach(ByteChannel channel, String description, NbdClientOptions options, Making making)
            throws IOException {
        ByteChannel raw = channel;
        try {
            raw = Channels.steady(channel);
            return NbdExport.open(new Once(description, making.make(raw)), options);
        } catch (IOException | RuntimeException e) {
            raw.close();
            throw e;
        }
    }

    /**
     * Does the handshake by a channel that leads to the server already, and nothing more: for whoever talks to the server from
     * then on, as the kernel does for its own devices. The channel stays the caller's, and is closed if this throws.
     *
     * @param channel as for {@link #attach(ByteChannel, NbdUri, NbdClientOptions)}; the next byte that it gives afterwards
     *     begins a reply
     * @throws IllegalArgumentException if the address asks for TLS
     */
    public Negotiated negotiate(ByteChannel channel) throws IOException {
        if (uri.tls()) {
            throw new IllegalArgumentException(uri + ": what is negotiated here has no TLS");
        }
        Handshake handshake = new Handshake(channel, new Requirements(uri.toString(), null), options);
        Negotiated negotiated = handshake.open(uri.export());
        if (handshake.input().pending() > 0) {
            channel.close();
            throw new ProtocolException(uri + ": the server sent "
                    + handshake.input().pending() + " bytes behind the handshake before it was asked anything");
        }
        return negotiated;
    }

    private static String describe(String export) {
        return export.isEmpty() ? "NBD export" : "NBD export " + Printable.quote(export);
    }

    /** A connection that is there already, and cannot be had again. */
    private record Once(String description, Connection connection) implements Connector {
        @Override
        public Connection connect() {
            return connection;
        }

        @Override
        public boolean canConnectAgain() {
            return false;
        }
    }
}
