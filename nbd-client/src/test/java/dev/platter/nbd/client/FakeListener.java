package dev.platter.nbd.client;

import java.io.Closeable;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;

/** Fake servers behind a Unix socket, one for each connection: each does its script, those behind the last one that too. */
final class FakeListener implements Closeable {
    private final ServerSocketChannel listening;
    private final Path socket;
    private final List<FakeServer> servers = new ArrayList<>();
    private final AtomicInteger count = new AtomicInteger();

    FakeListener(Path folder, FakeServer.Script... scripts) throws IOException {
        socket = folder.resolve("s");
        listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listening.bind(UnixDomainSocketAddress.of(socket));
        Thread thread = new Thread(() -> accept(scripts), "fake listener");
        thread.setDaemon(true);
        thread.start();
    }

    private void accept(FakeServer.Script... scripts) {
        try {
            while (true) {
                SocketChannel channel = listening.accept();
                FakeServer.Script script = scripts[Math.min(count.getAndIncrement(), scripts.length - 1)];
                synchronized (servers) {
                    servers.add(new FakeServer(channel, channel, script));
                    servers.notifyAll();
                }
            }
        } catch (ClosedChannelException e) {
            // the test is over
            Thread.currentThread().interrupt();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    String uri() {
        return NbdUri.ofUnix(socket.toString(), "").toString();
    }

    /** Returns how many connections there were. */
    int count() {
        return count.get();
    }

    /** Returns the server of a connection that there is. */
    FakeServer server(int index) throws InterruptedException {
        synchronized (servers) {
            while (servers.size() <= index) {
                servers.wait();
            }
            return servers.get(index);
        }
    }

    /** Waits until no more than so many connections are open, as far as the client has noticed. */
    void awaitConnections(int most) {
        String reader = "nbd reader " + uri();
        while (Thread.getAllStackTraces().keySet().stream()
                        .filter(thread -> thread.getName().equals(reader))
                        .count()
                > most) {
            Thread.onSpinWait();
        }
    }

    /** Takes no more connections, and waits until those that there were are over. */
    void join() throws Exception {
        close();
        for (int i = 0; i < count(); i++) {
            server(i).join();
        }
    }

    @Override
    public void close() throws IOException {
        listening.close();
    }
}
