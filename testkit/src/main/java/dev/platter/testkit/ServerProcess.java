package dev.platter.testkit;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.TimeUnit;

/** An NBD server that others wrote, for as long as a test needs it. */
public final class ServerProcess implements Closeable {
    private static final long START_SECONDS = 60;

    private final Process process;
    private final String scheme;
    private final String place;
    private final String parameters;

    private ServerProcess(List<String> command, SocketAddress address, String scheme, String place, String parameters)
            throws IOException {
        this.scheme = scheme;
        this.place = place;
        this.parameters = parameters;
        this.process = ReferenceTools.builder(command).start();
        try {
            awaitListening(command, address);
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    /** Starts qemu-nbd on a Unix socket in a folder; skips the test if it is not installed. */
    public static ServerProcess qemuNbd(Path folder, String... options) throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        return unix(folder, List.of("qemu-nbd", "-t", "-k"), options);
    }

    /** Starts nbdkit on a Unix socket in a folder; skips the test if it is not installed. */
    public static ServerProcess nbdkit(Path folder, String... options) throws IOException {
        ReferenceTools.assumeTool("nbdkit");
        return unix(folder, List.of("nbdkit", "-f", "--exit-with-parent", "-U"), options);
    }

    private static ServerProcess unix(Path folder, List<String> program, String... options) throws IOException {
        Path socket = folder.resolve("s");
        List<String> command = new ArrayList<>(program);
        command.add(socket.toString());
        command.addAll(Arrays.asList(options));
        return new ServerProcess(command, UnixDomainSocketAddress.of(socket), "+unix", "", "socket=" + socket);
    }

    /** Starts qemu-nbd on a port of this host; skips the test if it is not installed. */
    public static ServerProcess qemuNbdTcp(String... options) throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        int port = freePort();
        List<String> command = new ArrayList<>(List.of("qemu-nbd", "-t", "-b", "127.0.0.1", "-p", "" + port));
        command.addAll(Arrays.asList(options));
        return new ServerProcess(
                command, new InetSocketAddress(InetAddress.getLoopbackAddress(), port), "", "127.0.0.1:" + port, "");
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    /** Returns the address of an export. */
    public String uri(String export) {
        return uri("nbd", "", export);
    }

    /** Returns the address of an export with TLS, with more parameters. */
    public String tlsUri(String user, String more) {
        return uri("nbds", user, "") + (parameters.isEmpty() ? "?" : "&") + more;
    }

    private String uri(String kind, String user, String export) {
        return kind + scheme + "://" + user + place + "/" + export + (parameters.isEmpty() ? "" : "?" + parameters);
    }

    /** Ends the server at once. */
    public void kill() {
        ReferenceTools.end(process);
    }

    @Override
    public void close() {
        kill();
    }

    private void awaitListening(List<String> command, SocketAddress address) throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            try {
                SocketChannel.open(address).close();
                return;
            } catch (IOException e) {
                if (!process.isAlive() || System.nanoTime() > end) {
                    throw new IOException(String.join(" ", command) + ": does not listen", e);
                }
                await();
            }
        }
    }

    private void await() throws IOException {
        try {
            if (process.waitFor(10, TimeUnit.MILLISECONDS)) {
                throw new IOException("the server ended with status " + process.exitValue());
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("the test was interrupted", e);
        }
    }
}
