package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockIOException;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.Faults;
import dev.platter.testkit.FaultyStorage;
import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Each single request to the file fails once: the operation says so and where, what is read stays allowed, later
 * operations work unless it was a flush, and the file stays whole.
 */
final class WriteFailureTest {
    private static final String NAME = "failing.qcow2";
    private static final int STEPS = 14;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().format("qcow2").writable(true).build();
    private static final List<BlockIOException.Kind> KINDS =
            List.of(BlockIOException.Kind.IO, BlockIOException.Kind.NO_SPACE);
    private static final List<Faults.Written> WRITTEN = List.of(Faults.Written.values());

    @TempDir
    private Path folder;

    private interface Step {
        void run() throws IOException;
    }

    /** One run, of which one request fails. */
    private static final class Failing {
        final CrashStorage base;
        final Faults faults = new Faults();
        private @Nullable String failed;

        Failing(byte[] start) {
            base = new CrashStorage(NAME, start);
        }

        Storage storage() {
            return new FaultyStorage(base, faults);
        }

        /** Does something, which may fail by the failing request, and because of it only where nobody can go on. */
        void attempt(Step step) throws IOException {
            try {
                step.run();
            } catch (BlockIOException e) {
                String text = String.valueOf(e.getMessage());
                if (failed == null) {
                    assertThat(text).startsWith(NAME + ": ").contains(" at ");
                    assertThat(faults.hasFailed()).as(text).isTrue();
                    failed = text;
                } else {
                    assertThat(text).contains("before it is opened again");
                    assertThat(failed.contains("write of 0 at 0")
                                    || isHeader(failed)
                                    || text.contains("the header names other tables"))
                            .as("nothing more is written after: " + failed)
                            .isTrue();
                }
            }
        }

        private static boolean isHeader(String text) {
            return text.matches("(?s).*: write of \\d+ at \\d\\d: .*");
        }
    }

    @Test
    void historyGoesOnAfterAnyRequestFailed() throws Exception {
        Seeds.run(getClass(), 8, random -> {
            byte[] start = StartImage.random(random);
            long seed = random.nextLong();
            for (int number = 0; ; number += start.length > 1 << 20 ? 7 : 1) {
                Failing run = new Failing(start);
                history(run, seed, number, random);
                if (!run.faults.hasFailed()) {
                    return;
                }
            }
        });
    }

