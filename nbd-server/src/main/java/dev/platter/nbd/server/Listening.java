package dev.platter.nbd.server;

import java.io.Closeable;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.StandardSocketOptions;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import org.jspecify.annotations.Nullable;

/** A socket that clients connect to. A Unix socket is this user's alone from its first moment, and is removed at the end. */
final class Listening implements Closeable {
    private static final boolean POSIX =
            FileSystems.getDefault().supportedFileAttributeViews().contains("posix");

    private final ServerSocketChannel channel;
    private final SocketAddress address;
    private final @Nullable Path socketFile;

    private Listening(ServerSocketChannel channel, SocketAddress address, @Nullable Path socketFile) {
        this.channel = channel;
        this.address = address;
        this.socketFile = socketFile;
    }

    /** Takes over a socket that listens already, of whoever started this process for instance. */
    static Listening on(ServerSocketChannel channel) throws IOException {
        channel.configureBlocking(true);
        SocketAddress address = channel.getLocalAddress();
        if (address == null) {
            throw new BindException("the socket that was handed over listens to no address");
        }
        return new Listening(channel, address, null);
    }

    static Listening to(SocketAddress address, int backlog) throws IOException {
        if (address instanceof UnixDomainSocketAddress unix) {
            return unix(unix.getPath(), backlog);
        }
        if (!(address instanceof InetSocketAddress internet) || internet.isUnresolved()) {
            throw new BindException(address + ": no address to listen to");
        }
        ServerSocketChannel channel = ServerSocketChannel.open();
        try {
            channel.setOption(StandardSocketOptions.SO_REUSEADDR, true);
            channel.bind(internet, backlog);
            return new Listening(channel, channel.getLocalAddress(), null);
        } catch (IOException e) {
            channel.close();
            throw new BindException(internet.getHostString() + ":" + internet.getPort() + ": " + e.getMessage());
        }
    }

    /** Between bind and chmod anybody could connect, so both happen in a folder that nobody else can enter. */
    private static Listening unix(Path file, int backlog) throws IOException {
        removeStale(file);
        Path parent = file.toAbsolutePath().getParent();
        if (parent == null) {
            throw new BindException(file + ": no file name for a socket");
        }
        Path folder = Files.createTempDirectory(parent, ".n", attributes());
        ServerSocketChannel channel = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        try {
            Path hidden = folder.resolve("s");
            channel.bind(UnixDomainSocketAddress.of(hidden), backlog);
            if (POSIX) {
                Files.setPosixFilePermissions(hidden, PosixFilePermissions.fromString("rw-------"));
            }
            Files.move(hidden, file, StandardCopyOption.ATOMIC_MOVE);
            return new Listening(channel, UnixDomainSocketAddress.of(file), file);
        } catch (IOException e) {
            channel.close();
            Files.deleteIfExists(folder.resolve("s"));
            throw new BindException(file + ": " + e.getMessage());
        } finally {
            Files.deleteIfExists(folder);
        }
    }

    private static FileAttribute<?>[] attributes() {
        return POSIX
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"))
                }
                : new FileAttribute<?>[0];
    }

    /** Removes what a server left that ended badly. Anything else of that name stays, and is an error. */
    private static void removeStale(Path file) throws IOException {
        if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
            return;
        }
        if (!Files.readAttributes(file, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS)
                .isOther()) {
            throw new BindException(file + ": exists, and is no socket");
        }
        if (POSIX && !Files.getOwner(file, LinkOption.NOFOLLOW_LINKS).equals(owner())) {
            throw new BindException(file + ": a socket of somebody else");
        }
        if (isListening(file)) {
            throw new BindException(file + ": Address already in use");
        }
        Files.deleteIfExists(file);
    }

    private static boolean isListening(Path file) {
        try (SocketChannel probe = SocketChannel.open(UnixDomainSocketAddress.of(file))) {
            return probe.isConnected();
        } catch (IOException e) {
            return false;
        }
    }

    private static Object owner() throws IOException {
        Path probe = Files.createTempFile("platter", ".owner");
        try {
            return Files.getOwner(probe);
        } finally {
            Files.delete(probe);
        }
    }

    SocketAddress address() {
        return address;
    }

    SocketChannel accept() throws IOException {
        SocketChannel client = channel.accept();
        if (address instanceof InetSocketAddress) {
            client.setOption(StandardSocketOptions.TCP_NODELAY, true);
            client.setOption(StandardSocketOptions.SO_KEEPALIVE, true);
        }
        return client;
    }

    boolean isOpen() {
        return channel.isOpen();
    }

    @Override
    public void close() throws IOException {
        try {
            channel.close();
        } finally {
            if (socketFile != null) {
                Files.deleteIfExists(socketFile);
            }
        }
    }
}
