package dev.platter.cli;

import dev.platter.inspect.ImageInspector;
import dev.platter.nbd.server.ClientInfo;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.nbd.server.ServerLimits;
import dev.platter.nbd.server.ServerListener;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.concurrent.CountDownLatch;

/** A server from its start to its end, which its last client brings about, or a signal. */
final class NbdService implements ServerListener {
    private final NbdArguments arguments;
    private final Stdio io;
    private final Launcher launcher;
    private final CountDownLatch over = new CountDownLatch(1);
    private int clients;

    private NbdService(NbdArguments arguments, Launcher launcher, Stdio io) {
        this.arguments = arguments;
        this.launcher = launcher;
        this.io = io;
    }

    /** Serves until it is over. */
    static void run(NbdArguments arguments, Launcher launcher, Stdio io) throws IOException {
        NbdService service = new NbdService(arguments, launcher, io);
        Holdings.during(io, holdings -> {
            service.start(holdings);
            service.over.await();
        });
    }

    private void start(Holdings holdings) throws IOException {
        ServedImage image =
                holdings.keep(() -> ServedImage.open(arguments.file, arguments.image, arguments.bitmaps, io));
        NbdServer.Builder server = NbdServer.builder().listener(this).limits(limits());
        server.export(export(image));
        if (arguments.devices) {
            server.catalog(holdings.keep(() -> ImageInspector.of(image.device())));
        }
        if (arguments.tls != null) {
            server.tls(arguments.tls);
        }
        if (arguments.authorization != null) {
            server.authorization(arguments.authorization);
        }
        ServerSocketChannel inherited = launcher.socket();
        if (inherited != null) {
            server.accept(inherited);
        } else {
            arguments.address.resolve().forEach(server::bind);
        }
        NbdServer started = holdings.keep(() -> start(server));
        if (arguments.verbose) {
            for (SocketAddress address : started.addresses()) {
                io.message("listening on " + text(address));
            }
        }
        if (arguments.pidFile != null) {
            PidFile.write(arguments.pidFile);
        }
        launcher.ready();
    }

    private Export export(ServedImage image) {
        Export.Builder export = Export.named(arguments.exportName)
                .description(arguments.description)
                .bitmaps(arguments.bitmaps);
        if (arguments.image.readOnly) {
            export.readOnly();
        }
        if (arguments.allocationDepth) {
            export.allocationDepth();
        }
        return export.of(image.device());
    }

    private ServerLimits limits() {
        ServerLimits limits = ServerLimits.defaults().withHandshake(Duration.ofSeconds(arguments.handshakeSeconds));
        return arguments.shared == 0 ? limits : limits.withConnections(arguments.shared);
    }

    /** Listens; what prevents that is said in the words of QEMU: util/qemu-sockets.c. */
    private NbdServer start(NbdServer.Builder server) throws IOException {
        String socket = arguments.address.socket();
        try {
            return server.start();
        } catch (BindException e) {
            String message = String.valueOf(e.getMessage());
            if (socket != null) {
                throw new StartFailure("Failed to bind socket to " + message);
            }
            String reason = message.substring(message.lastIndexOf(": ") + 1).strip();
            String what = reason.startsWith("Address already in use")
                    ? "Failed to find an available port"
                    : "Failed to bind socket";
            throw new StartFailure(
                    what + ": " + reason + " (" + arguments.address.host() + ":" + arguments.address.port() + ")");
        } catch (IOException e) {
            throw socket == null
                    ? e
                    : new StartFailure("Failed to bind socket to " + socket + ": " + SystemErrors.text(e));
        }
    }

    @Override
    public synchronized void connected(ClientInfo client) {
        clients++;
        if (arguments.verbose) {
            io.message("client " + client.id() + " connected" + from(client));
        }
    }

    @Override
    public void negotiated(ClientInfo client) {
        if (arguments.verbose) {
            io.message("client " + client.id() + " has export '" + client.export() + "'");
        }
    }

    @Override
    public synchronized void disconnected(ClientInfo client, String why) {
        clients--;
        boolean negotiated = client.export() != null;
        if (!negotiated && !why.isEmpty()) {
            io.message("option negotiation failed: " + why);
        }
        if (arguments.verbose) {
            io.message("client " + client.id() + " is gone" + (why.isEmpty() ? "" : ": " + why));
        }
        if (negotiated && clients == 0 && !arguments.persistent) {
            over.countDown();
        }
    }

    @Override
    public void requestFailed(ClientInfo client, String request, Exception failure) {
        if (arguments.verbose) {
            io.message("client " + client.id() + ": " + request + ": " + failure.getMessage());
        }
    }

    @Override
    public void acceptFailed(String address, Exception failure) {
        io.message(address + ": accepts no more clients: " + failure.getMessage());
    }

    private static String text(SocketAddress address) {
        return address instanceof InetSocketAddress internet
                ? internet.getAddress().getHostAddress() + ":" + internet.getPort()
                : address.toString();
    }

    private static String from(ClientInfo client) {
        return client.address().isEmpty() ? "" : " from " + client.address();
    }
}
