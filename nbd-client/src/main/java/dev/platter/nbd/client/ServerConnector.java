package dev.platter.nbd.client;

import dev.platter.core.BlockIOException;
import dev.platter.nbd.tls.PskCredentials;
import dev.platter.nbd.tls.TlsCredentials;
import dev.platter.nbd.tls.X509Credentials;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedByInterruptException;
import java.nio.channels.SocketChannel;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Connects to the server that an address names, by TCP or a Unix socket. */
final class ServerConnector implements Connector {
    private final NbdUri uri;
    private final NbdClientOptions options;
    private final String description;

    ServerConnector(NbdUri uri, NbdClientOptions options) {
        this.uri = uri;
        this.options = options;
        this.description = uri.toString();
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public boolean canConnectAgain() {
        return true;
    }

    @Override
    public Connection connect() throws IOException {
        Requirements requirements = requirements();
        return open(socket(), requirements);
    }

    /** Opens the export by a channel that leads to the server. */
    Connection connect(ByteChannel raw) throws IOException {
        return open(raw, requirements());
    }

    private Connection open(ByteChannel raw, Requirements requirements) throws IOException {
        Handshake handshake = new Handshake(raw, requirements, options);
        Negotiated negotiated = handshake.open(uri.export());
        return new Connection(description, raw, handshake.channel(), handshake.input(), negotiated, options);
    }

    /** Connects for other questions than an export. */
    Handshake handshake() throws IOException {
        Requirements requirements = requirements();
        return new Handshake(socket(), requirements, options);
    }

    private Requirements requirements() throws IOException {
        if (!uri.tls()) {
            return new Requirements(description, null);
        }
        String stated = uri.credentials().hostname();
        String host = stated == null ? uri.host() : stated;
        try {
            return new Requirements(description, new Requirements.Tls(credentials(), host));
        } catch (IOException | IllegalArgumentException e) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED, description + ": TLS: " + e.getMessage(), e);
        }
    }

    private TlsCredentials credentials() throws IOException {
        if (options.tls() != null) {
            return options.tls();
        }
        NbdUri.Credentials stated = uri.credentials();
        String type = stated.type();
        if (type == null) {
            type = stated.pskFile() == null ? "x509" : "psk";
            if (stated.pskFile() != null && stated.certificates() != null) {
                throw new IllegalArgumentException("say which: tls-type=x509 or tls-type=psk");
            }
        }
        return switch (type) {
            case "psk" -> psk(stated);
            case "x509" -> x509(stated);
            default -> throw new IllegalArgumentException("tls-type=" + type + " proves nothing, and is not supported");
        };
    }

    private TlsCredentials psk(NbdUri.Credentials stated) throws IOException {
        if (stated.pskFile() == null) {
            throw new IllegalArgumentException("tls-type=psk needs tls-psk-file=FILE");
        }
        String user = uri.user() == null ? PskCredentials.DEFAULT_USERNAME : uri.user();
        return PskCredentials.client(Path.of(stated.pskFile()), user);
    }

    private static TlsCredentials x509(NbdUri.Credentials stated) throws IOException {
        if (stated.certificates() != null) {
            return X509Credentials.client(Path.of(stated.certificates()))
                    .verifyPeer(stated.verifyPeer())
                    .read();
        }
        if (!stated.verifyPeer()) {
            throw new IllegalArgumentException("tls-verify-peer=0 needs tls-certificates=FOLDER");
        }
        return X509Credentials.systemTrust();
    }

    private ByteChannel socket() throws IOException {
        if (Thread.currentThread().isInterrupted()) {
            throw new ClosedByInterruptException();
        }
        IOException failure = null;
        for (SocketAddress address : addresses()) {
            try {
                return connect(address);
            } catch (ClosedByInterruptException e) {
                throw e;
            } catch (IOException e) {
                if (failure != null) {
                    e.addSuppressed(failure);
                }
                failure = e;
            }
        }
        throw failure == null ? new IOException(description + ": has no address") : failure;
    }

    private List<SocketAddress> addresses() throws IOException {
        String path = uri.socket();
        if (path != null) {
            return List.of(unixAddress(path));
        }
        List<SocketAddress> addresses = new ArrayList<>();
        try {
            for (InetAddress address : InetAddress.getAllByName(uri.host())) {
                addresses.add(new InetSocketAddress(address, uri.port()));
            }
        } catch (UnknownHostException e) {
            throw new BlockIOException(
                    BlockIOException.Kind.IO, description + ": there is no host of that name, or no way to find it", e);
        }
        return addresses;
    }

    private SocketAddress unixAddress(String path) throws IOException {
        try {
            return UnixDomainSocketAddress.of(path);
        } catch (InvalidPathException e) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED, description + ": socket: " + e.getMessage(), e);
        }
    }

    private ByteChannel connect(SocketAddress address) throws IOException {
        SocketChannel socket = open(address);
        try (Deadline deadline = new Deadline(options.connectTimeout(), socket)) {
            try {
                if (!(address instanceof UnixDomainSocketAddress)) {
                    socket.setOption(StandardSocketOptions.TCP_NODELAY, true);
                    socket.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
                }
                socket.connect(address);
                deadline.meet(description + ": connecting");
            } catch (IOException e) {
                throw deadline.explain(description + ": connecting", notConnected(e));
            }
            return Channels.steady(socket);
        } catch (IOException | RuntimeException e) {
            socket.close();
            throw e;
        }
    }

    private SocketChannel open(SocketAddress address) throws IOException {
        try {
            return address instanceof UnixDomainSocketAddress
                    ? SocketChannel.open(StandardProtocolFamily.UNIX)
                    : SocketChannel.open();
        } catch (UnsupportedOperationException e) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED, description + ": this system has no Unix sockets", e);
        }
    }

    private IOException notConnected(IOException failure) {
        return failure instanceof ClosedByInterruptException
                ? failure
                : new BlockIOException(
                        BlockIOException.Kind.IO,
                        description + ": cannot be connected to: " + failure.getMessage(),
                        failure);
    }
}
