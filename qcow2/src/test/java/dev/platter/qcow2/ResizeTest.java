package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.testkit.Contents;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.Faults;
import dev.platter.testkit.FaultyStorage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Disks become larger and smaller; what the power leaves has the old size or the new one. */
final class ResizeTest {
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    @Test
    void bytesStayAndNewOnesAreZerosAtAnyMoment() throws Exception {
        Seeds.run(getClass(), 100, random -> {
            byte[] start = StartImage.random(random);
            CrashStorage storage = new CrashStorage("resized.qcow2", start);
            byte[] before = disk(start);
            long size = 512L
                    * (random.nextInt(3) == 0
                            ? 1 + random.nextInt(before.length / 512)
                            : before.length / 512 + random.nextInt(20_000));
            try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
                Qcow2.resize(image, size, true);
            } catch (BlockIOException e) {
                assertThat(e).hasMessageContaining("version 2 that has snapshots");
                return;
            }

            byte[] after = disk(storage.contents());
            assertThat(after).isEqualTo(Arrays.copyOf(before, (int) size));
            CrashStorage.Replay replay = storage.replay();
            for (int moment = 0; moment <= replay.end(); moment++) {
                assertBetween(replay.state(moment, random), before, after);
            }
        });
    }

    @Test
    void whatWasCutOffDoesNotComeBack() throws IOException {
        CrashStorage storage = new CrashStorage(
                "resized.qcow2", new Qcow2Builder(3, 12, 8 * 4096).data(0, 1).build());
        for (long size : new long[] {512, 8192}) {
            try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
                Qcow2.resize(image, size, true);
            }
        }
        byte[] disk = disk(storage.contents());
        assertThat(Arrays.copyOfRange(disk, 512, 8192)).containsOnly(0);
    }

    @Test
    void smallerDiskIsRefusedUnlessAllowed() throws IOException {
        CrashStorage storage = new CrashStorage("resized.qcow2", new Qcow2Builder(3, 12, 8192).build());
        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> Qcow2.resize(image, 4096, false))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("--shrink");
        }
        assertThat(disk(storage.contents())).hasSize(8192);
    }

    @Test
    void damagedClusterIsRefusedBeforeAnyIsLost() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 * 4096)
                .data(0, 5, 6)
                .entry(7, 4096 + 512, 0)
                .build();
        CrashStorage storage = new CrashStorage("resized.qcow2", image);

        try (DiskImage opened = DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> Qcow2.resize(opened, 4096, true))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("guest offset 28672");
        }

        assertThat(storage.contents()).isEqualTo(image);
    }

    @Test
    void clusterInATableIsRefusedBeforeAnyIsLost() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 * 4096)
                .data(0, 5, 6)
                .entry(7, 4096 | L2Entry.COPIED, 0)
                .build();
        CrashStorage storage = new CrashStorage("resized.qcow2", image);

        try (DiskImage opened = DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> Qcow2.resize(opened, 4096, true))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("the L1 table");
        }

        byte[] after = storage.contents();
        assertThat(Qcow2Header.read(Qcow2Builder.storage(after)).isCorrupt()).isTrue();
        assertThat(Arrays.copyOfRange(after, 4096, after.length))
                .isEqualTo(Arrays.copyOfRange(image, 4096, image.length));
    }

    @Test
    void clustersOfATableThatCouldNotBeWrittenAreGivenOutAgain() throws IOException {
        byte[] image = new Qcow2Builder(3, 9, 512 * 64).data(0).build();
        CrashStorage base = new CrashStorage("resized.qcow2", image);
        Faults faults = new Faults();
        byte[] bytes = TestBytes.of(0, 512 * 50);

        try (DiskImage opened = DiskImages.open(new FaultyStorage(base, faults), WRITABLE)) {
            faults.failWrites(image.length, 1L << 40, BlockIOException.Kind.NO_SPACE);
            assertThatThrownBy(() -> Qcow2.resize(opened, 64 << 20, true)).isInstanceOf(BlockIOException.class);
            faults.heal();
            opened.write(512, ByteBuffer.wrap(bytes), Durability.NONE);
        }

        CheckReport report = CheckImage.check(base, CheckOutcome.SILENT, Limits.defaults(), 1 << 20);
        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        assertThat(Arrays.copyOfRange(disk(base.contents()), 512, 512 * 51)).isEqualTo(bytes);
    }

    @ParameterizedTest
    @ValueSource(longs = {512, 70_144, 1 << 20, (1 << 20) + 512, 3 << 20})
    void rawDataFileIsTheDiskAtEverySize(long size) throws IOException {
        Path image = folder.resolve("a.qcow2");
        Path data = folder.resolve("a.data");
        Qcow2.create(
                image,
                CreateOptions.builder((1 << 20) + 1024).dataFile("a.data", true).build());
        OpenOptions options =
                WRITABLE.toBuilder().references(ReferencePolicy.under(folder)).build();
        byte[] bytes = TestBytes.of(0, (1 << 20) + 1024);
        try (DiskImage opened = DiskImages.open(image, options)) {
            opened.write(0, ByteBuffer.wrap(bytes), Durability.NONE);
        }

        Qcow2.resize(image, options, size, true);

        assertThat(data).hasBinaryContent(Arrays.copyOf(bytes, (int) size));
        assertShows(image, Arrays.copyOf(bytes, (int) size), options);
        // and back: what was cut off does not come to light
        Qcow2.resize(image, options, bytes.length, true);
        byte[] expected = Arrays.copyOf(Arrays.copyOf(bytes, (int) Math.min(size, bytes.length)), bytes.length);
        assertThat(data).hasBinaryContent(expected);
        assertShows(image, expected, options);
    }

    private void assertShows(Path image, byte[] expected, OpenOptions options) throws IOException {
        try (DiskImage opened = DiskImages.open(image, options)) {
            Contents.of(expected).assertAll(opened);
            CheckReport report = opened.check(CheckOutcome.SILENT);
            assertThat(report.corruptions() + report.leaks())
                    .as(report::toString)
                    .isZero();
        }
        if (ReferenceTools.isInstalled("qemu-img")) {
            ReferenceTools.runIn(folder, "qemu-img", "check", "a.qcow2").assertSuccess();
            Files.write(folder.resolve("expected"), expected);
            ReferenceTools.runIn(folder, "qemu-img", "compare", "-f", "qcow2", "-F", "raw", "a.qcow2", "expected")
                    .assertSuccess();
        }
    }

    @Test
    void diskWhoseDataFileMayNotBeOpenedKeepsItsSize() throws IOException {
        Path image = folder.resolve("a.qcow2");
        Qcow2.create(
                image, CreateOptions.builder(1 << 20).dataFile("a.data", true).build());
        byte[] before = Files.readAllBytes(image);
        OpenOptions options =
                WRITABLE.toBuilder().references(ReferencePolicy.none()).build();

        assertThatThrownBy(() -> Qcow2.resize(image, options, 2 << 20, false)).hasMessageContaining("a.data");

        assertThat(image).hasBinaryContent(before);
    }

    private static void assertBetween(byte[] state, byte[] before, byte[] after) throws IOException {
        try (DiskImage image = Qcow2Builder.open(state, OpenOptions.defaults())) {
            CheckReport report = image.check(new CheckListener() {});
            assertThat(report.corruptions()).as(report::toString).isZero();
            assertThat(image.size()).isIn((long) before.length, (long) after.length);
            byte[] found = disk(state);
            int kept = Math.min(before.length, after.length);
            assertThat(Arrays.copyOf(found, kept)).isEqualTo(Arrays.copyOf(before, kept));
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
