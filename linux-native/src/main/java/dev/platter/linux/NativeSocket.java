package dev.platter.linux;

import com.sun.jna.Memory;
import com.sun.jna.Native;
import dev.platter.core.BlockIOException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ByteChannel;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A stream socket whose descriptor can be given to the kernel, which a {@link java.nio.channels.SocketChannel} keeps to
 * itself. One thread reads and writes; another may close it, which ends what the first waits for.
 *
 * <p>Closing ends the conversation; the descriptor lives until {@link #release}.
 */
final class NativeSocket implements ByteChannel {
    private static final int BUFFER_BYTES = 64 << 10;
    private static final int UNIX_PATH_BYTES = 108;
    private static final int EINPROGRESS = 115;

    private final Descriptor descriptor;
    private final Memory buffer = new Memory(BUFFER_BYTES);
    private volatile boolean closed;

    private NativeSocket(Descriptor descriptor) {
        this.descriptor = descriptor;
    }

    /**
     * Connects.
     *
     * @param address of a server, its host name looked up, or of a Unix socket
     * @param timeout how long that may take; zero for as long as the system tries
     */
    static NativeSocket connect(SocketAddress address, Duration timeout) throws IOException {
        ByteBuffer encoded = encode(address);
        int family = encoded.getShort(0);
        int number = SocketCalls.socket(family, SocketCalls.SOCK_STREAM | SocketCalls.SOCK_CLOEXEC, 0);
        if (number < 0) {
            throw new SystemCallException("cannot make a socket", Native.getLastError());
        }
        Descriptor descriptor = Descriptor.of(address.toString(), number);
        try {
            if (family != SocketCalls.AF_UNIX) {
                option(descriptor, SocketCalls.IPPROTO_TCP, SocketCalls.TCP_NODELAY, integer(1));
                option(descriptor, SocketCalls.SOL_SOCKET, SocketCalls.SO_KEEPALIVE, integer(1));
            }
            option(descriptor, SocketCalls.SOL_SOCKET, SocketCalls.SO_SNDTIMEO, time(timeout));
            connect(descriptor, encoded);
            option(descriptor, SocketCalls.SOL_SOCKET, SocketCalls.SO_SNDTIMEO, time(Duration.ZERO));
            return new NativeSocket(descriptor);
        } catch (IOException | RuntimeException e) {
            descriptor.close();
            throw e;
        }
    }

    private static void connect(Descriptor descriptor, ByteBuffer address) throws IOException {
        try (Memory memory = copy(address)) {
            if (SocketCalls.connect(descriptor.number(), memory, address.limit()) == 0) {
                return;
            }
            int errno = Native.getLastError();
            // a connect that was given a time says that it goes on, once the time is over
            boolean late = errno == Errno.EAGAIN || errno == EINPROGRESS;
            throw new SystemCallException(
                    descriptor.name() + ": cannot be connected to", late ? Errno.ETIMEDOUT : errno);
        }
    }

    /** Returns an address as the kernel wants it. Layout: sockaddr_un, sockaddr_in, sockaddr_in6. */
    static ByteBuffer encode(SocketAddress address) throws IOException {
        if (address instanceof UnixDomainSocketAddress unix) {
            byte[] path = unix.getPath().toString().getBytes(StandardCharsets.UTF_8);
            if (path.length >= UNIX_PATH_BYTES) {
                throw new BlockIOException(
                        BlockIOException.Kind.NOT_SUPPORTED,
                        unix + ": the path of a socket has at most " + (UNIX_PATH_BYTES - 1) + " bytes",
                        null);
            }
            return ordered(Short.BYTES + UNIX_PATH_BYTES)
                    .putShort((short) SocketCalls.AF_UNIX)
                    .put(path)
                    .rewind();
        }
        InetSocketAddress inet = (InetSocketAddress) address;
        byte[] host = inet.getAddress().getAddress();
        byte[] port = {(byte) (inet.getPort() >> 8), (byte) inet.getPort()};
        if (host.length == 4) {
            return ordered(16)
                    .putShort((short) SocketCalls.AF_INET)
                    .put(port)
                    .put(host)
                    .rewind();
        }
        int scope = inet.getAddress() instanceof java.net.Inet6Address six ? six.getScopeId() : 0;
        return ordered(28)
                .putShort((short) SocketCalls.AF_INET6)
                .put(port)
                .putInt(0)
                .put(host)
                .putInt(scope)
                .rewind();
    }

    private static ByteBuffer ordered(int bytes) {
        return ByteBuffer.allocate(bytes).order(ByteOrder.nativeOrder());
    }

    static ByteBuffer integer(int value) {
        return ordered(Integer.BYTES).putInt(value).flip();
    }

    /** Returns a {@code struct timeval}; zero is no limit. */
    static ByteBuffer time(Duration time) {
        long micros = time.toNanosPart() / 1000;
        return ordered(2 * Long.BYTES).putLong(time.toSeconds()).putLong(micros).flip();
    }

    static void option(Descriptor descriptor, int level, int option, ByteBuffer value) throws SystemCallException {
        try (Memory memory = copy(value)) {
            if (SocketCalls.setsockopt(descriptor.number(), level, option, memory, value.limit()) != 0) {
                throw new SystemCallException(
                        descriptor.name() + ": setsockopt " + level + "/" + option, Native.getLastError());
            }
        }
    }

    /** Returns a copy for the kernel, of the whole of a buffer. */
    static Memory copy(ByteBuffer bytes) {
        Memory memory = new Memory(bytes.limit());
        memory.getByteBuffer(0, bytes.limit()).put(bytes.duplicate().rewind());
        return memory;
    }

    @Override
    public int read(ByteBuffer into) throws IOException {
        while (into.hasRemaining()) {
            requireOpen();
            long count = LibC.read(descriptor.number(), buffer, Math.min(into.remaining(), BUFFER_BYTES));
            if (count > 0) {
                into.put(buffer.getByteBuffer(0, count));
                return (int) count;
            }
            int errno = Native.getLastError();
            requireOpen();
            if (count == 0) {
                return -1;
            }
            retryOrThrow("read", errno);
        }
        return 0;
    }

    @Override
    public int write(ByteBuffer from) throws IOException {
        int start = from.position();
        while (from.hasRemaining()) {
            requireOpen();
            int run = Math.min(from.remaining(), BUFFER_BYTES);
            buffer.getByteBuffer(0, run).put(from.duplicate().limit(from.position() + run));
            long count = LibC.write(descriptor.number(), buffer, run);
            if (count < 0) {
                retryOrThrow("write", Native.getLastError());
            } else {
                from.position(from.position() + (int) count);
            }
        }
        return from.position() - start;
    }

    private void retryOrThrow(String what, int errno) throws IOException {
        requireOpen();
        if (errno != Errno.EINTR) {
            throw new SystemCallException(descriptor.name() + ": " + what, errno);
        }
    }

    private void requireOpen() throws ClosedChannelException {
        if (closed) {
            throw new ClosedChannelException();
        }
    }

    @Override
    public boolean isOpen() {
        return !closed;
    }

    /** Hangs up. */
    @Override
    public void close() {
        closed = true;
        SocketCalls.shutdown(descriptor.number(), SocketCalls.SHUT_RDWR);
    }

    /** Returns the descriptor, which the caller closes. */
    Descriptor release() {
        return descriptor;
    }

    /** Closes a socket, if there is one. */
    static void discard(@Nullable NativeSocket socket) {
        if (socket != null) {
            socket.descriptor.close();
        }
    }
}
