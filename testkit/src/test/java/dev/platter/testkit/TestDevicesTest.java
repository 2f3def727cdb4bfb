package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.Durability;
import dev.platter.core.Storages;
import dev.platter.testkit.RequestLog.Kind;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedByInterruptException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** That the devices for tests do what they promise to the tests. */
class TestDevicesTest {
    private static final int SIZE = 4096;

    private final BlockDevice bytes = BlockDevices.ofBytes("bytes", ByteBuffer.wrap(TestBytes.of(0, SIZE)));

    @TempDir
    Path folder;

    @Test
    void testBytesAreTheSameHoweverTheyAreAskedFor() {
        byte[] all = TestBytes.of(0, 100);

        for (int from = 0; from < 20; from++) {
            assertThat(TestBytes.of(from, 50)).isEqualTo(Arrays.copyOfRange(all, from, from + 50));
            assertThat(TestBytes.at(from)).isEqualTo(all[from]);
        }
        ByteBuffer little = ByteBuffer.allocate(100).order(ByteOrder.LITTLE_ENDIAN);
        TestBytes.fill(0, little);
        assertThat(little.array()).isEqualTo(all);
    }

    @Test
    void misplacedTestBytesBetrayWhereTheyComeFrom() {
        assertThatThrownBy(
                        () -> Contents.testBytes(SIZE).assertMatch(512, ByteBuffer.wrap(TestBytes.of(2048, 100)), "x"))
                .isInstanceOf(AssertionError.class)
                .hasMessage("x: byte at 518 is 0x08, expected 0x02; it is test data of offset 2048");
    }

    @Test
    void contentsJoinedAndCutAreThoseOfTheirParts() throws IOException {
        Contents all = Contents.testBytes(SIZE);
        Contents joined = all.slice(0, 10).then(all.slice(10, 0)).then(all.slice(10, SIZE - 10));

        assertThat(joined.size()).isEqualTo(SIZE);
        for (int at = 0; at < 20; at++) {
            assertThat(joined.bytes(at, 7)).isEqualTo(TestBytes.of(at, 7));
        }
        joined.assertAll(bytes);
        Path file = TempImages.raw(folder, "disk.raw", all);
        Contents.ofFile(file).assertAll(bytes);
        assertThatThrownBy(() -> Contents.zeros(SIZE).assertAll(bytes)).isInstanceOf(AssertionError.class);
        assertThatThrownBy(() -> Contents.testBytes(1).assertAll(bytes)).hasMessageContaining("size is 4096");
    }

