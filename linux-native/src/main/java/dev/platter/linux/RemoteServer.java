package dev.platter.linux;

import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.nbd.client.ExportDetails;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdUri;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A server elsewhere, which the kernel itself talks to: this process does the handshake and hands the socket over. No thread
 * of ours is between the two afterwards, and the device lives on without this process.
 */
final class RemoteServer implements NbdPeer {
    private final NbdUri uri;
    private final NbdClientOptions options;
    private final NbdGeometry geometry;
    private @Nullable Descriptor first;

    private RemoteServer(NbdUri uri, NbdClientOptions options, NbdGeometry geometry, Descriptor first) {
        this.uri = uri;
        this.options = options;
        this.geometry = geometry;
        this.first = first;
    }

    /** A socket that leads to the export, and what the server said of it. */
    private record Negotiation(Descriptor socket, ExportDetails export) {}

    static RemoteServer of(NbdUri uri) throws IOException {
        if (uri.tls()) {
            throw new BlockIOException(
                    Kind.NOT_SUPPORTED,
                    uri
                            + ": the kernel's nbd devices do not speak TLS; open the export here and bind that, so that this"
                            + " process decrypts",
                    null);
        }
        // simple replies are the only ones that the kernel understands
        NbdClientOptions options =
                NbdClientOptions.builder().structuredReplies(false).build();
        Negotiation negotiation = negotiate(uri, options);
        try {
            NbdGeometry geometry = NbdGeometry.of(uri.toString(), negotiation.export());
            return new RemoteServer(uri, options, geometry, negotiation.socket());
        } catch (IOException | RuntimeException e) {
            negotiation.socket().close();
            throw e;
        }
    }

    private static Negotiation negotiate(NbdUri uri, NbdClientOptions options) throws IOException {
        NativeSocket socket = socket(uri, options);
        try {
            ExportDetails export =
                    NbdClient.to(uri).with(options).negotiate(socket).details();
            return new Negotiation(socket.release(), export);
        } catch (IOException | RuntimeException e) {
            NativeSocket.discard(socket);
            throw e;
        }
    }

    private static NativeSocket socket(NbdUri uri, NbdClientOptions options) throws IOException {
        IOException failure = null;
        for (SocketAddress address : addresses(uri)) {
            try {
                return NativeSocket.connect(address, options.connectTimeout());
            } catch (IOException e) {
                if (failure != null) {
                    e.addSuppressed(failure);
                }
                failure = e;
            }
        }
        String why = failure == null ? "has no address" : "cannot be connected to: " + failure.getMessage();
        throw new BlockIOException(Kind.IO, uri + ": " + why, failure);
    }

    private static List<SocketAddress> addresses(NbdUri uri) throws IOException {
        if (uri.socket() != null) {
            return List.of(UnixDomainSocketAddress.of(uri.socket()));
        }
        List<SocketAddress> addresses = new ArrayList<>();
        try {
            for (InetAddress address : InetAddress.getAllByName(uri.host())) {
                addresses.add(new InetSocketAddress(address, uri.port()));
            }
        } catch (UnknownHostException e) {
            throw new BlockIOException(Kind.IO, uri + ": there is no host of that name, or no way to find it", e);
        }
        return addresses;
    }

    @Override
    public String name() {
        return uri.toString();
    }

    @Override
    public NbdGeometry geometry() {
        return geometry;
    }

    @Override
    public Descriptor connect() throws IOException {
        Descriptor negotiated = first;
        if (negotiated != null) {
            first = null;
            return negotiated;
        }
        Negotiation negotiation = negotiate(uri, options);
        if (negotiation.export().size() != geometry.size()) {
            negotiation.socket().close();
            throw new BlockIOException(
                    Kind.IO,
                    uri + ": the export has " + negotiation.export().size() + " bytes now, it had " + geometry.size(),
                    null);
        }
        return negotiation.socket();
    }

    @Override
    public void close() {
        if (first != null) {
            first.close();
            first = null;
        }
    }
}
