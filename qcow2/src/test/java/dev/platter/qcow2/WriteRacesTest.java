package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.SlowStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** Two threads at one image, each in the middle of what would hurt the other. */
@Timeout(value = 5, unit = TimeUnit.MINUTES)
final class WriteRacesTest {
    private static final int CLUSTER = 4096;
    private static final int TABLE = 512 * CLUSTER;

    /** An operation in a thread of its own. */
    private static final class Running<T> {
        private final FutureTask<T> task;
        private final Thread thread;

        Running(Callable<T> operation) {
            task = new FutureTask<>(operation);
            thread = new Thread(task, "the other");
            thread.setDaemon(true);
            thread.start();
        }

        /** Waits until it cannot go on, or is done. */
        void awaitStuckOrDone() {
            SlowStorage.awaitStuckOrDone(thread);
        }

        T get() throws Exception {
            try {
                return task.get();
            } catch (ExecutionException e) {
                if (e.getCause() instanceof Exception cause) {
                    throw cause;
                }
                throw e;
            }
        }
    }

    private static final class Opened implements AutoCloseable {
        final SlowStorage storage;
        final Qcow2Disk image;

        Opened(byte[] file) throws IOException {
            storage = new SlowStorage(new CrashStorage("races.qcow2", file));
            image = (Qcow2Disk) DiskImages.open(
                    storage, OpenOptions.builder().writable(true).build());
        }

        void write(long offset, byte... bytes) throws IOException {
            image.write(offset, ByteBuffer.wrap(bytes), Durability.NONE);
        }

        byte[] read(long offset, int length) throws IOException {
            byte[] bytes = new byte[length];
            image.read(offset, ByteBuffer.wrap(bytes));
            return bytes;
        }

        @Override
        public void close() throws IOException {
            image.close();
        }
    }

    @Test
    void walkGoesOnInTheTablesThatASnapshotMoves() throws Exception {
        byte[] file = new Qcow2Builder(3, 12, 8L * TABLE)
                .data(0, 512, 1024, 1536, 3 * 1024)
                .build();
        try (Opened opened = new Opened(file)) {
            List<Extent> expected = extents(opened.image);
            List<Extent> found = new ArrayList<>();

            Extents.forEach(opened.image, 0, opened.image.size(), extent -> {
                if (found.isEmpty()) {
                    // where the L1 table was, another thread puts data that look like nothing a table would hold
                    run(() -> {
                        opened.image.createSnapshot("meanwhile");
                        opened.write(TABLE + CLUSTER, TestBytes.of(0, 8 * CLUSTER));
                        opened.image.flush();
                        opened.write(TABLE + 9 * CLUSTER, TestBytes.of(0, 8 * CLUSTER));
                        opened.image.flush();
                    });
                }
                found.add(extent);
                return true;
            });

            assertThat(found).noneMatch(Extent::unreadable);
            assertThat(found).contains(expected.get(expected.size() - 2));
        }
    }

