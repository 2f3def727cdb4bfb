package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The power goes while an image is resized, repaired, preallocated or committed, or while its refcount table moves: what
 * is left is whole, holds the bytes of the disk, and the same can be done again.
 */
final class ChangeCrashTest {
    private static final int STATES = 4;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().format("qcow2").writable(true).build();

    @TempDir
    private Path folder;

    private final AtomicLong points = new AtomicLong();

    private interface Judge {
        void judge(byte[] state) throws IOException;
    }

    @Test
    void whileADiskGrows() throws Exception {
        int ran = Seeds.run(getClass(), 100, random -> {
            byte[] start = resizable(random);
            resize(start, disk(start).length / 512 + random.nextInt(20_000), random);
        });

        assertPoints(ran, 12);
    }

    @Test
    void whileADiskShrinks() throws Exception {
        int ran = Seeds.run(getClass(), 100, random -> {
            byte[] start = resizable(random);
            resize(start, 1 + random.nextInt(disk(start).length / 512), random);
        });

        assertPoints(ran, 12);
    }

    private void resize(byte[] start, int sectors, Random random) throws IOException {
        byte[] before = disk(start);
        byte[] after = Arrays.copyOf(before, sectors * 512);
        CrashStorage storage = new CrashStorage("resized.qcow2", start);
        resize(storage, after.length);
        assertThat(disk(storage.contents())).isEqualTo(after);
        eachState(storage, random, state -> {
            byte[] found = disk(state);
            assertThat(found.length).isIn(before.length, after.length);
            int kept = Math.min(before.length, after.length);
            assertThat(Arrays.copyOf(found, kept)).isEqualTo(Arrays.copyOf(before, kept));
            if (found.length > before.length) {
                assertThat(found).isEqualTo(after);
            }
            CrashStorage again = new CrashStorage("again.qcow2", state);
            resize(again, after.length);
            assertThat(disk(again.contents())).isEqualTo(after);
            assertWhole(again.contents());
        });
    }

