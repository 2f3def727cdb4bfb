package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.PreparingDevice;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.Contents;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clusters that are written compressed. */
final class CompressedWriterTest {
    private static final int CLUSTER = 4096;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    @Test
    void descriptorSaysWhereTheBytesLie() {
        for (int clusterBits = 9; clusterBits <= 21; clusterBits++) {
            long limit = CompressedClusters.hostOffsetLimit(clusterBits);
            assertThat(limit).isLessThanOrEqualTo(1L << 56);
            for (long offset : new long[] {1 << 16, (1 << 16) + 511, limit - 1}) {
                for (int length : new int[] {1, 511, 1 << (clusterBits - 1), (1 << clusterBits) - 1}) {
                    long descriptor = CompressedClusters.descriptor(offset, length, clusterBits);

                    assertThat(L2Entry.isCompressed(descriptor)).isTrue();
                    assertThat(descriptor).isPositive();
                    assertThat(CompressedClusters.hostOffset(descriptor, clusterBits))
                            .isEqualTo(offset);
                    assertThat(CompressedClusters.hostLength(descriptor, clusterBits))
                            .isBetween(length, length + 511);
                }
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "9, false, 1, ZLIB",
        "9, false, 16, ZSTD",
        "10, false, 2, ZLIB",
        "12, false, 64, ZLIB",
        "12, false, 4, ZSTD",
        "14, true, 16, ZLIB",
        "16, false, 16, ZLIB",
        "16, true, 1, ZSTD",
        "18, false, 8, ZLIB",
        "21, false, 32, ZLIB",
        "21, false, 16, ZSTD",
        "21, true, 2, ZLIB"
    })
    void diskIsReadAsItWasWritten(
            int clusterBits, boolean extended, int refcountBits, CreateOptions.CompressionType type)
            throws IOException {
        int clusterSize = 1 << clusterBits;
        // the last cluster is short
        byte[] bytes = new byte[(int) Math.max(7L << clusterBits, 300_000L & -512) + 512];
        fill(bytes, clusterSize, new Random(clusterBits));
        CreateOptions options = CreateOptions.builder(bytes.length)
                .clusterSize(clusterSize)
                .extendedL2(extended)
                .refcountBits(refcountBits)
                .compressionType(type)
                .build();
        Path file = folder.resolve("a.qcow2");
        Qcow2.create(file, options);

        try (Qcow2Disk image = open(file)) {
            BlockDevice compressing = image.compressing();
            int third = bytes.length / 3 & -clusterSize;
            compressing.write(0, ByteBuffer.wrap(bytes, 0, third), Durability.NONE);
            ByteBuffer direct = ByteBuffer.allocateDirect(bytes.length - third);
            direct.put(bytes, third, bytes.length - third).flip();
            compressing.write(third, direct.asReadOnlyBuffer(), Durability.NONE);
            Contents.of(bytes).assertAll(compressing);
            assertThat(Extents.at(image, 0).compressed()).isTrue();
            assertThat(Extents.at(image, bytes.length - 1).compressed()).isTrue();
        }

        assertWhole(file, bytes);
    }

    /** Clusters that can be compressed well, hardly, not at all, and zeros. */
    private static void fill(byte[] bytes, int clusterSize, Random random) {
        for (int at = 0, i = 0; at < bytes.length; at += clusterSize, i++) {
            byte[] noise = new byte[Math.min(clusterSize, bytes.length - at)];
            random.nextBytes(noise);
            int noisy = i % 4 == 3 ? noise.length : noise.length * (i % 4) / 4;
            System.arraycopy(noise, 0, bytes, at, noisy);
            Arrays.fill(bytes, at + noisy, at + noise.length, i % 5 == 4 ? 0 : (byte) i);
        }
        Arrays.fill(bytes, bytes.length / 512 * 512 - 512, bytes.length, (byte) 7);
    }

    @Test
    void whatIsNoWholeClusterIsWrittenAsItIs() throws IOException {
        Path file = create(CreateOptions.builder(10 * CLUSTER).clusterSize(CLUSTER));
        byte[] bytes = new byte[10 * CLUSTER];
        Arrays.fill(bytes, 512, 3 * CLUSTER + 512, (byte) 5);

        try (Qcow2Disk image = open(file)) {
            BlockDevice compressing = image.compressing();
            compressing.write(512, ByteBuffer.wrap(bytes, 512, 3 * CLUSTER), Durability.FUA);
            for (int cluster = 0; cluster < 4; cluster++) {
                assertThat(Extents.at(image, (long) cluster * CLUSTER).compressed())
                        .as("cluster " + cluster)
                        .isEqualTo(cluster == 1 || cluster == 2);
            }
            compressing.writeZeroes(2 * CLUSTER, CLUSTER, ZeroMode.MAY_UNMAP, Durability.NONE);
            compressing.discard(3 * CLUSTER, CLUSTER);
            compressing.flush();
        }

        Arrays.fill(bytes, 2 * CLUSTER, bytes.length, (byte) 0);
        assertWhole(file, bytes);
    }

    @Test
    void clusterThatDoesNotBecomeSmallerIsWrittenAsItIs() throws IOException {
        Path file = create(CreateOptions.builder(CLUSTER).clusterSize(CLUSTER));
        byte[] noise = new byte[CLUSTER];
        new Random(3).nextBytes(noise);

        try (Qcow2Disk image = open(file)) {
            image.compressing().write(0, ByteBuffer.wrap(noise), Durability.NONE);
            assertThat(Extents.at(image, 0).compressed()).isFalse();
        }

        assertWhole(file, noise);
    }

    @ParameterizedTest
    @CsvSource({"12, false, 16", "12, false, 1", "12, false, 2", "9, false, 64", "14, true, 16"})
    void clustersAreOverwrittenInAllWays(int clusterBits, boolean extended, int refcountBits) throws Exception {
        int clusterSize = 1 << clusterBits;
        Seeds.run(getClass(), 10, random -> {
            byte[] bytes = new byte[20 * clusterSize];
            CrashStorage storage = new CrashStorage(
                    "overwritten",
                    image(CreateOptions.builder(bytes.length)
                            .clusterSize(clusterSize)
                            .extendedL2(extended)
                            .refcountBits(refcountBits)));
            try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
                BlockDevice compressing = image.compressing();
                for (int i = 0; i < 200; i++) {
                    int at = random.nextInt(20) * clusterSize;
                    int length = Math.min(bytes.length - at, (1 + random.nextInt(3)) * clusterSize);
                    switch (random.nextInt(8)) {
                        case 0 -> {
                            image.writeZeroes(at, length, ZeroMode.MAY_UNMAP, Durability.NONE);
                            Arrays.fill(bytes, at, at + length, (byte) 0);
                        }
                        case 1 -> {
                            image.discard(at, length);
                            image.read(at, ByteBuffer.wrap(bytes, at, length));
                        }
                        case 2 -> image.flush();
                        case 3 -> {
                            byte[] part = new byte[length - 100];
                            random.nextBytes(part);
                            System.arraycopy(part, 0, bytes, at + 50, part.length);
                            image.write(at + 50, ByteBuffer.wrap(part), Durability.NONE);
                        }
                        default -> {
                            Arrays.fill(bytes, at, at + length, (byte) random.nextInt(3));
                            byte[] noise = new byte[random.nextInt(length)];
                            random.nextBytes(noise);
                            System.arraycopy(noise, 0, bytes, at, noise.length);
                            compressing.write(at, ByteBuffer.wrap(bytes, at, length), Durability.NONE);
                        }
                    }
                    int from = random.nextInt(bytes.length);
                    Contents.of(bytes).assertRead(image, from, random.nextInt(bytes.length - from));
                }
                Contents.of(bytes).assertAll(image);
            }
            assertWhole(storage.contents(), bytes);
        });
    }

