package dev.platter.nbd.server;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.ExportQuery;
import dev.platter.nbd.protocol.Options;
import dev.platter.nbd.protocol.ReplyHeader.Form;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A device whose reads take long: several of them at once, answered as they are ready. */
class SlowReadsTest {
    private static final int SIZE = 1 << 20;
    private static final long HELD = 512 << 10;

    private final ByteBuffer bytes = ByteBuffer.wrap(TestBytes.of(0, SIZE));
    private final CountDownLatch gate = new CountDownLatch(1);
    private NbdServer server;
    private RawClient client;

    /** Takes its time for every read, and for one offset until it is allowed to go on. */
    private final class Slow extends ForwardingDevice {
        Slow(BlockDevice device) {
            super(device);
        }

        @Override
        public Features features() {
            return super.features().withSlowReads(true);
        }

        @Override
        public void read(long offset, ByteBuffer into) throws IOException {
            LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(1) + into.remaining() * 2L);
            if (offset == HELD) {
                try {
                    assertThat(gate.await(30, TimeUnit.SECONDS)).isTrue();
                } catch (InterruptedException e) {
                    throw new IOException(e);
                }
            }
            if (offset == 4096) {
                throw new BlockIOException(BlockIOException.Kind.IO, "slow: bad cluster", null);
            }
            super.read(offset, into);
        }
    }

    @BeforeEach
    void start() throws IOException {
        server = NbdServer.builder()
                .bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0))
                .export(Export.named("").readOnly().of(new Slow(BlockDevices.ofBytes("slow", bytes))))
                .start();
        client = RawClient.greet(server);
    }

    @AfterEach
    void stop() throws IOException {
        gate.countDown();
        client.close();
        server.close();
    }

    private void go() throws IOException {
        client.ask(Options.GO, new ExportQuery("").bytes());
        client.request(0, Commands.READ, 99, 0, 512);
        client.reply();
        client.take(512);
    }

    @Test
    void a_read_that_takes_long_does_not_hold_up_the_next() throws IOException {
        go();
        client.request(0, Commands.READ, 1, HELD, 512);
        client.request(0, Commands.READ, 2, 8192, 512);
        assertThat(client.reply().header().cookie()).isEqualTo(2);
        client.take(512);
        gate.countDown();
        assertThat(client.reply().header().cookie()).isEqualTo(1);
        assertThat(client.take(512)).isEqualTo(bytes.slice((int) HELD, 512));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 4096, 262_144, 400_000, 512 << 10})
    void reads_of_any_length_give_the_bytes(int length) throws IOException {
        go();
        client.request(0, Commands.READ, 1, 8192, length);
        assertThat(client.reply().header().error()).isZero();
        assertThat(client.take(length)).isEqualTo(bytes.slice(8192, length));
    }

    @Test
    void more_reads_than_may_run_are_all_answered() throws IOException {
        go();
        Set<Long> cookies = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            client.request(0, Commands.READ, i, 8192 + i * 512L, 512);
        }
        for (int i = 0; i < 100; i++) {
            RawClient.Reply reply = client.reply();
            assertThat(client.take(512))
                    .isEqualTo(bytes.slice(8192 + (int) reply.header().cookie() * 512, 512));
            cookies.add(reply.header().cookie());
        }
        assertThat(cookies).hasSize(100);
    }

    @Test
    void a_read_that_fails_is_answered_and_the_next_works() throws IOException {
        go();
        client.request(0, Commands.READ, 1, 4096, 512);
        RawClient.Reply reply = client.reply();
        assertThat(reply.header().form()).isEqualTo(Form.SIMPLE);
        assertThat(reply.header().error()).isEqualTo(5);
        client.request(0, Commands.READ, 2, 8192, 512);
        assertThat(client.reply().header().error()).isZero();
    }

    @Test
    void goodbye_waits_for_reads_that_were_begun() throws IOException {
        go();
        client.request(0, Commands.READ, 1, 8192, 65536);
        client.request(0, Commands.DISC, 2, 0, 0);
        assertThat(client.reply().header().cookie()).isEqualTo(1);
        assertThat(client.take(65536)).isEqualTo(bytes.slice(8192, 65536));
        assertThat(client.isHungUp()).isTrue();
    }
}
