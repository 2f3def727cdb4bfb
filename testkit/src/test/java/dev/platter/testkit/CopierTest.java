package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.Copier;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.PreparingDevice;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.ClosedByInterruptException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

final class CopierTest {
    private static final int CHUNK = 64 * 1024;

    @ParameterizedTest
    @CsvSource({"0, 1", "1, 1", "65535, 3", "65536, 1", "65537, 2", "300000, 4", "300000, 1"})
    void everyByteIsCopied(int size, int threads) throws IOException {
        byte[] bytes = TestBytes.of(0, size);
        byte[] target = new byte[size + 10];
        Arrays.fill(target, (byte) 1);
        ByteArrayOutputStream channel = new ByteArrayOutputStream();

        copier(bytes, threads).to(device(target));
        copier(bytes, threads).to(Channels.newChannel(channel));

        assertThat(Arrays.copyOf(target, size)).isEqualTo(bytes);
        assertThat(Arrays.copyOfRange(target, size, size + 10)).containsOnly(1);
        assertThat(channel.toByteArray()).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(longs = {1, 2, 3, 4, 5, 6, 7, 8})
    void randomHolesAndCompressedRangesAreCopiedWhateverTheOptions(long seed) throws IOException {
        Random random = new Random(seed);
        Patchwork source = new Patchwork(random, 2_000_000);
        for (int threads = 0; threads < 4; threads++) {
            for (int options = 0; options < 4; options++) {
                boolean sparse = (options & 1) != 0;
                boolean zeroed = (options & 2) != 0;
                byte[] target = new byte[source.bytes.length];
                if (!(sparse && zeroed)) {
                    Arrays.fill(target, (byte) 1);
                }

                Copier copier =
                        Copier.of(source).chunkSize(CHUNK).sparse(sparse).targetIsZeroed(zeroed);
                (threads == 0 ? copier : copier.threads(threads)).to(device(target));

                assertThat(Arrays.equals(target, source.bytes))
                        .as("seed %d, threads %d, options %d", seed, threads, options)
                        .isTrue();
            }
        }
        ByteArrayOutputStream channel = new ByteArrayOutputStream();
        Copier.of(source).to(Channels.newChannel(channel));
        assertThat(channel.toByteArray()).isEqualTo(source.bytes);
        assertNoThreads();
    }

    @Test
    void zerosAreNeitherReadNorWrittenToAZeroedTarget() throws IOException {
        byte[] bytes = new byte[10 * CHUNK];
        bytes[5 * CHUNK] = 1;
        RecordingDevice target = new RecordingDevice(device(new byte[bytes.length]));

        Copier.of(device(bytes)).targetIsZeroed(true).to(target);

        assertThat(target.log().of(RequestLog.Kind.WRITE))
                .containsExactly(new RequestLog.Request(RequestLog.Kind.WRITE, 5 * CHUNK, CHUNK));
    }

    @Test
    void whatIsReadIsWrittenWhereNoZerosAreLookedFor() throws IOException {
        byte[] bytes = new byte[10 * CHUNK];
        Arrays.fill(bytes, 5 * CHUNK, 6 * CHUNK, (byte) 1);
        BlockDevice halfKnown = new ForwardingDevice(device(bytes)) {
            @Override
            public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
                if (offset >= 2 * CHUNK
                        || visitor.extent(offset, 2 * CHUNK - offset, Extent.READS_AS_ZERO, 0, null, -1)) {
                    long from = Math.max(offset, 2 * CHUNK);
                    visitor.extent(from, offset + length - from, Extent.ALLOCATED, 0, null, -1);
                }
            }
        };
        RecordingDevice target = new RecordingDevice(device(new byte[bytes.length]));

        Copier.of(halfKnown).targetIsZeroed(true).zeroBlock(0).to(target);

        assertThat(target.log().bytes(RequestLog.Kind.WRITE)).isEqualTo(8 * CHUNK);
    }

    @Test
    void failedReadEndsTheCopyWithItsOwnException() {
        for (int threads = 1; threads <= 4; threads++) {
            BlockDevice bad =
                    new FaultyDevice(device(TestBytes.of(0, 10 * CHUNK)), new Faults().failReads(7 * CHUNK, 1));
            List<Long> seen = new ArrayList<>();
            Copier copier =
                    Copier.of(bad).chunkSize(CHUNK).threads(threads).onProgress((done, total) -> seen.add(done));

            assertThatThrownBy(() -> copier.to(device(new byte[10 * CHUNK])))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("at " + 7 * CHUNK);

            assertThat(seen).endsWith(7L * CHUNK).isSorted();
            assertNoThreads();
        }
    }

    @Test
    void failedWriteEndsTheCopy() {
        BlockDevice full = new FaultyDevice(
                device(new byte[10 * CHUNK]), new Faults().failWrites(3 * CHUNK, 1, BlockIOException.Kind.NO_SPACE));

        assertThatThrownBy(() -> copier(TestBytes.of(0, 10 * CHUNK), 3).to(full))
                .isInstanceOf(BlockIOException.class);

        assertNoThreads();
    }

