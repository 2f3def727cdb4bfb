package dev.platter.testkit;

import java.io.Closeable;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;

/** An NBD server that others wrote, for as long as a test needs it. */
public final class ServerProcess implements Closeable {
    private static final long START_SECONDS = 60;

    private final ProcessHandle process;
    private final String scheme;
    private final String place;
    private final String parameters;

    private ServerProcess(ProcessHandle process, SocketAddress address, String scheme, String place, String parameters)
            throws IOException {
        this.process = process;
        this.scheme = scheme;
        this.place = place;
        this.parameters = parameters;
        try {
            awaitListening(address);
        } catch (IOException | RuntimeException e) {
            close();
            throw e;
        }
    }

    private static ServerProcess unix(ProcessHandle process, Path socket) throws IOException {
        return new ServerProcess(process, UnixDomainSocketAddress.of(socket), "+unix", "", "socket=" + socket);
    }

    private static ServerProcess tcp(ProcessHandle process, int port) throws IOException {
        SocketAddress address = new InetSocketAddress(InetAddress.getLoopbackAddress(), port);
        return new ServerProcess(process, address, "", "127.0.0.1:" + port, "");
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
        return unix(start(program, socket.toString(), options), socket);
    }

    private static ProcessHandle start(List<String> program, String place, String... options) throws IOException {
        List<String> command = new ArrayList<>(program);
        command.add(place);
        command.addAll(Arrays.asList(options));
        return ReferenceTools.builder(command).start().toHandle();
    }

    /** Starts qemu-nbd on a port of this host; skips the test if it is not installed. */
    public static ServerProcess qemuNbdTcp(String... options) throws IOException {
        ReferenceTools.assumeTool("qemu-nbd");
        return tcp(List.of("qemu-nbd", "-t", "-b", "127.0.0.1", "-p"), options);
    }

    /** Starts nbdkit on a port of this host; skips the test if it is not installed. */
    public static ServerProcess nbdkitTcp(String... options) throws IOException {
        ReferenceTools.assumeTool("nbdkit");
        return tcp(List.of("nbdkit", "-f", "--exit-with-parent", "-i", "127.0.0.1", "-p"), options);
    }

    private static ServerProcess tcp(List<String> program, String... options) throws IOException {
        int port = freePort();
        return tcp(start(program, "" + port, options), port);
    }

    /**
     * Starts nbd-server with an export {@code disk}; skips the test if it is not installed.
     *
     * @param general lines of the first section of its configuration
     */
    public static ServerProcess nbdServer(Path folder, Path disk, boolean unix, String... general) throws IOException {
        ReferenceTools.assumeTool("nbd-server");
        int port = freePort();
        Path socket = folder.resolve("s");
        List<String> lines = new ArrayList<>(List.of("[generic]"));
        lines.addAll(unix ? List.of("unixsock = " + socket) : List.of("listenaddr = 127.0.0.1", "port = " + port));
        lines.addAll(Arrays.asList(general));
        lines.addAll(List.of("[disk]", "exportname = " + disk, "flush = true", "fua = true", "trim = true"));
        Path configuration = Files.write(folder.resolve("nbd-server.conf"), lines);
        Path pid = folder.resolve("nbd-server.pid");
        // its option not to fork serves one client only, whatever that did, so it has to be a daemon
        ReferenceTools.runOk("nbd-server", "-C", configuration.toString(), "-p", pid.toString());
        ProcessHandle daemon = ProcessHandle.of(pid(pid)).orElseThrow(() -> new IOException("nbd-server ended"));
        return unix ? unix(daemon, socket) : tcp(daemon, port);
    }

    private static long pid(Path file) throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (!Files.exists(file) || Files.size(file) == 0) {
            if (System.nanoTime() > end) {
                throw new IOException(file + ": not written");
            }
            Thread.onSpinWait();
        }
        return Long.parseLong(Files.readString(file).strip());
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

    /** Returns the address of the default export with TLS, with more parameters. */
    public String tlsUri(String user, String more) {
        return tlsUri(user, "", more);
    }

    /** Returns the address of an export with TLS, with more parameters. */
    public String tlsUri(String user, String export, String more) {
        return uri("nbds", user, export) + (parameters.isEmpty() ? "?" : "&") + more;
    }

    private String uri(String kind, String user, String export) {
        return kind + scheme + "://" + user + place + "/" + export + (parameters.isEmpty() ? "" : "?" + parameters);
    }

    /** Waits until the server ends by itself. */
    public void awaitEnd() throws IOException {
        if (!ends(TimeUnit.SECONDS.toMillis(START_SECONDS))) {
            throw new IOException("the server goes on");
        }
    }

    /** Ends the server at once. */
    public void kill() {
        ReferenceTools.end(process);
    }

    @Override
    public void close() {
        kill();
    }

    private void awaitListening(SocketAddress address) throws IOException {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(START_SECONDS);
        while (true) {
            try {
                SocketChannel.open(address).close();
                return;
            } catch (IOException e) {
                if (System.nanoTime() > end || ends(10)) {
                    throw new IOException(process.info().commandLine().orElse("the server") + ": does not listen", e);
                }
            }
        }
    }

    private boolean ends(long millis) throws IOException {
        try {
            process.onExit().get(millis, TimeUnit.MILLISECONDS);
            return true;
        } catch (TimeoutException e) {
            return false;
        } catch (ExecutionException e) {
            throw new IOException(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("the test was interrupted", e);
        }
    }
}
