package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckReport;
import dev.platter.core.Copier;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.Storage;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.CancellationException;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images get other features; no byte of a disk changes, also if the power goes meanwhile. */
final class AmendTest {
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    @Test
    void powerMayGoAtAnyMoment() throws Exception {
        AtomicInteger done = new AtomicInteger();
        int ran = Seeds.run(getClass(), 240, random -> {
            byte[] start = StartImage.random(random);
            Map<String, byte[]> before = disks(start);
            AmendOptions options = randomOptions(random);
            CrashStorage storage = new CrashStorage("amended.qcow2", start);
            try {
                amend(storage, options);
            } catch (BlockIOException e) {
                assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                assertThat(storage.contents()).isEqualTo(start);
                return;
            }
            assertAmended(storage, options);
            CrashStorage.Replay replay = storage.replay();
            for (int moment = 0; moment <= replay.end(); moment++) {
                for (int k = 0; k < 3; k++) {
                    assertWhole(replay.state(moment, k == 0 ? null : random), before, moment);
                }
            }
            assertQemuAgrees(storage.contents());
            done.incrementAndGet();
        });
        assertThat(done.get()).isGreaterThanOrEqualTo(ran < 30 ? 0 : ran / 3);
    }

    @Test
    void zerosOverABackingFileAreWrittenForVersion2() throws IOException {
        Path base = folder.resolve("base.raw");
        Files.write(base, TestBytes.of(0, 16 * 4096));
        Path top = folder.resolve("top.qcow2");
        Files.write(
                top,
                new Qcow2Builder(3, 12, 20 * 4096)
                        .backing("base.raw", "raw")
                        .data(1)
                        .zero(2)
                        .zeroAllocated(3)
                        .snapshot("1", "before", 20 * 4096)
                        .unmap(2)
                        .zero(5)
                        .zero(18)
                        .build());
        OpenOptions options =
                OpenOptions.builder().references(ReferencePolicy.all()).build();
        Map<String, byte[]> before = disks(top, options);

        Qcow2.amend(top, options, AmendOptions.builder().version(2).build());

        assertSame(disks(top, options), before);
        try (DiskImage image = DiskImages.open(top, options)) {
            assertThat(image.info().formatSpecific()).containsEntry("compat", "0.10");
            assertThat(image.check(CheckOutcome.SILENT).corruptions()).isZero();
            assertThat(image.check(CheckOutcome.SILENT).leaks()).isZero();
        }
        if (ReferenceTools.isInstalled("qemu-img")) {
            ReferenceTools.runOk("qemu-img", "check", top.toString());
        }
    }