    private static void resize(CrashStorage storage, long size) throws IOException {
        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, size, true);
        }
    }

    /** Images of version 2 that have snapshots keep their size. */
    private static byte[] resizable(Random random) throws IOException {
        while (true) {
            byte[] start = StartImage.random(random);
            Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(start));
            if (header.version() == 3 || header.snapshotCount() == 0) {
                return start;
            }
        }
    }

    @Test
    void whileAnImageIsRepaired() throws Exception {
        int ran = Seeds.run(getClass(), 100, random -> {
            byte[] start = StartImage.random(random);
            byte[] before = disk(start);
            RepairTest.damageRefcounts(start, random);
            CrashStorage storage = new CrashStorage("damaged.qcow2", start);
            Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);
            CrashStorage.Replay replay = storage.replay();
            for (int moment = 0; moment <= replay.end(); moment++) {
                for (int k = 0; k <= Math.min(STATES, replay.pending(moment)); k++) {
                    byte[] state = replay.state(moment, k == 0 ? null : random);
                    assertThat(disk(state)).isEqualTo(before);
                    CrashStorage again = new CrashStorage("again.qcow2", state);
                    CheckReport report = Qcow2.repair(again, OpenOptions.defaults(), Qcow2.Repair.ALL);
                    assertThat(report.corruptions() + report.leaks())
                            .as(report::toString)
                            .isZero();
                    assertThat(disk(again.contents())).isEqualTo(before);
                    points.incrementAndGet();
                }
            }
        });

        assertPoints(ran, 5);
    }

    @Test
    void whileClustersGetTheirPlaces() throws Exception {
        int ran = Seeds.run(getClass(), 12, random -> {
            int clusterSize = 512 << random.nextInt(4);
            CrashStorage fresh = new CrashStorage("new.qcow2", new byte[0]);
            new NewImage(CreateOptions.builder(clusterSize * (1L + random.nextInt(400)))
                            .clusterSize(clusterSize)
                            .refcountBits(1 << random.nextInt(7))
                            .build())
                    .write(fresh);
            CrashStorage storage = new CrashStorage("new.qcow2", fresh.contents());
            try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
                ((Qcow2Image) image).preallocate(0, random.nextBoolean());
            }
            eachState(storage, random, state -> assertThat(disk(state)).containsOnly(0));
        });

        assertPoints(ran, 10);
    }

    @Test
    void whileTheRefcountTableMoves() throws Exception {
        int ran = Seeds.run(getClass(), 4, random -> {
            byte[] start = StartImage.nearlyFullTable(random);
            CrashStorage storage = new CrashStorage("full.qcow2", start);
            GuestHistory history;
            try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
                history = new GuestHistory(image, storage);
                byte[] bytes = new byte[512 << 10];
                random.nextBytes(bytes);
                history.write((int) (image.size() / 512) - 1024, bytes, Durability.FUA);
            }
            assertThat(Qcow2Header.read(Qcow2Builder.storage(storage.contents()))
                            .refcountTableOffset())
                    .isNotEqualTo(Qcow2Header.read(Qcow2Builder.storage(start)).refcountTableOffset());
            CrashStorage.Replay replay = storage.replay();
            for (int moment = 0; moment <= replay.end(); moment++) {
                for (int k = 0; k <= Math.min(1, replay.pending(moment)); k++) {
                    byte[] state = replay.state(moment, k == 0 ? null : random);
                    assertWhole(state);
                    try (DiskImage image = Qcow2Builder.open(state, OpenOptions.defaults())) {
                        history.assertAllowed(image, moment);
                    }
                    points.incrementAndGet();
                }
            }
        });

        assertPoints(ran, 10);
    }

    @Test
    void whileAnOverlayIsCommitted() throws Exception {
        int ran = Seeds.run(getClass(), 40, random -> {
            CommitFiles files = CommitFiles.random(Files.createTempDirectory(folder, "commit"), random);
            byte[] expected = files.guest();
            byte[] overlay = files.overlay().contents();
            Qcow2.commit(
                    files.overlayFile(),
                    CommitFiles.OPTIONS,
                    CommitOptions.builder().build(),
                    files);
            assertThat(files.base().moment()).isEqualTo(files.baseEnd());

            CrashStorage.Replay base = files.base().replay();
            for (int moment = 0; moment <= base.end(); moment++) {
                for (int k = 0; k <= Math.min(STATES, base.pending(moment)); k++) {
                    files.assertShows(expected, overlay, base.state(moment, k == 0 ? null : random));
                    points.incrementAndGet();
                }
            }
            CrashStorage.Replay emptied = files.overlay().replay();
            for (int moment = 0; moment <= emptied.end(); moment++) {
                for (int k = 0; k <= Math.min(STATES, emptied.pending(moment)); k++) {
                    files.assertShows(
                            expected, emptied.state(moment, k == 0 ? null : random), base.state(base.end(), random));
                    points.incrementAndGet();
                }
            }
        });

        assertPoints(ran, 30);
    }

    private void eachState(CrashStorage storage, Random random, Judge judge) throws IOException {
        CrashStorage.Replay replay = storage.replay();
        int states = storage.size() > 1 << 20 ? 0 : STATES;
        for (int moment = 0; moment <= replay.end(); moment++) {
            for (int k = 0; k <= Math.min(states, replay.pending(moment)); k++) {
                byte[] state = replay.state(moment, k == 0 ? null : random);
                try {
                    assertWhole(state);
                    judge.judge(state);
                } catch (IOException | AssertionError e) {
                    throw new AssertionError(
                            "power went at " + moment + " of " + replay.end() + ": " + e.getMessage(), e);
                }
                points.incrementAndGet();
            }
        }
    }

    private void assertPoints(int ran, int each) {
        assertThat(points.get()).isGreaterThanOrEqualTo(ran < 30 ? 1 : (long) ran * each);
    }

    private static void assertWhole(byte[] state) throws IOException {
        try (DiskImage image = Qcow2Builder.open(state, OpenOptions.defaults())) {
            CheckReport report = image.check(CheckOutcome.SILENT);
            assertThat(report.corruptions()).as(report::toString).isZero();
        }
    }

    private static byte[] disk(byte[] image) throws IOException {
        try (DiskImage opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            byte[] bytes = new byte[(int) opened.size()];
            opened.read(0, ByteBuffer.wrap(bytes));
            return bytes;
        }
    }
}
