package dev.platter.cli;

import dev.platter.inspect.ImageInspector;
import dev.platter.nbd.server.ClientInfo;
import dev.platter.nbd.server.Export;
import dev.platter.nbd.server.NbdServer;
import dev.platter.nbd.server.ServerLimits;
import dev.platter.nbd.server.ServerListener;
import java.io.Closeable;
import java.io.IOException;
import java.net.BindException;
import java.net.SocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/** A server from its start to its end, which its last client brings about, or a signal. */
final class NbdService implements ServerListener, Closeable {
    /** How long a signal waits for a file system that does not answer. */
    private static final int OPENING_SECONDS = 10;

    private final NbdArguments arguments;
    private final Stdio io;
    private final Launcher launcher;
    private final CountDownLatch over = new CountDownLatch(1);
    private final Thread hook = new Thread(this::endBySignal, "end by signal");

    /** Held while something is opened or closed: a signal must not come between what is made and the note of it. */
    private final ReentrantLock opening = new ReentrantLock();

    /** What is to be closed, the last one first; null once that is done. */
    private @Nullable Deque<Closeable> opened = new ArrayDeque<>();

    private int clients;
    private volatile boolean signalled;

    private NbdService(NbdArguments arguments, Launcher launcher, Stdio io) {
        this.arguments = arguments;
        this.launcher = launcher;
        this.io = io;
    }

    /** Serves until it is over. */
    static void run(NbdArguments arguments, Launcher launcher, Stdio io) throws IOException {
        NbdService service = new NbdService(arguments, launcher, io);
        Runtime.getRuntime().addShutdownHook(service.hook);
        try (service) {
            service.start();
            service.over.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            // Whoever ends the program does not want to hear what that interrupted.
            if (!service.signalled) {
                throw e;
            }
        } finally {
            service.removeHook();
        }
    }

    private void start() throws IOException {
        ServedImage image = keep(() -> ServedImage.open(arguments.file, arguments.image, arguments.bitmaps, io));
        NbdServer.Builder server = NbdServer.builder().listener(this).limits(limits());
        server.export(export(image));
        if (arguments.devices) {
            server.catalog(keep(() -> ImageInspector.of(image.device())));
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
        NbdServer started = keep(() -> start(server));
        if (arguments.verbose) {
            for (SocketAddress address : started.addresses()) {
                io.message("listening on " + address);
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

    /** Opens something. */
    private interface Opening<T> {
        T open() throws IOException;
    }

    private <T extends Closeable> T keep(Opening<T> what) throws IOException {
        opening.lock();
        try {
            if (opened == null) {
                throw new ClosedChannelException();
            }
            T open = what.open();
            opened.push(open);
            return open;
        } finally {
            opening.unlock();
        }
    }

    @Override
    public void close() throws IOException {
        opening.lock();
        try {
            Deque<Closeable> closing = opened;
            opened = null;
            IOException failure = null;
            while (closing != null && !closing.isEmpty()) {
                try {
                    closing.pop().close();
                } catch (IOException e) {
                    failure = failure == null ? e : failure;
                }
            }
            if (failure != null) {
                throw failure;
            }
        } finally {
            opening.unlock();
        }
    }

    private void removeHook() {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The JVM is ending: the hook has run, or does.
            signalled = true;
        }
    }

    /** A signal is the way to end a server, and no failure, which only halt can say from here. */
    private void endBySignal() {
        signalled = true;
        int exit = ExitCode.WHOLE;
        try {
            if (opening.tryLock(OPENING_SECONDS, TimeUnit.SECONDS)) {
                close();
            }
        } catch (IOException e) {
            io.message(Failures.text(e));
            exit = ExitCode.ERROR;
        } catch (InterruptedException e) {
            exit = ExitCode.ERROR;
        }
        Runtime.getRuntime().halt(exit);
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

    private static String from(ClientInfo client) {
        return client.address().isEmpty() ? "" : " from " + client.address();
    }
}
