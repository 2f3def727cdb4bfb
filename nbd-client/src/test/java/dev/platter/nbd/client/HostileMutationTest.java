package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.nbd.protocol.ChunkTypes;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.testkit.Promises;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TestBytes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What a server sends in good faith, with some bytes of it changed: it ends in a result or in an exception with words. */
@Timeout(600)
class HostileMutationTest {
    private static final int LENGTH = 2000;

    /** What the server sends: the handshake, then the replies to a read, a status query, a read and a flush. */
    private static List<byte[]> conversation() throws Exception {
        List<ByteArrayOutputStream> sent = new ArrayList<>(List.of(new ByteArrayOutputStream()));
        MemoryChannel[] ends = MemoryChannel.pair(1 << 20);
        FakeServer server = new FakeServer(new Overheard(ends[0], sent), ends[1], s -> {
            s.disk = TestBytes.of(0, (int) FakeServer.SIZE);
            s.open();
            for (int i = 0; i < 4; i++) {
                s.next();
                sent.add(new ByteArrayOutputStream());
                if (i == 2) {
                    long offset = s.request.offset();
                    s.chunk(false, ChunkTypes.OFFSET_HOLE, s.request.cookie(), offset + 1000, 1000);
                    s.chunk(false, ChunkTypes.OFFSET_DATA, s.request.cookie(), offset, TestBytes.of(offset, 1000));
                    s.chunk(true, ChunkTypes.ERROR, s.request.cookie(), 5, (short) 3, new byte[3]);
                } else {
                    s.answer();
                }
            }
            s.next();
        });
        try (NbdExport export = NbdClient.attach(
                server.client, "", NbdClientOptions.builder().writable(true).build())) {
            ask(export);
        }
        server.join();
        return sent.stream().map(ByteArrayOutputStream::toByteArray).toList();
    }

    private static void ask(NbdExport export) {
        attempt(() -> export.read(0, ByteBuffer.allocateDirect(LENGTH)));
        attempt(() -> export.extents(0, LENGTH, (at, run, facts, depth, below, belowOffset) -> true));
        attempt(() -> export.read(LENGTH, ByteBuffer.allocate(LENGTH)));
        attempt(export::flush);
    }

    /** Something that a client does. */
    @FunctionalInterface
    private interface Step {
        void run() throws IOException;
    }

    private static void attempt(Step step) {
        try {
            step.run();
        } catch (IndexOutOfBoundsException e) {
            // The size is one of the numbers that were changed.
            assertThat(e).hasMessageContaining("leave the device");
        } catch (IOException e) {
            Promises.requireShowable(e.getMessage());
        }
    }

    @Test
    void changedBytesEndInAResultOrInWords() throws Exception {
        List<byte[]> parts = conversation();
        assertThat(parts).hasSize(5);

        Seeds.run(HostileMutationTest.class, 3000, random -> {
            int changed = random.nextInt(parts.size());
            byte[] bytes = mutate(parts.get(changed), random);
            MemoryChannel[] ends = MemoryChannel.pair(1 << 20);
            FakeServer server = new FakeServer(ends, s -> {
                for (int i = 0; i < changed; i++) {
                    s.send(ByteBuffer.wrap(parts.get(i)));
                    awaitRequest(s, i);
                }
                s.send(ByteBuffer.wrap(bytes));
                ends[0].endOutput();
                s.awaitEnd();
            });
            NbdClientOptions options = NbdClientOptions.builder().writable(true).build();
            try (NbdExport export = NbdClient.attach(server.client, "", options)) {
                ask(export);
            } catch (IOException e) {
                Promises.requireShowable(e.getMessage());
            }
            server.join();
        });
    }

    /** The options come with the first request: nobody looks at them. */
    private static void awaitRequest(FakeServer s, int part) throws IOException {
        if (part == 0) {
            while (s.receive(1).get() != 0x25 || s.receive(1).get() != 0x60) {
                // still an option
            }
            s.receive(RequestHeader.BYTES - 2);
        } else {
            s.receive(RequestHeader.BYTES);
        }
    }

    private static byte[] mutate(byte[] bytes, Random random) {
        byte[] mutated = bytes.clone();
        int times = 1 + random.nextInt(4);
        for (int i = 0; i < times; i++) {
            int at = random.nextInt(Math.min(mutated.length, 200));
            switch (random.nextInt(4)) {
                case 0 -> mutated[at] = (byte) random.nextInt();
                case 1 -> mutated[at] = (byte) (random.nextBoolean() ? 0 : 0xff);
                case 2 -> mutated[at] ^= (byte) (1 << random.nextInt(8));
                default -> mutated = java.util.Arrays.copyOf(mutated, 1 + random.nextInt(mutated.length));
            }
        }
        return mutated;
    }

    /** Notes what is written. */
    private record Overheard(MemoryChannel channel, List<ByteArrayOutputStream> sent)
            implements java.nio.channels.ByteChannel {
        @Override
        public int read(ByteBuffer into) throws IOException {
            return channel.read(into);
        }

        @Override
        public int write(ByteBuffer from) throws IOException {
            byte[] bytes = new byte[from.remaining()];
            from.duplicate().get(bytes);
            sent.get(sent.size() - 1).writeBytes(bytes);
            return channel.write(from);
        }

        @Override
        public boolean isOpen() {
            return channel.isOpen();
        }

        @Override
        public void close() {
            channel.close();
        }
    }
}
