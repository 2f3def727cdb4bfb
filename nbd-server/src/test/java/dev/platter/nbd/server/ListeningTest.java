package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevices;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import java.io.IOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Where the server listens. */
class ListeningTest {
    @TempDir
    private Path folder;

    private static NbdServer.Builder builder() {
        return NbdServer.builder().export(Export.named("").of(BlockDevices.ofBytes("disk", ByteBuffer.allocate(512))));
    }

    private static void requireServing(NbdServer server) throws IOException {
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
        }
    }

    @Test
    void a_unix_socket_is_the_users_alone_and_is_removed_at_the_end() throws IOException {
        Path socket = folder.resolve("nbd.sock");
        try (NbdServer server =
                builder().bind(UnixDomainSocketAddress.of(socket)).start()) {
            assertThat(PosixFilePermissions.toString(Files.getPosixFilePermissions(socket)))
                    .isEqualTo("rw-------");
            requireServing(server);
        }
        try (Stream<Path> left = Files.list(folder)) {
            assertThat(left).isEmpty();
        }
    }

    @Test
    void a_socket_that_nobody_listens_to_any_more_is_replaced() throws IOException {
        Path socket = folder.resolve("nbd.sock");
        ServerSocketChannel.open(StandardProtocolFamily.UNIX)
                .bind(UnixDomainSocketAddress.of(socket))
                .close();
        assertThat(socket).exists();
        try (NbdServer server =
                builder().bind(UnixDomainSocketAddress.of(socket)).start()) {
            requireServing(server);
        }
    }

    @Test
    void a_socket_that_somebody_listens_to_stays() throws IOException {
        UnixDomainSocketAddress address = UnixDomainSocketAddress.of(folder.resolve("nbd.sock"));
        try (NbdServer first = builder().bind(address).start()) {
            assertThatThrownBy(() -> builder().bind(address).start())
                    .isInstanceOf(BindException.class)
                    .hasMessage(address + ": Address already in use");
            requireServing(first);
        }
    }

    @Test
    void a_file_that_is_no_socket_stays() throws IOException {
        Path file = Files.writeString(folder.resolve("precious"), "data");
        assertThatThrownBy(
                        () -> builder().bind(UnixDomainSocketAddress.of(file)).start())
                .hasMessage(file + ": exists, and is no socket");
        assertThat(file).hasContent("data");
    }

    @Test
    void a_port_that_is_taken_is_named() throws IOException {
        try (NbdServer first = builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .start()) {
            assertThatThrownBy(() -> builder().bind(first.addresses().get(0)).start())
                    .isInstanceOf(BindException.class)
                    .hasMessageContaining("127.0.0.1:");
        }
    }

    @Test
    void a_socket_that_listens_already_can_be_handed_over() throws IOException {
        ServerSocketChannel socket =
                ServerSocketChannel.open().bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0));
        try (NbdServer server = builder().accept(socket).start()) {
            requireServing(server);
        }
        assertThat(socket.isOpen()).isFalse();
    }

    @Test
    void several_addresses_serve_the_same_exports() throws IOException {
        try (NbdServer server = builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .bind(UnixDomainSocketAddress.of(folder.resolve("s")))
                .start()) {
            assertThat(server.addresses()).hasSize(2);
            try (RawClient client = RawClient.connect(server.addresses().get(1))) {
                client.take(18);
            }
        }
    }
}
