package dev.platter.linux;

import java.io.Closeable;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicLong;

/**
 * Two stream sockets that lead to each other: one for the kernel, which takes a descriptor, and one for a server of this
 * process, which takes a channel. No call makes both, so one connects to the other in the folder that only root enters.
 */
final class SocketPair implements Closeable {
    private static final AtomicLong MADE = new AtomicLong();

    private final Descriptor kernelEnd;
    private final SocketChannel serverEnd;

    private SocketPair(Descriptor kernelEnd, SocketChannel serverEnd) {
        this.kernelEnd = kernelEnd;
        this.serverEnd = serverEnd;
    }

    static SocketPair open() throws IOException {
        String name = "pair-" + ProcessHandle.current().pid() + "-" + MADE.incrementAndGet();
        RunFolder.open(RunFolder.DEFAULT);
        Path place = RunFolder.DEFAULT.resolve(name);
        // left by a process that had the number of this one
        Files.deleteIfExists(place);
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(place);
        try (ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listener.bind(address, 1);
            NativeSocket kernelEnd = NativeSocket.connect(address, Duration.ZERO);
            try {
                return new SocketPair(kernelEnd.release(), listener.accept());
            } catch (IOException | RuntimeException e) {
                NativeSocket.discard(kernelEnd);
                throw e;
            }
        } finally {
            Files.deleteIfExists(place);
        }
    }

    /** Returns the end whose descriptor can be given away. */
    Descriptor kernelEnd() {
        return kernelEnd;
    }

    /** Returns the end of this process. */
    SocketChannel serverEnd() {
        return serverEnd;
    }

    @Override
    public void close() throws IOException {
        kernelEnd.close();
        serverEnd.close();
    }
}
