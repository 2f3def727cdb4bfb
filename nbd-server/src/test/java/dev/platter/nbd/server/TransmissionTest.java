package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Durability;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.NotFasterException;
import dev.platter.core.ZeroMode;
import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.CommandFlags;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.MetaContextQuery;
import dev.platter.nbd.protocol.OptionReplies;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What the server answers to requests. */
class TransmissionTest {
    private static final int SIZE = 3 << 20;

    private final ByteBuffer bytes = ByteBuffer.wrap(TestBytes.of(7, SIZE));
    private final Watched device = new Watched(BlockDevices.ofBytes("disk", bytes));
    private NbdServer server;
    private RawClient client;

    /** Notes what it is asked, and fails on request. */
    private static final class Watched extends ForwardingDevice {
        private final List<String> calls = Collections.synchronizedList(new ArrayList<>());
        private volatile long failsFrom = Long.MAX_VALUE;
        private volatile boolean full;

        Watched(BlockDevice device) {
            super(device);
        }

        @Override
        public void read(long offset, ByteBuffer into) throws IOException {
            if (offset + into.remaining() > failsFrom) {
                throw new BlockIOException(BlockIOException.Kind.IO, "disk: bad sector at " + failsFrom, null);
            }
            super.read(offset, into);
        }

        @Override
        public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
            if (full) {
                throw new BlockIOException(BlockIOException.Kind.NO_SPACE, "disk: no space", null);
            }
            calls.add("write " + offset + " " + from.remaining() + " " + durability);
            super.write(offset, from, durability);
        }