    @ParameterizedTest
    @CsvSource({"2, true", "3, false", "5, true", "8, false"})
    void severalWritersCopyTheSameBytes(int writers, boolean inOrder) throws IOException {
        for (long seed = 1; seed <= 8; seed++) {
            Patchwork source = new Patchwork(new Random(seed), 2_000_000);
            for (int options = 0; options < 8; options++) {
                boolean sparse = (options & 1) != 0;
                boolean zeroed = (options & 2) != 0;
                byte[] bytes = new byte[source.bytes.length];
                if (!(sparse && zeroed)) {
                    Arrays.fill(bytes, (byte) 1);
                }
                BlockDevice target = (options & 4) != 0 ? new Slow(bytes, 16384) : device(bytes);
                List<Long> seen = new ArrayList<>();

                Copier.of(source)
                        .chunkSize(CHUNK)
                        .sparse(sparse)
                        .targetIsZeroed(zeroed)
                        .writers(writers)
                        .inOrder(inOrder)
                        .onProgress((done, total) -> seen.add(done))
                        .to(target);

                assertThat(Arrays.equals(bytes, source.bytes))
                        .as("seed %d, options %d", seed, options)
                        .isTrue();
                assertThat(seen).isSorted().startsWith(0L).endsWith((long) bytes.length);
            }
        }
        assertNoThreads();
    }

    @Test
    void slowTargetIsWrittenInOrderAndInWholeUnits() throws IOException {
        int unit = 2 * CHUNK;
        for (long seed = 1; seed <= 8; seed++) {
            Patchwork source = new Patchwork(new Random(seed), 2_000_001);
            Slow target = new Slow(new byte[source.bytes.length], unit);

            Copier.of(source).chunkSize(CHUNK).targetIsZeroed(true).to(target);

            assertThat(target.bytes).isEqualTo(source.bytes);
            assertThat(target.prepared.get()).isEqualTo(target.written.size()).isPositive();
            assertThat(target.written).isSorted().allMatch(offset -> offset % unit == 0);
        }
        assertNoThreads();
    }

    @Test
    void plainTargetIsWrittenByTheThreadThatCalls() throws IOException {
        Thread caller = Thread.currentThread();
        BlockDevice target = new ForwardingDevice(device(new byte[10 * CHUNK])) {
            @Override
            public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
                assertThat(Thread.currentThread()).isSameAs(caller);
                super.write(offset, from, durability);
            }
        };