    private static void run(Step step) {
        try {
            new Running<>(() -> {
                        step.run();
                        return true;
                    })
                    .get();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    private static List<Extent> extents(BlockDevice device) throws IOException {
        List<Extent> extents = new ArrayList<>();
        Extents.forEach(device, 0, device.size(), extents::add);
        return extents;
    }

    @Test
    void checkSeesTheTablesBeforeASnapshotOrAfter() throws Exception {
        byte[] file = new Qcow2Builder(3, 12, 8L * TABLE).data(0, 512, 1024).build();
        long table = L2Entry.offset(ByteBuffer.wrap(file).getLong(CLUSTER));
        try (Opened opened = new Opened(file)) {
            SlowStorage.Gate gate = opened.storage.holdRead((offset, length) -> offset == table);
            Running<CheckReport> check = new Running<>(() -> opened.image.check(CheckOutcome.SILENT));
            gate.await();
            Running<Boolean> change = new Running<>(() -> {
                opened.image.createSnapshot("meanwhile");
                opened.write(CLUSTER, TestBytes.of(0, 4 * CLUSTER));
                opened.image.deleteSnapshot("meanwhile");
                opened.image.flush();
                return true;
            });
            change.awaitStuckOrDone();
            gate.release();

            CheckReport report = check.get();

            assertThat(report.corruptions() + report.leaks())
                    .as(report::toString)
                    .isZero();
            assertThat(change.get()).isTrue();
        }
    }

    @Test
    void zeroesBesideAWriteInTheSameClusterLeaveIt() throws Exception {
        byte[] file = new Qcow2Builder(3, 12, 8L * CLUSTER).data(0).build();
        byte[] bytes = TestBytes.of(512, 512);
        try (Opened opened = new Opened(file)) {
            opened.write(3 * CLUSTER, (byte) 1);
            SlowStorage.Gate gate = opened.storage.holdWrite((offset, length) -> length == 512);
            Running<Boolean> write = new Running<>(() -> {
                opened.write(CLUSTER + 512, bytes);
                return true;
            });
            gate.await();
            Running<Boolean> zeroes = new Running<>(() -> {
                opened.image.writeZeroes(CLUSTER, 512, ZeroMode.MAY_UNMAP, Durability.NONE);
                return true;
            });
            zeroes.awaitStuckOrDone();
            gate.release();

            assertThat(write.get() && zeroes.get()).isTrue();

            assertThat(opened.read(CLUSTER + 512, 512)).isEqualTo(bytes);
            assertThat(opened.read(CLUSTER, 512)).containsOnly(0);
        }
    }

    @Test
    void writesAndZeroesInOneClusterNeverTouchEachOther() throws Exception {
        try (Opened opened = new Opened(new Qcow2Builder(3, 12, 2L * CLUSTER).build())) {
            for (int round = 1; round <= 300; round++) {
                byte[] bytes = new byte[512];
                Arrays.fill(bytes, (byte) round);
                opened.image.discard(0, CLUSTER);
                Running<Boolean> zeroes = new Running<>(() -> {
                    opened.image.writeZeroes(0, 1024, ZeroMode.MAY_UNMAP, Durability.NONE);
                    opened.image.writeZeroes(2048, 512, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
                    return true;
                });
                opened.write(1024, bytes);
                opened.write(3072, bytes);
                assertThat(zeroes.get()).isTrue();
                assertThat(opened.read(1024, 512)).isEqualTo(bytes);
                assertThat(opened.read(3072, 512)).isEqualTo(bytes);
                assertThat(opened.read(2048, 512)).containsOnly(0);
            }
        }
    }

    @Test
    void snapshotThatIsBeingDeletedIsNotOpened() throws Exception {
        byte[] file = new Qcow2Builder(3, 12, 8L * CLUSTER)
                .data(0, 1)
                .snapshot("1", "going", 8L * CLUSTER)
                .build();
        try (Opened opened = new Opened(file)) {
            SlowStorage.Gate gate = opened.storage.holdWrite((offset, length) -> true);
            Running<Boolean> delete = new Running<>(() -> {
                opened.image.deleteSnapshot("going");
                return true;
            });
            gate.await();
            Running<BlockDevice> open = new Running<>(() -> opened.image.openSnapshot("going"));
            open.awaitStuckOrDone();
            gate.release();

            assertThat(delete.get()).isTrue();
            assertThatThrownBy(open::get)
                    .isInstanceOf(DiskImageException.class)
                    .hasMessageContaining("there is no snapshot");
        }
    }

    @Test
    void snapshotThatIsOpenIsNotDeleted() throws Exception {
        byte[] file = new Qcow2Builder(3, 12, 8L * CLUSTER)
                .data(0, 1)
                .snapshot("1", "kept", 8L * CLUSTER)
                .build();
        try (Opened opened = new Opened(file)) {
            BlockDevice second = opened.image.openSnapshot("1");
            second.close();
            second.close();
            try (BlockDevice snapshot = opened.image.openSnapshot("kept")) {
                assertThatThrownBy(() -> opened.image.deleteSnapshot("1"))
                        .isInstanceOfSatisfying(
                                BlockIOException.class,
                                e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.BUSY));
                opened.write(0, TestBytes.of(64, 2 * CLUSTER));
                byte[] bytes = new byte[2 * CLUSTER];
                snapshot.read(0, ByteBuffer.wrap(bytes));
                assertThat(bytes).isEqualTo(TestBytes.of(0, 2 * CLUSTER));
            }
            opened.image.deleteSnapshot("1");
            assertThat(opened.image.snapshots()).isEmpty();
        }
    }

    @Test
    void extentsOfSubclustersAreThoseOfOneMoment() throws Exception {
        int clusters = 1000;
        int size = 16 << 10;
        byte[] bytes = TestBytes.of(0, 1024);
        for (int round = 0; round < 5; round++) {
            AtomicInteger at = new AtomicInteger();
            byte[] file =
                    new Qcow2Builder(3, 14, (long) clusters * size).extendedL2().build();
            try (Opened opened = new Opened(file)) {
                Running<Boolean> writer = new Running<>(() -> {
                    for (int i = 0; i < clusters; i++) {
                        long cluster = (long) i * size;
                        at.set(i);
                        // first an entry without a place, then one with
                        opened.image.writeZeroes(cluster, 4096, ZeroMode.MAY_UNMAP, Durability.NONE);
                        opened.write(cluster + 8192, bytes);
                    }
                    return true;
                });
                while (!writer.task.isDone()) {
                    long cluster = (long) at.get() * size;
                    Extents.forEach(opened.image, cluster, size, extent -> {
                        boolean data = !extent.readsAsZero();
                        assertThat(extent.unreadable()
                                        || (data && (extent.offset() != cluster + 8192 || extent.length() != 1024)))
                                .as(extent::toString)
                                .isFalse();
                        return true;
                    });
                }
                assertThat(writer.get()).isTrue();
            }
        }
    }
}
