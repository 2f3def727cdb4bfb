package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DeviceCatalog;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.ListedExport;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Every object of an image under its name, and who may have which. */
class CatalogTest {
    @SuppressWarnings("NullAway.Init") // each test starts its own
    private NbdServer server;

    private static final class Guest implements DeviceCatalog {
        @Override
        public List<Entry> devices() {
            return List.of(new Entry("/dev/sda", 8192), new Entry("/dev/vg0/root", 4096));
        }

        @Override
        public BlockDevice device(String name) throws IOException {
            for (Entry entry : devices()) {
                if (entry.name().equals(name)) {
                    return BlockDevices.ofBytes(name, ByteBuffer.allocateDirect((int) entry.size()));
                }
            }
            throw new NoSuchFileException(name);
        }
    }

    @AfterEach
    void stop() throws IOException {
        server.close();
    }

    private void start(NbdServer.Builder builder) throws IOException {
        server = builder.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .start();
    }

    private List<String> listed() throws IOException {
        List<String> names = new ArrayList<>();
        try (RawClient client = RawClient.greet(server)) {
            for (RawClient.OptionReply reply : client.option(Options.LIST)) {
                if (reply.reply() == OptionReplies.SERVER) {
                    names.add(ListedExport.take(reply.data()).name());
                }
            }
        }
        return names;
    }

    @Test
    void devices_are_listed_and_served_under_their_names() throws IOException {
        start(NbdServer.builder().catalog(new Guest()));
        assertThat(listed()).containsExactly("sda", "vg0/root");
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.GO, new ExportQuery("vg0/root").bytes()))
                    .isEqualTo(OptionReplies.ACK);
            client.request(0, Commands.WRITE, 1, 0, 512);
            client.send(ByteBuffer.allocate(512));
            assertThat(client.reply().header().error()).as("read-only").isEqualTo(1);
        }
        assertThat(listed()).as("no export twice").containsExactly("vg0/root", "sda");
    }

    @Test
    void the_whole_path_is_a_name_too() throws IOException {
        start(NbdServer.builder().catalog(new Guest()));
        try (RawClient client = RawClient.greet(server)) {
            assertThat(client.ask(Options.GO, new ExportQuery("/dev/vg0/root").bytes()))
                    .isEqualTo(OptionReplies.ACK);
        }
    }

    @Test
    void who_may_not_have_an_export_does_not_learn_that_it_exists() throws IOException {
        start(NbdServer.builder().catalog(new Guest()).authorization((identity, export) -> export.equals("vg0/root")));
        assertThat(listed()).containsExactly("vg0/root");
        try (RawClient client = RawClient.greet(server)) {
            for (String name : List.of("sda", "none")) {
                assertThat(client.ask(Options.INFO, new ExportQuery(name).bytes()))
                        .isEqualTo(OptionReplies.ERR_UNKNOWN);
                assertThat(client.ask(Options.LIST_META_CONTEXT, new MetaContextQuery(name, List.of()).bytes()))
                        .isEqualTo(OptionReplies.ERR_UNKNOWN);
            }
        }
    }

    @Test
    void an_export_takes_no_more_clients_than_it_may_have() throws IOException {
        start(NbdServer.builder()
                .export(Export.named("").maximumClients(1).of(BlockDevices.ofBytes("d", ByteBuffer.allocate(512)))));
        try (RawClient first = RawClient.greet(server);
                RawClient second = RawClient.greet(server)) {
            first.ask(Options.GO, new ExportQuery("").bytes());
            assertThat(second.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ERR_POLICY);
            first.request(0, Commands.DISC, 1, 0, 0);
            assertThat(first.isHungUp()).isTrue();
            assertThat(second.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
        }
    }
}