    private static void history(Failing run, long seed, int number, Random random) throws IOException {
        GuestHistory[] history = new GuestHistory[1];
        run.attempt(() -> {
            try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(run.storage(), WRITABLE)) {
                GuestHistory own = new GuestHistory(image, run.base);
                history[0] = own;
                fail(run, number, random);
                Random steps = new Random(seed);
                for (int i = 0; i < STEPS; i++) {
                    run.attempt(() -> own.stepWithSnapshots(steps));
                    run.attempt(own::assertLive);
                    run.attempt(() -> own.assertSnapshots(image));
                }
            }
        });
        try (DiskImage after = Qcow2Builder.open(run.base.contents(), OpenOptions.defaults())) {
            assertWhole(after);
            history[0].assertAllowed(after, run.base.moment());
            history[0].assertSnapshots(after);
        } catch (IOException | AssertionError e) {
            throw new AssertionError("request " + number + " failed (" + run.failed + "): " + e.getMessage(), e);
        }
    }

    private static void fail(Failing run, int number, Random random) {
        run.faults.failOne(
                number, KINDS.get(random.nextInt(KINDS.size())), WRITTEN.get(random.nextInt(WRITTEN.size())));
    }

    private static void assertWhole(DiskImage image) throws IOException {
        CheckReport report = image.check(CheckOutcome.SILENT);
        assertThat(report.corruptions()).as(report::toString).isZero();
    }

    @Test
    void resizeCanBeDoneAgainAfterAnyRequestFailed() throws Exception {
        Seeds.run(getClass(), 16, random -> {
            byte[] start = StartImage.random(random);
            Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(start));
            if (header.version() < 3 && header.snapshotCount() > 0) {
                return;
            }
            byte[] before = disk(start);
            int sectors = before.length / 512;
            long size = 512L * (random.nextBoolean() ? 1 + random.nextInt(sectors) : sectors + random.nextInt(20_000));
            byte[] expected = Arrays.copyOf(before, (int) size);
            for (int number = 0; ; number++) {
                Failing run = new Failing(start);
                fail(run, number, random);
                run.attempt(() -> resize(run.storage(), size));
                if (!run.faults.hasFailed()) {
                    return;
                }
                byte[] left = run.base.contents();
                try (DiskImage image = Qcow2Builder.open(left, OpenOptions.defaults())) {
                    assertWhole(image);
                    int kept = (int) Math.min(image.size(), size);
                    assertThat(Arrays.copyOf(disk(left), kept)).isEqualTo(Arrays.copyOf(expected, kept));
                }
                resize(run.base, size);
                assertThat(disk(run.base.contents())).isEqualTo(expected);
            }
        });
    }

    private static void resize(Storage storage, long size) throws IOException {
        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, size, true);
        }
    }

    @Test
    void preallocationLeavesAWholeImageWhateverFailed() throws Exception {
        Seeds.run(getClass(), 12, random -> {
            int clusterSize = 512 << random.nextInt(4);
            CrashStorage fresh = new CrashStorage(NAME, new byte[0]);
            CreateOptions options = CreateOptions.builder(clusterSize * (1L + random.nextInt(200)))
                    .clusterSize(clusterSize)
                    .refcountBits(1 << random.nextInt(7))
                    .build();
            new NewImage(options).write(fresh);
            boolean written = random.nextBoolean();
            for (int number = 0; ; number++) {
                Failing run = new Failing(fresh.contents());
                fail(run, number, random);
                run.attempt(() -> {
                    try (DiskImage image = DiskImages.open(run.storage(), WRITABLE)) {
                        ((Qcow2Image) image).preallocate(0, written);
                    }
                });
                try (DiskImage image = Qcow2Builder.open(run.base.contents(), OpenOptions.defaults())) {
                    assertWhole(image);
                }
                assertThat(disk(run.base.contents())).containsOnly(0);
                if (!run.faults.hasFailed()) {
                    return;
                }
            }
        });
    }

    @Test
    void repairCanBeDoneAgainAfterAnyRequestFailed() throws Exception {
        Seeds.run(getClass(), 30, random -> {
            byte[] image = StartImage.random(random);
            byte[] before = disk(image);
            RepairTest.damageRefcounts(image, random);
            for (int number = 0; ; number++) {
                Failing run = new Failing(image);
                fail(run, number, random);
                run.attempt(() -> Qcow2.repair(run.storage(), OpenOptions.defaults(), Qcow2.Repair.ALL));
                if (!run.faults.hasFailed()) {
                    return;
                }
                assertThat(disk(run.base.contents())).isEqualTo(before);
                CheckReport report = Qcow2.repair(run.base, OpenOptions.defaults(), Qcow2.Repair.ALL);
                assertThat(report.corruptions() + report.leaks())
                        .as(report::toString)
                        .isZero();
                assertThat(disk(run.base.contents())).isEqualTo(before);
            }
        });
    }

    @Test
    void commitCanBeDoneAgainAfterAnyRequestFailed() throws Exception {
        Seeds.run(getClass(), 12, random -> {
            CommitFiles files = CommitFiles.random(Files.createTempDirectory(folder, "commit"), random);
            byte[] expected = files.guest();
            for (int number = 0; ; number++) {
                CommitFiles run = files.again();
                Faults faults = new Faults();
                faults.failOne(
                        number, KINDS.get(random.nextInt(KINDS.size())), WRITTEN.get(random.nextInt(WRITTEN.size())));
                try {
                    Qcow2.commit(
                            run.overlayFile(),
                            CommitFiles.OPTIONS,
                            CommitOptions.builder().build(),
                            (file, writable) -> new FaultyStorage(run.open(file, writable), faults));
                } catch (BlockIOException e) {
                    assertThat(e).hasMessageContaining(" at ");
                }
                run.assertShows(expected, run.overlay().contents(), run.base().contents());
                if (!faults.hasFailed()) {
                    return;
                }
                Qcow2.commit(
                        run.overlayFile(),
                        CommitFiles.OPTIONS,
                        CommitOptions.builder().build(),
                        run);
                run.assertShows(expected, run.overlay().contents(), run.base().contents());
            }
        });
    }

    private static byte[] disk(byte[] image) throws IOException {
        OpenOptions options =
                OpenOptions.builder().references(ReferencePolicy.none()).build();
        try (DiskImage opened = Qcow2Builder.open(image, options)) {
            byte[] bytes = new byte[(int) opened.size()];
            opened.read(0, ByteBuffer.wrap(bytes));
            return bytes;
        }
    }
}