    @Test
    void oldSnapshotTableIsCompletedForVersion3() throws IOException {
        byte[] old = withoutExtraData(new Qcow2Builder(2, 12, 64 * 4096)
                .data(0, 5)
                .snapshot("1", "before", 64 * 4096)
                .build());
        Map<String, byte[]> before = disks(old);
        CrashStorage storage = new CrashStorage("old.qcow2", old);

        amend(storage, AmendOptions.builder().version(3).build());

        assertWhole(storage.contents(), before, -1);
        assertQemuAgrees(storage.contents());
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), OpenOptions.defaults());
        assertThat(Snapshot.readTable(header, file, OpenOptions.defaults().limits()))
                .allMatch(Snapshot::isComplete);
    }

    @Test
    void countsThatDoNotFitAreRefusedBeforeAnythingIsWritten() throws IOException {
        Qcow2Builder image = new Qcow2Builder(3, 12, 64 * 4096).data(0, 5);
        for (int i = 1; i <= 4; i++) {
            image.snapshot(Integer.toString(i), "s" + i, 64 * 4096);
        }
        byte[] start = image.build();
        CrashStorage storage = new CrashStorage("shared.qcow2", start);

        assertThatThrownBy(() ->
                        amend(storage, AmendOptions.builder().refcountBits(2).build()))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("5 times")
                .hasMessageContaining("2 bits");

        assertThat(storage.contents()).isEqualTo(start);
        amend(storage, AmendOptions.builder().refcountBits(4).build());
        assertWhole(storage.contents(), disks(start), -1);
    }

    @Test
    void featuresThatVersion2LacksAreNamed() throws IOException {
        AmendOptions version2 = AmendOptions.builder().version(2).build();

        assertRefused(new Qcow2Builder(3, 14, 1 << 20).extendedL2().data(0), version2, "extended L2");
        assertRefused(new Qcow2Builder(3, 12, 1 << 20).zstd().compressed(3), version2, "zstd");
        assertRefused(new Qcow2Builder(3, 12, 1 << 20).bitmap("b", 16, 0, (byte) 1), version2, "bitmaps");
        assertRefused(new Qcow2Builder(3, 12, 1 << 20).snapshot("1", "s", 1 << 16), version2, "another disk size");
        assertRefused(
                new Qcow2Builder(2, 12, 1 << 20),
                AmendOptions.builder().lazyRefcounts(true).build(),
                "compat=1.1");
        assertRefused(
                new Qcow2Builder(2, 12, 1 << 20),
                AmendOptions.builder().refcountBits(8).build(),
                "16 bits");
        assertRefused(
                new Qcow2Builder(3, 12, 1 << 20),
                AmendOptions.builder().dataFileRaw(true).build(),
                "data_file_raw cannot be set");
        assertRefused(
                new Qcow2Builder(3, 12, 1 << 20),
                AmendOptions.builder().dataFile("d").build(),
                "data_file can only be set");
        assertRefused(
                new Qcow2Builder(3, 12, 1 << 20),
                AmendOptions.builder().size(512).build(),
                "--shrink");
    }

    @Test
    void zstdImageWithoutCompressedClustersBecomesVersion2() throws IOException {
        byte[] start = new Qcow2Builder(3, 12, 1 << 20).zstd().data(3).build();
        CrashStorage storage = new CrashStorage("zstd.qcow2", start);

        amend(storage, AmendOptions.builder().version(2).build());

        assertWhole(storage.contents(), disks(start), -1);
        assertThat(Qcow2Header.read(storage).compressionName()).isEqualTo("zlib");
    }

    @Test
    void damagedImageIsToBeRepairedFirst() throws IOException {
        byte[] start = new Qcow2Builder(3, 12, 1 << 20)
                .data(0)
                .incompatible(Qcow2Header.INCOMPAT_CORRUPT)
                .build();
        CrashStorage storage = new CrashStorage("corrupt.qcow2", start);

        assertThatThrownBy(() ->
                        amend(storage, AmendOptions.builder().refcountBits(64).build()))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("check -r all");
        assertThat(storage.contents()).isEqualTo(start);
    }

    @Test
    void refcountBlocksInOnePlaceAreRefused() throws IOException {
        byte[] start = new Qcow2Builder(3, 9, 1 << 20).data(0, 1000).build();
        ByteBuffer bytes = ByteBuffer.wrap(start);
        int table = (int) bytes.getLong(48);
        bytes.putLong(table + 8, bytes.getLong(table));
        CrashStorage storage = new CrashStorage("aliased.qcow2", start);

        assertThatThrownBy(() ->
                        amend(storage, AmendOptions.builder().refcountBits(64).build()))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("refcount table entry 1");
        assertThat(storage.contents()).isEqualTo(start);
    }

    @Test
    void bitmapsAndUnknownExtensionsStay() throws IOException {
        byte[] start = new Qcow2Builder(3, 12, 1 << 20)
                .data(0, 9)
                .extension(0x12345678, (byte) 1, (byte) 2, (byte) 3)
                .bitmap("b", 16, 0, (byte) 5)
                .build();
        CrashStorage storage = new CrashStorage("bitmaps.qcow2", start);

        amend(
                storage,
                AmendOptions.builder().refcountBits(32).lazyRefcounts(true).build());

        assertWhole(storage.contents(), disks(start), -1);
        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            assertThat(image.bitmaps()).hasSize(1);
            assertThat(image.info().formatSpecific())
                    .containsEntry("refcount-bits", 32L)
                    .containsEntry("lazy-refcounts", true);
        }
        assertThat(new String(storage.contents(), 0, 512, java.nio.charset.StandardCharsets.ISO_8859_1))
                .contains("\u00124Vx\0\0\0\3\1\2\3");
    }

    @Test
    void progressGoesUpToItsEnd() throws Exception {
        Seeds.run(getClass(), 60, random -> {
            CrashStorage storage = new CrashStorage("amended.qcow2", StartImage.random(random));
            List<Long> told = new ArrayList<>();
            long[] end = {0};
            try {
                amend(storage, randomOptions(random), (done, total) -> {
                    told.add(done);
                    end[0] = total;
                    return true;
                });
            } catch (BlockIOException e) {
                assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                return;
            }
            assertThat(told).isSorted().startsWith(0L).endsWith(end[0]);
        });
    }

    @Test
    void stoppedAmendmentLeavesEveryByteOfTheDisks() throws IOException {
        byte[] start = new Qcow2Builder(3, 12, 600 * 4096)
                .data(0, 5, 520)
                .zero(7)
                .snapshot("1", "before", 600 * 4096)
                .zero(530)
                .build();
        AmendOptions options =
                AmendOptions.builder().version(2).refcountBits(16).build();
        Map<String, byte[]> before = disks(start);
        for (int asked = 0; ; asked++) {
            CrashStorage storage = new CrashStorage("stopped.qcow2", start);
            int[] left = {asked};
            try {
                amend(storage, options, (done, total) -> left[0]-- > 0);
            } catch (CancellationException e) {
                assertThat(e).hasMessageContaining("stopped.qcow2: stopped at");
                assertWhole(storage.contents(), before, -1);
                continue;
            }
            assertThat(asked).isGreaterThan(3);
            assertThat(Qcow2Header.read(storage).version()).isEqualTo(2);
            return;
        }
    }

    @Test
    void countFarBeyondTheEndIsRefusedBeforeAnythingIsWritten() throws IOException {
        int cluster = 2 << 20;
        CrashStorage made = new CrashStorage("far.qcow2", new byte[0]);
        new NewImage(CreateOptions.builder(512)
                        .clusterSize(cluster)
                        .refcountBits(1)
                        .build())
                .write(made);
        byte[] start = Arrays.copyOf(made.contents(), 9 * cluster);
        ByteBuffer bytes = ByteBuffer.wrap(start);
        // a table of four clusters, whose last block counts clusters so far away that their offsets have 65 bits
        bytes.putLong(48, 4L * cluster).putInt(56, 4);
        bytes.putLong(4 * cluster, bytes.getLong(cluster)).putLong(8 * cluster - 8, 8L * cluster);
        bytes.putInt(2 * cluster, -1).putInt(8 * cluster, -1);
        CrashStorage storage = new CrashStorage("far.qcow2", start);

        assertThatThrownBy(() ->
                        amend(storage, AmendOptions.builder().refcountBits(16).build()))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("far beyond the end of the file");

        assertThat(storage.contents()).isEqualTo(start);
    }

    @Test
    void rawDataFileBecomesAnOrdinaryOne() throws IOException {
        Path image = TempImages.qemu(
                folder,
                "a.qcow2",
                "qcow2",
                1 << 20,
                "-o",
                "data_file=" + folder.resolve("a.data") + ",data_file_raw=on");
        OpenOptions options =
                OpenOptions.builder().references(ReferencePolicy.all()).build();

        Qcow2.amend(image, options, AmendOptions.builder().dataFileRaw(false).build());

        String info = ReferenceTools.runOk("qemu-img", "info", image.toString()).stdout();
        assertThat(info).contains("data file raw: false");
    }

    private static AmendOptions randomOptions(Random random) {
        AmendOptions.Builder options = AmendOptions.builder();
        if (random.nextBoolean()) {
            options.version(2 + random.nextInt(2));
        }
        if (random.nextBoolean()) {
            options.refcountBits(random.nextInt(3) == 0 ? 16 : 1 << random.nextInt(7));
        }
        if (random.nextInt(3) == 0) {
            options.lazyRefcounts(random.nextBoolean());
        }
        return options.build();
    }

    private static void amend(CrashStorage storage, AmendOptions options) throws IOException {
        amend(storage, options, (done, total) -> true);
    }

    private static void amend(CrashStorage storage, AmendOptions options, Copier.Progress progress) throws IOException {
        Amend.Opening opening = new Amend.Opening() {
            @Override
            public DiskImage image(boolean writable) throws IOException {
                return DiskImages.open(
                        storage, WRITABLE.toBuilder().writable(writable).build());
            }

            @Override
            public Storage storage() {
                return storage;
            }
        };
        new Amend(opening, WRITABLE, options, progress).run();
    }

    private static void assertRefused(Qcow2Builder image, AmendOptions options, String message) throws IOException {
        byte[] start = image.build();
        CrashStorage storage = new CrashStorage("refused.qcow2", start);
        assertThatThrownBy(() -> amend(storage, options))
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining(message);
        assertThat(storage.contents()).isEqualTo(start);
    }

    private static void assertAmended(CrashStorage storage, AmendOptions options) throws IOException {
        Qcow2Header header = Qcow2Header.read(storage);
        Integer version = options.version();
        Integer bits = options.refcountBits();
        Boolean lazy = options.lazyRefcounts();
        if (version != null) {
            assertThat(header.version()).isEqualTo(version.intValue());
        }
        if (bits != null) {
            assertThat(1 << header.refcountOrder()).isEqualTo(bits.intValue());
        }
        if (lazy != null && header.version() == 3) {
            assertThat((header.compatibleFeatures() & Qcow2Header.COMPAT_LAZY_REFCOUNTS) != 0)
                    .isEqualTo(lazy.booleanValue());
        }
    }

    private static void assertWhole(byte[] state, Map<String, byte[]> before, int moment) throws IOException {
        try (DiskImage image = Qcow2Builder.open(state, OpenOptions.defaults())) {
            CheckReport report = image.check(CheckOutcome.SILENT);
            assertThat(report.corruptions())
                    .as(() -> "power went at " + moment + ": " + report)
                    .isZero();
        }
        assertSame(disks(state), before);
    }

    private static void assertSame(Map<String, byte[]> found, Map<String, byte[]> expected) {
        assertThat(found.keySet()).isEqualTo(expected.keySet());
        expected.forEach(
                (name, bytes) -> assertThat(found.get(name)).as("disk " + name).isEqualTo(bytes));
    }

    private void assertQemuAgrees(byte[] state) throws IOException {
        if (!ReferenceTools.isInstalled("qemu-img")) {
            return;
        }
        Path file = Files.createTempFile(folder, "amended", ".qcow2");
        Files.write(file, state);
        assertThat(ReferenceTools.run("qemu-img", "check", "-f", "qcow2", file.toString()))
                .as("qemu-img check")
                .matches(result -> result.exit() == 0);
        Files.delete(file);
    }

    /** The snapshot table as qemu before 1.1 wrote it. */
    private static byte[] withoutExtraData(byte[] image) {
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int entry = (int) bytes.getLong(64);
        int names = (bytes.getShort(entry + 12) & 0xffff) + (bytes.getShort(entry + 14) & 0xffff);
        bytes.putInt(entry + 36, 0);
        System.arraycopy(image, entry + 40 + 24, image, entry + 40, names);
        return image;
    }

    private static Map<String, byte[]> disks(byte[] image) throws IOException {
        try (DiskImage opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            return disks(opened);
        }
    }

    private static Map<String, byte[]> disks(Path image, OpenOptions options) throws IOException {
        try (DiskImage opened = DiskImages.open(image, options)) {
            return disks(opened);
        }
    }

    /** The bytes of the disk, and of its snapshots by their ids. */
    private static Map<String, byte[]> disks(DiskImage image) throws IOException {
        Map<String, byte[]> disks = new LinkedHashMap<>();
        disks.put("", bytes(image));
        for (SnapshotInfo snapshot : image.snapshots()) {
            try (BlockDevice device = image.openSnapshot(snapshot.id())) {
                disks.put(snapshot.id() + " " + snapshot.name(), bytes(device));
            }
        }
        return disks;
    }

    private static byte[] bytes(BlockDevice device) throws IOException {
        byte[] bytes = new byte[(int) device.size()];
        device.read(0, ByteBuffer.wrap(bytes));
        return bytes;
    }
}