        @Override
        public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
            calls.add("zeroes " + offset + " " + length + " " + mode);
            if (mode.isFast()) {
                throw new NotFasterException("disk");
            }
            super.writeZeroes(offset, length, mode, durability);
        }

        @Override
        public void flush() throws IOException {
            calls.add("flush");
            super.flush();
        }
    }

    @BeforeEach
    void start() throws IOException {
        server = NbdServer.builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .export(Export.named("").of(device))
                .export(Export.named("read-only").readOnly().of(device))
                .start();
        client = RawClient.greet(server);
    }

    @AfterEach
    void stop() throws IOException {
        client.close();
        server.close();
    }

    private void go(boolean structured) throws IOException {
        if (structured) {
            assertThat(client.ask(Options.STRUCTURED_REPLY)).isEqualTo(OptionReplies.ACK);
            client.ask(Options.SET_META_CONTEXT, new MetaContextQuery("", List.of("base:allocation")).bytes());
        }
        assertThat(client.ask(Options.GO, new ExportQuery("").bytes())).isEqualTo(OptionReplies.ACK);
    }

    private int simpleError() throws IOException {
        RawClient.Reply reply = client.reply();
        assertThat(reply.header().form()).isEqualTo(Form.SIMPLE);
        return reply.header().error();
    }

    @Test
    void reads_of_any_length_give_the_bytes() throws IOException {
        go(false);
        for (int length : new int[] {1, 512, 4096, 12_000, 65_536, 262_144, 262_145, 1 << 20, SIZE - 7}) {
            client.request(0, Commands.READ, length, 7, length);
            RawClient.Reply reply = client.reply();
            assertThat(reply.header().error()).isZero();
            assertThat(reply.header().cookie()).isEqualTo(length);
            assertThat(client.take(length)).isEqualTo(bytes.slice(7, length));
        }
    }

    @Test
    void structured_reads_cover_the_range_and_end_with_done() throws IOException {
        go(true);
        for (int length : new int[] {1, 4096, 262_144, 1 << 20, SIZE}) {
            client.request(0, Commands.READ, length, 0, length);
            ByteBuffer got = ByteBuffer.allocate(length);
            RawClient.Reply chunk;
            do {
                chunk = client.reply();
                assertThat(chunk.header().type()).isEqualTo(ChunkTypes.OFFSET_DATA);
                assertThat(chunk.payload().getLong()).isEqualTo(got.position());
                got.put(chunk.payload());
            } while (!chunk.header().isDone());
            assertThat(got.flip()).isEqualTo(bytes.slice(0, length));
        }
    }

    @Test
    void a_read_that_must_not_be_fragmented_is_one_chunk_or_too_large() throws IOException {
        go(true);
        client.request(CommandFlags.DF, Commands.READ, 1, 0, 65_536);
        assertThat(client.reply().header().isDone()).isTrue();
        client.request(CommandFlags.DF, Commands.READ, 2, 0, 1 << 20);
        assertThat(errorOf(client.reply())).isEqualTo(75);
    }

    @Test
    void many_requests_are_answered_in_one_go() throws IOException {
        go(false);
        for (int i = 0; i < 64; i++) {
            client.request(0, Commands.READ, i, i * 4096L, 4096);
        }
        for (int i = 0; i < 64; i++) {
            assertThat(client.reply().header().cookie()).isEqualTo(i);
            assertThat(client.take(4096)).isEqualTo(bytes.slice(i * 4096, 4096));
        }
    }

    @Test
    void writes_of_any_length_arrive() throws IOException {
        go(false);
        for (int length : new int[] {0, 1, 512, 16_384, 16_385, 300_000, 1 << 20}) {
            ByteBuffer data = ByteBuffer.wrap(TestBytes.of(length, length));
            client.request(0, Commands.WRITE, length, 100, length);
            client.send(data.duplicate());
            assertThat(simpleError()).isZero();
            assertThat(bytes.slice(100, length)).isEqualTo(data);
        }
    }

    @Test
    void pieces_of_a_long_write_end_where_clusters_do() throws IOException {
        go(false);
        client.request(0, Commands.WRITE, 1, 100, 200_000);
        client.send(ByteBuffer.allocate(200_000));
        assertThat(simpleError()).isZero();
        assertThat(device.calls)
                .containsExactly(
                        "write 100 65436 NONE",
                        "write 65536 65536 NONE",
                        "write 131072 65536 NONE",
                        "write 196608 3492 NONE");
    }

    @Test
    void a_durable_write_is_durable_before_its_reply() throws IOException {
        go(false);
        client.request(CommandFlags.FUA, Commands.WRITE, 1, 0, 512);
        client.send(ByteBuffer.allocate(512));
        assertThat(simpleError()).isZero();
        assertThat(device.calls).containsExactly("write 0 512 FUA");
        device.calls.clear();
        client.request(CommandFlags.FUA, Commands.WRITE, 2, 0, 600_000);
        client.send(ByteBuffer.allocate(600_000));
        assertThat(simpleError()).isZero();
        assertThat(device.calls).last().isEqualTo("flush");
    }

    @Test
    void every_command_may_ask_for_durability() throws IOException {
        go(false);
        for (int type :
                new int[] {Commands.READ, Commands.FLUSH, Commands.TRIM, Commands.CACHE, Commands.WRITE_ZEROES}) {
            device.calls.clear();
            client.request(CommandFlags.FUA, type, 1, 0, type == Commands.FLUSH ? 0 : 512);
            assertThat(simpleError()).as(Commands.name(type)).isZero();
            if (type == Commands.READ) {
                client.take(512);
            }
            assertThat(device.calls).as(Commands.name(type)).contains("flush");
        }
    }

    @Test
    void zeroes_keep_their_place_if_asked_to_and_are_refused_where_they_are_not_fast() throws IOException {
        go(false);
        client.request(CommandFlags.NO_HOLE, Commands.WRITE_ZEROES, 1, 0, 4096);
        assertThat(simpleError()).isZero();
        client.request(CommandFlags.FAST_ZERO, Commands.WRITE_ZEROES, 2, 0, 4096);
        assertThat(simpleError()).isEqualTo(95);
        client.request(CommandFlags.FAST_ZERO | CommandFlags.NO_HOLE, Commands.WRITE_ZEROES, 3, 0, 4096);
        assertThat(simpleError()).isEqualTo(95);
        assertThat(device.calls)
                .containsExactly(
                        "zeroes 0 4096 KEEP_ALLOCATION", "zeroes 0 4096 FAST_UNMAP", "zeroes 0 4096 FAST_KEEP");
    }

    @Test
    void what_lies_beyond_the_end_is_invalid_to_read_and_has_no_space_to_write() throws IOException {
        go(false);
        for (long offset : new long[] {SIZE, SIZE - 511L, 1L << 62, Long.MIN_VALUE, -512, -1}) {
            client.request(0, Commands.READ, 1, offset, 512);
            assertThat(simpleError()).isEqualTo(22);
            client.request(0, Commands.WRITE, 2, offset, 512);
            client.send(ByteBuffer.allocate(512));
            assertThat(simpleError()).isEqualTo(28);
            client.request(0, Commands.WRITE_ZEROES, 3, offset, 512);
            assertThat(simpleError()).isEqualTo(28);
            client.request(0, Commands.TRIM, 4, offset, 512);
            assertThat(simpleError()).isEqualTo(22);
        }
        assertThat(device.calls).isEmpty();
    }

    @Test
    void flags_and_types_are_told_apart() throws IOException {
        go(false);
        client.request(1 << 15, Commands.READ, 1, 0, 512);
        assertThat(simpleError()).isEqualTo(22);
        client.request(CommandFlags.DF, Commands.READ, 2, 0, 512);
        assertThat(simpleError()).as("DF without structured replies").isEqualTo(22);
        client.request(0, 0x100, 3, 0, 512);
        assertThat(simpleError()).isEqualTo(22);
        client.request(0, Commands.RESIZE, 4, 0, 512);
        assertThat(simpleError()).isEqualTo(22);
        client.request(0, Commands.BLOCK_STATUS, 5, 0, 512);
        assertThat(simpleError()).as("no context agreed on").isEqualTo(22);
        client.request(0, Commands.FLUSH, 6, 0, 0);
        assertThat(simpleError()).isZero();
    }

    @Test
    void the_payload_of_a_refused_write_is_taken() throws IOException {
        client.ask(Options.GO, new ExportQuery("read-only").bytes());
        client.request(0, Commands.WRITE, 1, 0, 100_000);
        client.send(ByteBuffer.allocate(100_000));
        assertThat(simpleError()).isEqualTo(1);
        client.request(0, Commands.READ, 2, 0, 512);
        assertThat(simpleError()).isZero();
        assertThat(client.take(512)).isEqualTo(bytes.slice(0, 512));
    }

    @Test
    void a_write_longer_than_the_most_is_refused_and_ends_the_connection() throws IOException {
        go(false);
        client.request(0, Commands.WRITE, 1, 0, 0xffff_ffffL);
        assertThat(simpleError()).isEqualTo(22);
        assertThat(client.isHungUp()).isTrue();
    }

    @Test
    void a_read_longer_than_the_most_is_refused() throws IOException {
        go(false);
        client.request(0, Commands.READ, 1, 0, 0xffff_ffffL);
        assertThat(simpleError()).isEqualTo(22);
    }

    @Test
    void errors_of_the_device_are_told_with_their_text() throws IOException {
        go(true);
        device.failsFrom = 1 << 20;
        client.request(0, Commands.READ, 1, 1 << 20, 4096);
        RawClient.Reply reply = client.reply();
        assertThat(errorOf(reply)).isEqualTo(5);
        assertThat(StandardCharsets.UTF_8.decode(reply.payload().position(6)).toString())
                .isEqualTo("disk: bad sector at 1048576");
        device.full = true;
        client.request(0, Commands.WRITE, 2, 0, 512);
        client.send(ByteBuffer.allocate(512));
        assertThat(errorOf(client.reply())).isEqualTo(28);
    }

    @Test
    void a_structured_read_that_fails_midway_gives_what_came_before() throws IOException {
        go(true);
        device.failsFrom = 300_000;
        client.request(0, Commands.READ, 1, 0, 1 << 20);
        RawClient.Reply first = client.reply();
        assertThat(first.header().type()).isEqualTo(ChunkTypes.OFFSET_DATA);
        assertThat(first.header().isDone()).isFalse();
        assertThat(errorOf(client.reply())).isEqualTo(5);
    }

    @Test
    void a_simple_read_that_fails_midway_ends_the_connection() throws IOException {
        go(false);
        device.failsFrom = 300_000;
        client.request(0, Commands.READ, 1, 0, 1 << 20);
        assertThat(client.reply().header().error()).isZero();
        assertThatThrownBy(() -> client.take(1 << 20)).isInstanceOf(IOException.class);
    }

    @Test
    void empty_reads_and_writes_succeed_and_empty_status_does_not() throws IOException {
        go(true);
        client.request(0, Commands.READ, 1, 0, 0);
        assertThat(client.reply().header().type()).isEqualTo(ChunkTypes.NONE);
        client.request(0, Commands.WRITE, 2, 0, 0);
        assertThat(client.reply().header().error()).isZero();
        client.request(0, Commands.BLOCK_STATUS, 3, 0, 0);
        assertThat(errorOf(client.reply())).isEqualTo(22);
    }

    @Test
    void block_status_tells_the_extents() throws IOException {
        go(true);
        client.request(0, Commands.BLOCK_STATUS, 1, 512, SIZE - 512);
        RawClient.Reply reply = client.reply();
        assertThat(reply.header().type()).isEqualTo(ChunkTypes.BLOCK_STATUS);
        assertThat(reply.header().isDone()).isTrue();
        assertThat(reply.payload().remaining()).isEqualTo(12);
        assertThat(reply.payload().getInt(4)).isEqualTo(SIZE - 512);
        assertThat(reply.payload().getInt(8)).isZero();
    }

    @Test
    void a_bad_magic_ends_the_connection() throws IOException {
        go(false);
        client.send(ByteBuffer.allocate(28));
        assertThat(client.isHungUp()).isTrue();
    }

    @Test
    void goodbye_is_not_answered() throws IOException {
        go(false);
        client.request(0, Commands.READ, 1, 0, 512);
        client.request(0, Commands.DISC, 2, 0, 0);
        client.reply();
        client.take(512);
        assertThat(client.isHungUp()).isTrue();
    }

    @Test
    void half_a_write_changes_nothing() throws IOException {
        go(false);
        ByteBuffer before = ByteBuffer.allocate(4096).put(bytes.slice(0, 4096)).flip();
        client.request(0, Commands.WRITE, 1, 0, 4096);
        client.send(ByteBuffer.allocate(4095));
        client.channel().shutdownOutput();
        assertThat(client.isHungUp()).isTrue();
        assertThat(bytes.slice(0, 4096)).isEqualTo(before);
        assertThat(device.calls).isEmpty();
    }

    @Test
    void counts_what_clients_ask() throws IOException {
        go(false);
        client.request(0, Commands.READ, 1, 0, 512);
        client.reply();
        client.take(512);
        ClientInfo info = server.clients().get(0);
        assertThat(info.requests()).isEqualTo(1);
        assertThat(info.bytesRead()).isEqualTo(512);
    }

    private static int errorOf(RawClient.Reply reply) {
        return reply.header().form() == Form.SIMPLE
                ? reply.header().error()
                : reply.header().type() == ChunkTypes.ERROR ? reply.payload().getInt(0) : 0;
    }
}