    @Test
    void compressedClustersLieOneBehindTheOtherAcrossBorders() throws IOException {
        CrashStorage storage = new CrashStorage(
                "packed", image(CreateOptions.builder(64L * CLUSTER).clusterSize(CLUSTER)));
        long before = storage.size();
        byte[] cluster = new byte[CLUSTER];

        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            BlockDevice compressing = image.compressing();
            for (int i = 0; i < 64; i++) {
                byte[] noise = new byte[3000];
                new Random(i).nextBytes(noise);
                System.arraycopy(noise, 0, cluster, 0, noise.length);
                compressing.write((long) i * CLUSTER, ByteBuffer.wrap(cluster), Durability.NONE);
            }
        }

        assertThat(storage.size() - before).isBetween(64 * 3000L, 64 * 3100L + 3 * CLUSTER);
    }

    @Test
    void nothingIsAppendedToAClusterThatWasFreedAndGivenToAnother() throws IOException {
        CrashStorage storage = new CrashStorage(
                "freed", image(CreateOptions.builder(16L * CLUSTER).clusterSize(CLUSTER)));
        byte[] bytes = new byte[16 * CLUSTER];
        Random random = new Random(9);
        byte[] noise = new byte[CLUSTER];

        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            BlockDevice compressing = image.compressing();
            for (int i = 0; i < 10; i++) {
                int freed = i % 4 * CLUSTER;
                Arrays.fill(bytes, freed, freed + CLUSTER, (byte) (i + 1));
                compressing.write(freed, ByteBuffer.wrap(bytes, freed, CLUSTER), Durability.NONE);
                image.writeZeroes(freed, CLUSTER, ZeroMode.MAY_UNMAP, Durability.FUA);
                Arrays.fill(bytes, freed, freed + CLUSTER, (byte) 0);
                int plain = (4 + i % 6) * CLUSTER;
                random.nextBytes(noise);
                System.arraycopy(noise, 0, bytes, plain, CLUSTER);
                image.write(plain, ByteBuffer.wrap(noise), Durability.NONE);
                int packed = (10 + i % 6) * CLUSTER;
                Arrays.fill(bytes, packed, packed + CLUSTER, (byte) (i + 1));
                compressing.write(packed, ByteBuffer.wrap(bytes, packed, CLUSTER), Durability.NONE);
                Contents.of(bytes).assertAll(image);
            }
        }

        assertWhole(storage.contents(), bytes);
    }

    @Test
    void readerNeverGetsWhatLayAtTheSameAddressBefore() throws IOException {
        CrashStorage storage = new CrashStorage(
                "stale", image(CreateOptions.builder(4L * CLUSTER).clusterSize(CLUSTER)));
        byte[] bytes = new byte[CLUSTER];

        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            BlockDevice compressing = image.compressing();
            List<Long> sizes = new ArrayList<>();
            for (int i = 1; i <= 20; i++) {
                Arrays.fill(bytes, (byte) i);
                compressing.write(0, ByteBuffer.wrap(bytes), Durability.FUA);
                // a part comes through the cache
                Contents.of(bytes).assertRead(image, 100, 100);
                image.discard(0, CLUSTER);
                image.flush();
                sizes.add(storage.size());
            }
            assertThat(sizes).as("the address is the same").containsOnly(sizes.get(0));
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 4, 16, 64})
    void snapshotsKeepTheirCompressedClusters(int refcountBits) throws IOException {
        Path file =
                create(CreateOptions.builder(40L * CLUSTER).clusterSize(CLUSTER).refcountBits(refcountBits));
        byte[] first = new byte[40 * CLUSTER];
        byte[] second = new byte[40 * CLUSTER];
        fill(first, CLUSTER, new Random(1));
        fill(second, CLUSTER, new Random(2));

        try (Qcow2Disk image = open(file)) {
            BlockDevice compressing = image.compressing();
            compressing.write(0, ByteBuffer.wrap(first), Durability.NONE);
            boolean kept = true;
            try {
                image.createSnapshot("first");
            } catch (BlockIOException e) {
                // compressed clusters that share a cluster of the file have used its refcount up
                assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                assertThat(refcountBits).isLessThan(4);
                kept = false;
            }
            compressing.write(0, ByteBuffer.wrap(second), Durability.NONE);
            Contents.of(second).assertAll(image);
            if (kept) {
                try (BlockDevice snapshot = image.openSnapshot("first")) {
                    Contents.of(first).assertAll(snapshot);
                }
                assertThat(image.check(new CheckListener() {}).corruptions()).isZero();
                image.applySnapshot("first");
                Contents.of(first).assertAll(image);
                compressing.write(0, ByteBuffer.wrap(second), Durability.NONE);
                image.deleteSnapshot("first");
                compressing.write(8 * CLUSTER, ByteBuffer.wrap(second, 8 * CLUSTER, 8 * CLUSTER), Durability.NONE);
            }
            Contents.of(second).assertAll(image);
        }

        assertWhole(file, second);
    }

    @Test
    void preparedWritesGetTheirPlaceInTheOrderOfTheirWrites() throws IOException {
        CrashStorage storage = new CrashStorage(
                "ordered", image(CreateOptions.builder(8L * CLUSTER).clusterSize(CLUSTER)));
        byte[] bytes = new byte[8 * CLUSTER - 1024];
        fill(bytes, CLUSTER, new Random(4));
        byte[] whole = Arrays.copyOf(bytes, 8 * CLUSTER);

        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            PreparingDevice compressing = (PreparingDevice) image.compressing();
            ByteBuffer second = ByteBuffer.wrap(bytes, 4 * CLUSTER, bytes.length - 4 * CLUSTER);
            PreparingDevice.Prepared last = compressing.prepare(4 * CLUSTER, second);
            PreparingDevice.Prepared first = compressing.prepare(0, ByteBuffer.wrap(bytes, 0, 4 * CLUSTER));
            PreparingDevice.Prepared never = compressing.prepare(0, ByteBuffer.allocate(CLUSTER));
            assertThat(never).isNotNull();
            Contents.zeros(8 * CLUSTER).assertAll(image);

            first.write();
            long size = storage.size();
            last.write();

            assertThat(storage.size()).isGreaterThan(size);
            Contents.of(whole).assertAll(image);
        }

        assertWhole(storage.contents(), whole);
    }

    @Test
    void viewIsClosedByItselfAndWithItsImage() throws IOException {
        Path file = create(CreateOptions.builder(CLUSTER).clusterSize(CLUSTER));
        BlockDevice view;
        try (Qcow2Disk image = open(file)) {
            BlockDevice closed = image.compressing();
            closed.close();
            assertThatThrownBy(() -> closed.write(0, ByteBuffer.allocate(CLUSTER), Durability.NONE))
                    .isInstanceOf(ClosedChannelException.class);
            BlockDevice open = image.compressing();
            open.write(0, ByteBuffer.allocate(CLUSTER), Durability.NONE);
            assertThatThrownBy(() -> open.write(1, ByteBuffer.allocate(CLUSTER), Durability.NONE))
                    .isInstanceOf(IndexOutOfBoundsException.class);
            view = open;
        }
        assertThatThrownBy(() -> view.write(0, ByteBuffer.allocate(CLUSTER), Durability.NONE))
                .isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void imagesThatCannotHoldCompressedClustersAreRefused() throws IOException {
        Path file = create(CreateOptions.builder(1 << 20).dataFile("a.data", true));
        OpenOptions options =
                WRITABLE.toBuilder().references(ReferencePolicy.under(folder)).build();

        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(file, options)) {
            assertThatThrownBy(image::compressing)
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("external data file");
        }
        try (Qcow2Disk image = (Qcow2Disk)
                DiskImages.open(file, options.toBuilder().writable(false).build())) {
            assertThatThrownBy(image::compressing).isInstanceOf(ReadOnlyDeviceException.class);
        }
    }

    @ParameterizedTest
    @EnumSource(CreateOptions.CompressionType.class)
    void threadsWriteCompressedAndPlainAtOnce(CreateOptions.CompressionType type) throws Exception {
        int clusters = 400;
        Path file = create(CreateOptions.builder((long) clusters * CLUSTER)
                .clusterSize(CLUSTER)
                .compressionType(type));
        byte[] bytes = new byte[clusters * CLUSTER];
        int threads = 4;

        try (Qcow2Disk image = open(file)) {
            BlockDevice compressing = image.compressing();
            ExecutorService pool = Executors.newFixedThreadPool(threads);
            try {
                List<Future<Boolean>> all = new ArrayList<>();
                for (int thread = 0; thread < threads; thread++) {
                    int own = thread;
                    all.add(pool.submit(() -> {
                        Random random = new Random(own);
                        for (int i = 0; i < 600; i++) {
                            // clusters of one thread lie between those of others
                            int at = (random.nextInt(clusters / threads) * threads + own) * CLUSTER;
                            byte[] cluster = new byte[CLUSTER];
                            random.nextBytes(cluster);
                            Arrays.fill(cluster, random.nextInt(CLUSTER), CLUSTER, (byte) i);
                            System.arraycopy(cluster, 0, bytes, at, CLUSTER);
                            BlockDevice to = random.nextInt(3) == 0 ? image : compressing;
                            to.write(at, ByteBuffer.wrap(cluster), Durability.NONE);
                            if (random.nextInt(50) == 0) {
                                to.flush();
                            }
                            Contents.of(cluster).assertMatch(0, read(image, at + 7, CLUSTER - 7, cluster), "at " + at);
                        }
                        return true;
                    }));
                }
                for (Future<Boolean> one : all) {
                    assertThat(one.get()).isTrue();
                }
            } finally {
                pool.shutdownNow();
            }
            Contents.of(bytes).assertAll(image);
        }

        assertWhole(file, bytes);
    }

    /** Reads a part of a cluster, and puts what is expected in front of it. */
    private static ByteBuffer read(BlockDevice from, long at, int length, byte[] expected) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(expected.length);
        into.put(expected, 0, expected.length - length);
        from.read(at, into);
        return into;
    }

    @Test
    void imageIsWholeAfterAnyRequestFailed() throws IOException {
        byte[] start =
                image(CreateOptions.builder(40L * CLUSTER).clusterSize(CLUSTER).refcountBits(16));
        int failed = 0;
        for (int passing = 0; failed == passing; passing++) {
            CrashStorage storage = new CrashStorage("failing", start);
            byte[] bytes = new byte[40 * CLUSTER];
            boolean again = false;
            try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
                BlockDevice compressing = image.compressing();
                storage.failAfter(passing);
                try {
                    writeAll(compressing, bytes);
                } catch (BlockIOException e) {
                    failed++;
                    storage.failAfter(Long.MAX_VALUE);
                    assertConsistent(storage);
                    writeAll(compressing, bytes);
                    again = true;
                }
                storage.failAfter(Long.MAX_VALUE);
                Contents.of(bytes).assertAll(image);
                again = true;
            } catch (BlockIOException e) {
                // after a failed flush, nothing is written before the image is opened again
                assertThat(e).hasMessageContaining("opened again");
            }
            assertConsistent(storage);
            if (again) {
                assertWhole(storage.contents(), bytes);
            }
        }
        assertThat(failed).isGreaterThan(30);
    }

    private static void writeAll(BlockDevice compressing, byte[] bytes) throws IOException {
        Random random = new Random(5);
        for (int i = 0; i < 30; i++) {
            int at = random.nextInt(39) * CLUSTER;
            byte[] noise = new byte[random.nextInt(CLUSTER)];
            random.nextBytes(noise);
            Arrays.fill(bytes, at, at + 2 * CLUSTER, (byte) i);
            System.arraycopy(noise, 0, bytes, at, noise.length);
            compressing.write(at, ByteBuffer.wrap(bytes, at, 2 * CLUSTER), Durability.NONE);
            if (i % 10 == 9) {
                compressing.flush();
            }
        }
    }

    private static void assertConsistent(CrashStorage storage) throws IOException {
        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            assertThat(image.check(new CheckListener() {}).corruptions()).isZero();
        }
    }

    private void assertWhole(byte[] image, byte[] bytes) throws IOException {
        Path file = Files.createTempFile(folder, "image", ".qcow2");
        Files.write(file, image);
        assertWhole(file, bytes);
        Files.delete(file);
    }

    /** Asserts that we and qemu find nothing wrong with an image, and these bytes in it. */
    private void assertWhole(Path file, byte[] bytes) throws IOException {
        try (DiskImage image = DiskImages.open(file, OpenOptions.defaults())) {
            Contents.of(bytes).assertAll(image);
            assertThat(image.check(new CheckListener() {})).satisfies(report -> {
                assertThat(report.corruptions()).isZero();
                assertThat(report.leaks()).isZero();
            });
        }
        if (ReferenceTools.isInstalled("qemu-img")) {
            Path raw = Files.createTempFile(folder, "expected", ".raw");
            Files.write(raw, bytes);
            ReferenceTools.runOk("qemu-img", "check", "-f", "qcow2", file.toString());
            ReferenceTools.runOk("qemu-img", "compare", "-f", "raw", "-F", "qcow2", raw.toString(), file.toString());
            Files.delete(raw);
        }
    }

    private Path create(CreateOptions.Builder options) throws IOException {
        Path file = folder.resolve("a.qcow2");
        Qcow2.create(file, options.build());
        return file;
    }

    private static byte[] image(CreateOptions.Builder options) throws IOException {
        CrashStorage storage = new CrashStorage("new", new byte[0]);
        new NewImage(options.build()).write(storage);
        return storage.contents();
    }

    private static Qcow2Disk open(Path file) throws IOException {
        return (Qcow2Disk) DiskImages.open(file, WRITABLE);
    }
}