    @Test
    void faultyStorageFailsOneRequestAndHasWrittenOfItWhatItIsTold() throws IOException {
        byte[] written = TestBytes.of(0, 2048);
        for (Faults.Written part : Faults.Written.values()) {
            CrashStorage disk = new CrashStorage("disk", new byte[2048]);
            Faults faults = new Faults().failOne(1, BlockIOException.Kind.NO_SPACE, part);
            FaultyStorage storage = new FaultyStorage(disk, faults);

            assertThat(storage.read(0, ByteBuffer.allocate(1))).isOne();
            assertThat(faults.hasFailed()).isFalse();
            assertThatThrownBy(() -> storage.write(0, ByteBuffer.wrap(written)))
                    .isInstanceOfSatisfying(
                            BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NO_SPACE))
                    .hasMessageContaining("disk: write of 2048 at 0");

            int there = part == Faults.Written.ALL ? 2048 : part == Faults.Written.HALF ? 1024 : 0;
            assertThat(disk.contents()).isEqualTo(Arrays.copyOf(Arrays.copyOf(written, there), 2048));
            assertThat(faults.hasFailed()).isTrue();
            storage.write(0, ByteBuffer.wrap(written));
            assertThat(disk.contents()).isEqualTo(written);
        }
    }

    @Test
    void slowStorageHoldsTheRequestThatIsChosen() throws Exception {
        SlowStorage storage = new SlowStorage(new CrashStorage("slow", new byte[SIZE]));
        SlowStorage.Gate gate = storage.holdWrite((offset, length) -> offset == 512);
        storage.write(0, ByteBuffer.wrap(TestBytes.of(0, 512)));

        CompletableFuture<Boolean> held = CompletableFuture.supplyAsync(() -> {
            try {
                storage.write(512, ByteBuffer.wrap(TestBytes.of(512, 512)));
                return true;
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
        gate.await();
        ByteBuffer before = ByteBuffer.allocate(512);
        assertThat(storage.read(512, before)).isEqualTo(512);
        assertThat(before.array()).containsOnly(0);
        gate.release();

        assertThat(held.get()).isTrue();
        ByteBuffer after = ByteBuffer.allocate(512);
        assertThat(storage.read(512, after)).isEqualTo(512);
        assertThat(after.array()).isEqualTo(TestBytes.of(512, 512));
    }

    @Test
    void faultyDeviceFailsWhereItIsToldAndNowhereElse() throws IOException {
        Faults faults = new Faults().failReads(100, 10).failWrites(200, 1, BlockIOException.Kind.NO_SPACE);
        FaultyDevice device = new FaultyDevice(bytes, faults);

        Contents.testBytes(SIZE).assertRead(device, 0, 100);
        Contents.testBytes(SIZE).assertRead(device, 110, 500);
        assertThatThrownBy(() -> device.read(99, ByteBuffer.allocate(2))).isInstanceOf(BlockIOException.class);
        assertThatThrownBy(() -> device.read(109, ByteBuffer.allocate(1))).isInstanceOf(BlockIOException.class);
        assertThatThrownBy(() -> device.discard(0, SIZE))
                .isInstanceOfSatisfying(
                        BlockIOException.class, e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NO_SPACE));
        faults.heal().failAfter(1);
        device.flush();
        assertThatThrownBy(() -> device.write(0, ByteBuffer.allocate(1), Durability.NONE))
                .isInstanceOf(BlockIOException.class);
        faults.heal();
        Contents.testBytes(SIZE).assertAll(device);
    }

    @Test
    void shortDeviceAndStorageEndEarly() throws IOException {
        ShortDevice device = new ShortDevice(bytes, 1000);
        ShortStorage storage = new ShortStorage(Storages.of(bytes), 1000);

        Contents.testBytes(SIZE).assertRead(device, 0, 1000);
        assertThatThrownBy(() -> device.read(990, ByteBuffer.allocate(11))).hasMessageContaining("ends at 1000");
        assertThat(storage.read(990, ByteBuffer.allocate(11))).isEqualTo(10);
        assertThat(storage.read(1000, ByteBuffer.allocate(11))).isZero();
        assertThat(storage.read(Long.MAX_VALUE, ByteBuffer.allocate(11))).isZero();
        assertThat(storage.size()).isEqualTo(SIZE);
    }

    @Test
    void slowDeviceHoldsReadsUntilTheyAreReleased() throws Exception {
        SlowDevice device = new SlowDevice(bytes);
        device.hold();
        CompletableFuture<byte[]> read = CompletableFuture.supplyAsync(() -> {
            ByteBuffer into = ByteBuffer.allocate(10);
            try {
                device.read(0, into);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
            return into.array();
        });
        device.awaitReaders(1);
        assertThat(read).isNotDone();
        assertThat(device.waiting()).isEqualTo(1);

        device.release();

        assertThat(read.get(1, TimeUnit.MINUTES)).isEqualTo(TestBytes.of(0, 10));
        assertThat(device.waiting()).isZero();
    }

    @Test
    void interruptedReaderOfASlowDeviceKeepsItsFlag() throws InterruptedException {
        SlowDevice device = new SlowDevice(bytes);
        device.hold();
        AtomicReference<String> end = new AtomicReference<>("");
        Thread reader = new Thread(() -> {
            try {
                device.read(0, ByteBuffer.allocate(10));
            } catch (IOException e) {
                end.set(e.getClass().getSimpleName() + Thread.currentThread().isInterrupted());
            }
        });
        reader.start();
        device.awaitReaders(1);

        reader.interrupt();
        reader.join();

        assertThat(end.get()).isEqualTo(ClosedByInterruptException.class.getSimpleName() + "true");
    }

    @Test
    void recordersNoteEachRequest() throws IOException {
        RecordingStorage storage = new RecordingStorage(Storages.of(bytes));

        storage.read(5, ByteBuffer.allocate(7));
        storage.extents(0, SIZE, (at, run, facts, depth, below, belowOffset) -> true);

        assertThat(storage.log().all())
                .containsExactly(
                        new RequestLog.Request(Kind.READ, 5, 7), new RequestLog.Request(Kind.EXTENTS, 0, SIZE));
        assertThat(storage.log().bytes(Kind.READ)).isEqualTo(7);
        storage.log().clear();
        assertThat(storage.log().all()).isEmpty();
    }

    @Test
    void allocationOfAnArrayIsCounted() throws Exception {
        byte[][] kept = new byte[1][];

        long counted = CountingAllocation.of(() -> kept[0] = new byte[1 << 20]);

        assertThat(counted).isBetween((long) kept[0].length, kept[0].length + (64L << 10));
    }

    @Test
    void plainReadThroughViewsAllocatesNothing() throws Exception {
        BlockDevice first = BlockDevices.slice(bytes, "first", 0, SIZE / 2);
        BlockDevice second = BlockDevices.slice(bytes, "second", SIZE / 2, SIZE / 2);
        BlockDevice view = BlockDevices.readOnly(BlockDevices.concat("both", List.of(first, second)));
        ByteBuffer into = ByteBuffer.allocateDirect(1000);
        CountingAllocation.Action reads = () -> {
            for (int i = 0; i < 1000; i++) {
                view.read(SIZE / 2 - 500, into.clear());
            }
        };
        CountingAllocation.of(reads);

        // one object for every read would be 16000 bytes; the counting itself costs about 1000
        assertThat(CountingAllocation.of(reads)).isLessThan(8000);
    }

    @Test
    void mutationsAreManyStayInsideAndLeaveNoTrace() {
        byte[] original = TestBytes.of(0, SIZE);
        Set<ByteBuffer> seen = new HashSet<>();

        Mutations.of("mutations", original).within(1000, 100).rounds(200).run(image -> {
            assertThat(image.remaining()).isEqualTo(SIZE);
            assertThat(image.slice(0, 1000)).isEqualTo(ByteBuffer.wrap(original, 0, 1000));
            assertThat(image.slice(1100, SIZE - 1100)).isEqualTo(ByteBuffer.wrap(original, 1100, SIZE - 1100));
            byte[] changed = new byte[100];
            image.get(1000, changed);
            seen.add(ByteBuffer.wrap(changed));
        });

        assertThat(seen).hasSizeGreaterThan(100);
        assertThat(original).isEqualTo(TestBytes.of(0, SIZE));
    }

    @Test
    void mutationsAcceptErrorsOfTheImageAndNothingElse() {
        Mutations mutations = Mutations.of("m", new byte[16]).truncating().rounds(3);
        mutations.run(image -> {
            throw new CorruptImageException("damaged");
        });

        for (Throwable wrong : new Throwable[] {new IllegalStateException("a"), new StackOverflowError("b")}) {
            assertThatThrownBy(() -> mutations.run(image -> {
                        if (wrong instanceof RuntimeException e) {
                            throw e;
                        }
                        throw (Error) wrong;
                    }))
                    .isInstanceOf(AssertionError.class)
                    .hasMessageContaining("m, round 0 [repeat with -Dplatter.seed=")
                    .hasCause(wrong);
        }
        assertThatThrownBy(() -> mutations.run(image -> {
                    throw new IOException("c");
                }))
                .isInstanceOf(AssertionError.class);
    }

    @Test
    void mutationsThatMakeTheReaderAllocateTooMuchFail() {
        byte[][] kept = new byte[1][];

        assertThatThrownBy(() -> Mutations.of("m", new byte[16])
                        .allocatingAtMost(1 << 20)
                        .rounds(1)
                        .run(image -> kept[0] = new byte[2 << 20]))
                .isInstanceOf(AssertionError.class)
                .hasMessageContaining("allowed are 1048576");
        assertThat(kept[0]).hasSize(2 << 20);
    }

    @Test
    void randomNumbersAreThoseOfTheSeedAndTheName() {
        assertThat(Seed.random("a").nextLong()).isEqualTo(Seed.random("a").nextLong());
        assertThat(Seed.random("a").nextLong()).isNotEqualTo(Seed.random("b").nextLong());
        assertThatThrownBy(() -> Seed.run("a", random -> {
                    throw new AssertionError("wrong");
                }))
                .hasMessageContaining("wrong [repeat with -Dplatter.seed=");
    }

    @Test
    void loopDeviceIsGoneAfterClose() throws IOException {
        Path file = TempImages.sparse(folder, "disk.raw", 1 << 20);
        LoopDevice loop = LoopDevice.attach(file);
        Path bound = Path.of("/sys/block", String.valueOf(loop.path().getFileName()), "loop");
        assertThat(bound).exists();

        loop.close();
        loop.close();

        assertThat(Files.exists(bound)
                        && Files.readString(bound.resolve("backing_file")).contains(folder.toString()))
                .isFalse();
    }
}
