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

    /** Asks what the export is that the address names, without opening it. */
    public NbdListing describe() throws IOException {
        return new ServerConnector(uri, options).handshake().describe(uri.export());
    }

    /**
     * Opens an export by a channel that is connected to a server already: a tunnel, a socket that was handed over, a test.
     * The channel belongs to the export from then on, and is closed if this throws.
     *
     * <p>Its reads and writes must block, may be called by two threads at the same time, and end when it is closed. A {@link
     * java.nio.channels.SocketChannel} is put into the mode that it needs. Another channel that is interruptible is closed,
     * for all, by an interrupt of a thread that is sending.
     *
     * @param export name of the export
     */
    public static NbdExport attach(ByteChannel channel, String export, NbdClientOptions options) throws IOException {
        ByteChannel raw = steady(channel);
        String description = describe(export);
        return NbdExport.open(
                new Once(description) {
                    @Override
                    Connection make() throws IOException {
                        Handshake handshake = new Handshake(raw, new Requirements(description, null), options);
                        Negotiated negotiated = handshake.open(export);
                        return new Connection(
                                description, raw, handshake.channel(), handshake.input(), negotiated, options);
                    }
                },
                options);
    }

    /**
     * Takes over a channel on which somebody else did the handshake.
     *
     * @param channel as above; the next byte that it gives begins a reply
     * @param negotiated what was agreed on
     */
    public static NbdExport attach(ByteChannel channel, Negotiated negotiated, NbdClientOptions options)
            throws IOException {
        ByteChannel raw = steady(channel);
        String description = describe(negotiated.details().name());
        return NbdExport.open(
                new Once(description) {
                    @Override
                    Connection make() {
                        return new Connection(description, raw, raw, new WireInput(raw), negotiated, options);
                    }
                },
                options);
    }

    private static ByteChannel steady(ByteChannel channel) throws IOException {
        try {
            return Channels.steady(channel);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static String describe(String export) {
        return export.isEmpty() ? "NBD export" : "NBD export " + Printable.quote(export);
    }

    /** Connects by a channel that is there already, and cannot be had again. */
    private abstract static class Once implements Connector {
        private final String description;

        Once(String description) {
            this.description = description;
        }

        abstract Connection make() throws IOException;

        @Override
        public String description() {
            return description;
        }

        @Override
        public Connection connect() throws IOException {
            return make();
        }

        @Override
        public boolean canConnectAgain() {
            return false;
        }
    }
}
