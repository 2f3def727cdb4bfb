package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.nbd.client.NbdClient;
import dev.platter.nbd.client.NbdClientOptions;
import dev.platter.nbd.client.NbdUri;
import dev.platter.nbd.client.Negotiated;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ServerProcess;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.HexFormat;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Sockets whose descriptors the kernel can have; nothing here needs more than a user may do. */
@Timeout(120)
class NativeSocketTest {
    private static final Duration SOON = Duration.ofSeconds(10);

    @TempDir
    Path folder;

    @BeforeAll
    static void needsTheCLibrary() {
        Assumptions.assumeTrue(LibC.isAvailable(), "needs the C library of a 64-bit Linux");
    }

    @Test
    void addressesAreAsTheKernelWantsThem() throws IOException {
        InetAddress four = InetAddress.getByAddress(new byte[] {127, 0, 0, 1});
        byte[] one = new byte[16];
        one[15] = 1;
        InetAddress six = InetAddress.getByAddress(one);

        assertThat(hex(new InetSocketAddress(four, 10809))).isEqualTo("02002a397f0000010000000000000000");
        assertThat(hex(new InetSocketAddress(six, 10809)))
                .isEqualTo("0a002a3900000000" + "00000000000000000000000000000001" + "00000000");
        assertThat(hex(UnixDomainSocketAddress.of("/a")))
                .startsWith("01002f6100")
                .hasSize(220);
    }

    private static String hex(java.net.SocketAddress address) throws IOException {
        ByteBuffer encoded = NativeSocket.encode(address);
        byte[] bytes = new byte[encoded.remaining()];
        encoded.get(bytes);
        return HexFormat.of().formatHex(bytes);
    }

    @Test
    void aPathThatIsTooLongIsRefused() {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of("/" + "a".repeat(108));

        assertThatThrownBy(() -> NativeSocket.encode(address))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("at most 107 bytes");
    }

    @Test
    void nobodyListeningIsToldByName() {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("nobody"));

        assertThatThrownBy(() -> NativeSocket.connect(address, SOON))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("nobody: cannot be connected to: No such file or directory");
    }

    @Test
    void closingEndsAReadThatWaits() throws Exception {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("s"));
        try (ServerSocketChannel listening = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
            listening.bind(address);
            NativeSocket socket = NativeSocket.connect(address, SOON);
            try {
                CompletableFuture<Throwable> ended = new CompletableFuture<>();
                Thread reader = new Thread(() -> {
                    try {
                        socket.read(ByteBuffer.allocate(1));
                    } catch (IOException e) {
                        ended.complete(e);
                    }
                });
                reader.start();

                socket.close();

                assertThat(ended.get()).isInstanceOf(ClosedChannelException.class);
                reader.join();
            } finally {
                NativeSocket.discard(socket);
            }
        }
    }

    @Test
    void afterTheHandshakeTheNextBytesAreThoseOfASimpleReply() throws IOException {
        Path image = TempImages.raw(folder, "disk.raw", Contents.testBytes(1 << 20));
        try (ServerProcess server = ServerProcess.qemuNbd(folder, "-f", "raw", image.toString())) {
            NbdUri uri = NbdUri.parse(server.uri(""));
            NativeSocket socket = NativeSocket.connect(UnixDomainSocketAddress.of(String.valueOf(uri.socket())), SOON);
            try {
                Negotiated negotiated = NbdClient.to(uri)
                        .with(NbdClientOptions.builder()
                                .structuredReplies(false)
                                .build())
                        .negotiate(socket);

                ByteBuffer request = ByteBuffer.allocate(RequestHeader.BYTES);
                new RequestHeader().set(0, Commands.READ, 7, 4096, 512).put(request, false);
                socket.write(request.flip());
                ByteBuffer reply = ByteBuffer.allocate(16 + 512);
                while (reply.hasRemaining()) {
                    assertThat(socket.read(reply)).isPositive();
                }

                assertThat(negotiated.details().size()).isEqualTo(1 << 20);
                assertThat(reply.getInt(0)).isEqualTo(0x67446698);
                assertThat(reply.getInt(4)).isZero();
                assertThat(reply.getLong(8)).isEqualTo(7);
                ByteBuffer expected = ByteBuffer.allocate(512);
                TestBytes.fill(4096, expected);
                assertThat(reply.slice(16, 512)).isEqualTo(expected.flip());
            } finally {
                NativeSocket.discard(socket);
            }
        }
    }

    @Test
    void anAddressWithTlsIsRefusedWithTheReason() {
        assertThatThrownBy(() -> RemoteServer.of(NbdUri.parse("nbds://host/disk")))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("do not speak TLS");
    }

    @Test
    void thePairLeadsFromOneEndToTheOther() throws IOException {
        Assumptions.assumeTrue(Files.isWritable(Path.of("/run")), "needs a folder in /run");
        try (SocketPair pair = SocketPair.open()) {
            pair.serverEnd().write(ByteBuffer.wrap(new byte[] {42}));

            try (com.sun.jna.Memory memory = new com.sun.jna.Memory(8)) {
                assertThat(LibC.read(pair.kernelEnd().number(), memory, 8)).isEqualTo(1);
                assertThat(memory.getByte(0)).isEqualTo((byte) 42);
            }
        }
        try (var files = Files.newDirectoryStream(
                RunFolder.DEFAULT, "pair-" + ProcessHandle.current().pid() + "-*")) {
            assertThat(files).isEmpty();
        }
    }
}
