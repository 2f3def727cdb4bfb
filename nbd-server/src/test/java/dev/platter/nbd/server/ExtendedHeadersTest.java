package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.ForwardingDevice;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Extended headers, by the text of the extension: no client in wide use has them yet. */
class ExtendedHeadersTest {
    private static final long HUGE = 1L << 60;

    private NbdServer server;
    private RawClient client;

    /** As large as can be, and empty. */
    private static final class Huge extends ForwardingDevice {
        Huge(BlockDevice device) {
            super(device);
        }

        @Override
        public long size() {
            return HUGE;
        }

        @Override
        public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
            visitor.extent(offset, length, Extent.READS_AS_ZERO, 0, null, -1);
        }

        @Override
        public void discard(long offset, long length) {
            // a hole already
        }
    }

    @BeforeEach
    void start() throws IOException {
        server = NbdServer.builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .export(Export.named("")
                        .allocationDepth()
                        .of(new Huge(BlockDevices.ofBytes("huge", ByteBuffer.allocate(8192)))))
                .extendedHeaders()
                .start();
        client = RawClient.greet(server);
        assertThat(client.ask(Options.EXTENDED_HEADERS)).isEqualTo(OptionReplies.ACK);
        client.ask(
                Options.SET_META_CONTEXT,
                new MetaContextQuery("", List.of("base:allocation", "qemu:allocation-depth")).bytes());
        assertThat(client.ask(Options.STRUCTURED_REPLY)).isEqualTo(OptionReplies.ERR_EXT_HEADER_REQD);
        assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
    }

    @AfterEach
    void stop() throws IOException {
        client.close();
        server.close();
    }

    @Test
    void reads_are_answered_with_extended_headers() throws IOException {
        client.request(true, 0, Commands.READ, 5, 512, 512);
        RawClient.Reply reply = client.reply();
        assertThat(reply.header().form()).isEqualTo(Form.EXTENDED);
        assertThat(reply.header().offset()).isEqualTo(512);
        assertThat(reply.header().type()).isEqualTo(ChunkTypes.OFFSET_DATA);
        assertThat(reply.payload().remaining()).isEqualTo(8 + 512);
    }

    @Test
    void writes_say_that_a_payload_follows() throws IOException {
        client.request(true, CommandFlags.PAYLOAD_LEN, Commands.WRITE, 1, 0, 512);
        client.send(ByteBuffer.allocate(512));
        assertThat(client.reply().header().type()).isEqualTo(ChunkTypes.NONE);
        client.request(true, CommandFlags.PAYLOAD_LEN, Commands.TRIM, 2, 0, 512);
        client.send(ByteBuffer.allocate(512));
        assertThat(error(client.reply()))
                .as("a payload where none belongs is taken")
                .isEqualTo(22);
        client.request(true, 0, Commands.FLUSH, 3, 0, 0);
        assertThat(client.reply().header().type()).isEqualTo(ChunkTypes.NONE);
    }

    @Test
    void block_status_of_a_whole_huge_disk_is_one_range_of_64_bits() throws IOException {
        client.request(true, 0, Commands.BLOCK_STATUS, 1, 0, HUGE);
        RawClient.Reply first = client.reply();
        assertThat(first.header().type()).isEqualTo(ChunkTypes.BLOCK_STATUS_EXT);
        ByteBuffer payload = first.payload();
        assertThat(payload.getInt()).isZero();
        assertThat(payload.getInt()).isEqualTo(1);
        assertThat(payload.getLong()).isEqualTo(HUGE);
        assertThat(payload.getLong()).isEqualTo(3);
        assertThat(client.reply().header().isDone()).isTrue();
    }

    @Test
    void a_filter_chooses_contexts() throws IOException {
        client.request(true, CommandFlags.PAYLOAD_LEN, Commands.BLOCK_STATUS, 1, 0, 12);
        client.send(ByteBuffer.allocate(12).putLong(4096).putInt(1).flip());
        RawClient.Reply reply = client.reply();
        assertThat(reply.header().isDone()).isTrue();
        assertThat(reply.payload().getInt(0)).isEqualTo(1);
        for (ByteBuffer wrong : List.of(
                ByteBuffer.allocate(12).putLong(4096).putInt(7).flip(),
                ByteBuffer.allocate(16).putLong(4096).putInt(1).putInt(1).flip(),
                ByteBuffer.allocate(9).putLong(4096).put((byte) 0).flip())) {
            client.request(true, CommandFlags.PAYLOAD_LEN, Commands.BLOCK_STATUS, 2, 0, wrong.remaining());
            client.send(wrong);
            assertThat(error(client.reply())).isEqualTo(22);
        }
    }

    private static int error(RawClient.Reply reply) {
        return reply.header().type() == ChunkTypes.ERROR ? reply.payload().getInt(0) : 0;
    }
}