        Copier.of(device(TestBytes.of(0, 10 * CHUNK))).chunkSize(CHUNK).to(target);
        Copier.of(device(TestBytes.of(0, 10 * CHUNK)))
                .chunkSize(CHUNK)
                .writers(3)
                .to(target);
    }

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void failedWriteOfOneOfSeveralEndsTheCopy(boolean inOrder) {
        byte[] bytes = new byte[20 * CHUNK];
        BlockDevice full =
                new FaultyDevice(device(bytes), new Faults().failWrites(3 * CHUNK, 1, BlockIOException.Kind.NO_SPACE));
        List<Long> seen = new ArrayList<>();

        assertThatThrownBy(() -> copier(TestBytes.of(0, bytes.length), 2)
                        .writers(3)
                        .inOrder(inOrder)
                        .onProgress((done, total) -> seen.add(done))
                        .to(full))
                .isInstanceOf(BlockIOException.class);

        assertThat(seen).endsWith(3L * CHUNK).isSorted();
        assertThat(bytes[19 * CHUNK]).isZero();
        assertNoThreads();
    }

    @Test
    void listenerStopsSeveralWriters() {
        Slow target = new Slow(new byte[40 * CHUNK], CHUNK);
        Copier copier = copier(TestBytes.of(0, 40 * CHUNK), 2).writers(2).onProgress((done, total) -> done < 4 * CHUNK);

        assertThatThrownBy(() -> copier.to(target)).isInstanceOf(CancellationException.class);

        assertThat(target.written).hasSize(4);
        assertThat(target.prepared.get()).isLessThan(20);
        assertNoThreads();
    }

    @Test
    void interruptedCopyBySeveralKeepsTheFlag() {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() ->
                            copier(TestBytes.of(0, 10 * CHUNK), 1).writers(2).to(new Slow(new byte[10 * CHUNK], CHUNK)))
                    .isInstanceOf(ClosedByInterruptException.class);
            assertThat(Thread.currentThread().isInterrupted()).isTrue();
        } finally {
            Thread.interrupted();
        }
        assertNoThreads();
    }

    @Test
    void listenerStopsTheCopy() {
        byte[] target = new byte[10 * CHUNK];
        Copier copier = copier(TestBytes.of(0, 10 * CHUNK), 2).onProgress((done, total) -> done < 4 * CHUNK);

        assertThatThrownBy(() -> copier.to(device(target))).isInstanceOf(CancellationException.class);

        assertThat(target[5 * CHUNK]).isZero();
        assertNoThreads();
    }

    @Test
    void progressGoesFromZeroToTheEnd() throws IOException {
        List<Long> seen = new ArrayList<>();

        copier(TestBytes.of(0, 3 * CHUNK), 2)
                .onProgress((done, total) -> {
                    assertThat(total).isEqualTo(3 * CHUNK);
                    return seen.add(done);
                })
                .to(device(new byte[3 * CHUNK]));

        assertThat(seen).containsExactly(0L, (long) CHUNK, 2L * CHUNK, 3L * CHUNK);
    }

    @Test
    void interruptedCopyKeepsTheFlag() {
        Thread.currentThread().interrupt();
        try {
            assertThatThrownBy(() -> copier(TestBytes.of(0, 10 * CHUNK), 2).to(device(new byte[10 * CHUNK])))
                    .isInstanceOf(ClosedByInterruptException.class);
            assertThat(Thread.currentThread().isInterrupted()).isTrue();
        } finally {
            Thread.interrupted();
        }
        assertNoThreads();
    }

    @Test
    void errorsOfAReaderComeThrough() {
        BlockDevice broken = new ForwardingDevice(device(TestBytes.of(0, 4 * CHUNK))) {
            @Override
            public void read(long offset, ByteBuffer into) {
                throw new IllegalStateException("a bug at " + offset);
            }
        };

        assertThatThrownBy(() -> Copier.of(broken).chunkSize(CHUNK).threads(2).to(device(new byte[4 * CHUNK])))
                .isInstanceOf(IllegalStateException.class)
                .hasMessage("a bug at 0");
        assertNoThreads();
    }

    @Test
    void smallTargetIsRefusedBeforeAnythingIsWritten() {
        assertThatThrownBy(() -> copier(new byte[2], 1).to(device(new byte[1])))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("target: has 1 bytes, the source has 2");
    }

    @Test
    void optionsOutOfRangeAreRefused() {
        Copier copier = copier(new byte[1], 1);

        assertThatThrownBy(() -> copier.threads(0)).hasMessage("count: 0 is not from 1 to 64");
        assertThatThrownBy(() -> copier.writers(65)).hasMessage("count: 65 is not from 1 to 64");
        assertThatThrownBy(() -> copier.chunkSize(5000)).hasMessageStartingWith("bytes: 5000 ");
    }

    private static Copier copier(byte[] bytes, int threads) {
        return Copier.of(device(bytes)).chunkSize(CHUNK).threads(threads);
    }

    private static BlockDevice device(byte[] bytes) {
        return BlockDevices.ofBytes("test", ByteBuffer.wrap(bytes));
    }

    /** Prefers whole units, prepares writes, and notes them. */
    private static final class Slow extends ForwardingDevice implements PreparingDevice {
        private final byte[] bytes;
        private final int unit;
        private final List<Long> written = new ArrayList<>();
        private final AtomicInteger prepared = new AtomicInteger();

        Slow(byte[] bytes, int unit) {
            super(CopierTest.device(bytes));
            this.bytes = bytes;
            this.unit = unit;
        }

        @Override
        public Features features() {
            return super.features().withPreferredTransfer(unit).withSlowWrites(true);
        }

        @Override
        public Prepared prepare(long offset, ByteBuffer from) {
            prepared.incrementAndGet();
            return () -> {
                written.add(offset);
                device.write(offset, from, Durability.NONE);
            };
        }
    }

    private static void assertNoThreads() {
        assertThat(Thread.getAllStackTraces().keySet())
                .noneMatch(thread -> thread.isAlive() && thread.getName().equals("platter-copy"));
    }

    /** Data, zeros that are known, zeros that are not, and compressed ranges, at odd places. */
    private static final class Patchwork extends ForwardingDevice {
        private final byte[] bytes;
        private final List<Extent> patches;

        Patchwork(Random random, int size) {
            this(TestBytes.of(0, size), new ArrayList<>(), random);
        }

        private Patchwork(byte[] bytes, List<Extent> patches, Random random) {
            super(CopierTest.device(bytes));
            this.bytes = bytes;
            this.patches = patches;
            for (int at = 0; at < bytes.length; ) {
                int length = Math.min(bytes.length - at, 1 + random.nextInt(3 * CHUNK));
                int kind = random.nextInt(4);
                if (kind < 2) {
                    Arrays.fill(bytes, at, at + length, (byte) 0);
                }
                int facts = kind == 0
                        ? Extent.READS_AS_ZERO
                        : kind == 3 ? Extent.ALLOCATED | Extent.COMPRESSED : Extent.ALLOCATED;
                patches.add(new Extent(at, length, facts, 0, null, -1));
                at += length;
            }
        }

        @Override
        public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
            long end = offset + length;
            for (Extent patch : patches) {
                long from = Math.max(offset, patch.offset());
                long to = Math.min(end, patch.end());
                if (from < to && !visitor.extent(from, to - from, patch.facts(), 0, null, -1)) {
                    return;
                }
            }
        }
    }
}
