package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Extents;
import dev.platter.core.ForwardingDevice;
import dev.platter.core.LimitExceededException;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import dev.platter.testkit.Contents;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.ForwardingStorage;
import dev.platter.testkit.RecordingStorage;
import dev.platter.testkit.RequestLog;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ClusterReaderTest {
    private static final int CLUSTER = 4096;
    private static final long FAR = 1L << 40;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(longs = {0x5200, 0x5001 << 9, 0x5201})
    void entryOfUnalignedClusterIsCorruptAndItsNeighboursStayReadable(long entry) throws IOException {
        Qcow2Builder made =
                new Qcow2Builder(3, 12, 3 * CLUSTER).data(0).entry(1, entry, 0).data(2);

        try (DiskImage image = made.open()) {
            assertCorrupt(image, CLUSTER + 5, "guest offset 4096");
            assertThat(read(image, 0, CLUSTER)).isEqualTo(TestBytes.of(0, CLUSTER));
            assertThat(read(image, 2 * CLUSTER, CLUSTER)).isEqualTo(TestBytes.of(2 * CLUSTER, CLUSTER));
            assertThat(Extents.at(image, CLUSTER).unreadable()).isTrue();
            assertThat(Extents.at(image, CLUSTER).length()).isEqualTo(CLUSTER);
        }
    }

    @Test
    void zeroFlagInVersionTwoIsCorrupt() throws IOException {
        try (DiskImage image = new Qcow2Builder(2, 12, CLUSTER).zero(0).open()) {
            assertCorrupt(image, 0, "guest offset 0");
        }
    }

    @Test
    void zeroFlagInExtendedEntryIsIgnored() throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 14, 1 << 14).extendedL2().data(0);
        byte[] file = made.build();
        int l2 = l2Offset(file);
        ByteBuffer.wrap(file).putLong(l2, ByteBuffer.wrap(file).getLong(l2) | 1);

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            Contents.testBytes(1 << 14).assertAll(image);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {0x1_0000_0001L, 0x8000_0000_8000_0000L, -1})
    void subclusterThatIsAllocatedAndZeroSpoilsItsWholeCluster(long bitmap) throws IOException {
        try (DiskImage image = new Qcow2Builder(3, 14, 1 << 14)
                .extendedL2()
                .subclusters(0, bitmap)
                .open()) {
            assertCorrupt(image, 8192, "guest offset 0");
        }
    }

    @Test
    void allocatedSubclusterWithoutSpaceIsCorrupt() throws IOException {
        try (DiskImage image =
                new Qcow2Builder(3, 14, 1 << 14).extendedL2().entry(0, 0, 2).open()) {
            assertCorrupt(image, 0, "guest offset 0");
        }
    }

    @Test
    void copiedFlagWithoutOffsetIsUnallocated() throws IOException {
        try (DiskImage image =
                new Qcow2Builder(3, 12, CLUSTER).entry(0, L2Entry.COPIED, 0).open()) {
            Contents.zeros(CLUSTER).assertAll(image);
            assertThat(Extents.at(image, 0).allocated()).isFalse();
        }
    }

    @Test
    void reservedBitsAreIgnoredAndWarnedOfOnce() throws IOException {
        byte[] file =
                new Qcow2Builder(3, 12, 4096L * CLUSTER).data(0, 1, 600, 1200).build();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        for (int index = 0; index < 3; index++) {
            int l1 = CLUSTER + 8 * index;
            bytes.putLong(l1, bytes.getLong(l1) | 1L << 56 | 1);
            int l2 = (int) L2Entry.offset(bytes.getLong(l1));
            bytes.putLong(l2, bytes.getLong(l2) | 1L << 58 | 2);
        }
        List<Warning> warnings = new ArrayList<>();

        try (DiskImage image = Qcow2Builder.open(
                file, OpenOptions.builder().onWarning(warnings::add).build())) {
            for (long cluster : new long[] {0, 1, 600, 1200}) {
                assertThat(read(image, cluster * CLUSTER, CLUSTER)).isEqualTo(TestBytes.of(cluster * CLUSTER, CLUSTER));
            }
        }

        assertThat(warnings).singleElement().asString().contains("test.qcow2: ", "reserved bits");
    }

    @Test
    void misalignedTableIsCorruptOverAllThatItMaps() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 1024L * CLUSTER).data(0, 512).build();
        ByteBuffer.wrap(file).putLong(CLUSTER, 0x2200);

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            assertCorrupt(image, 100, "L1 entry 0 (0x2200)", "8704", "not aligned to the cluster size 4096");
            Extent bad = Extents.at(image, 0);
            assertThat(bad.unreadable()).isTrue();
            assertThat(bad.length()).isEqualTo(512L * CLUSTER);
            assertThat(read(image, 512L * CLUSTER, CLUSTER)).isEqualTo(TestBytes.of(512L * CLUSTER, CLUSTER));
        }
    }

    @Test
    void tablesThatAliasEachOtherStopTheWalkOverExtents() throws Exception {
        byte[] file = aliasing();

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            long[] seen = {0};
            long allocated = CountingAllocation.of(() -> assertThatThrownBy(
                            () -> image.extents(0, image.size(), (offset, length, facts, depth, below, belowOffset) -> {
                                seen[0]++;
                                return true;
                            }))
                    .isInstanceOf(LimitExceededException.class)
                    .hasMessageContaining("alias"));

            // the walk may load 16 MiB and 4 times the file; an entry of 8 bytes makes one extent
            assertThat(seen[0]).isBetween(1L, ((16L << 20) + 4L * file.length) / 8);
            assertThat(allocated).isLessThan(512L << 20);
            assertThat(read(image, image.size() - 512, 512)).isEqualTo(TestBytes.of(63 * 512, 512));
        }
    }

    @Test
    void exabytesWithoutTablesAreOneExtent() throws IOException {
        long size = 1L << 61;
        byte[] file = new Qcow2Builder(3, 21, size).build();

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            Extent whole = Extents.at(image, 0);

            assertThat(image.size()).isEqualTo(size);
            assertThat(whole.length()).isEqualTo(size);
            assertThat(whole.readsAsZero()).isTrue();
            assertThat(read(image, size - 3, 3)).containsOnly(0);
            assertThat(read(image, size - 4096, 4096)).containsOnly(0);
        }
    }

    @Test
    void lastClusterOfTwoExbibytesIsReadAndReported() throws IOException {
        long size = 1L << 61;
        long last = (size >>> 21) - 1;
        byte[] file = new Qcow2Builder(3, 21, size).entry(last, 2L << 21, 0).build();

        try (DiskImage image = Qcow2Builder.open(file, OpenOptions.defaults())) {
            List<Extent> extents = new ArrayList<>();
            Extents.forEach(image, 0, size, extent -> extents.add(extent));

            assertThat(extents).extracting(Extent::offset).containsExactly(0L, last << 21);
            assertThat(extents.get(1).end()).isEqualTo(size);
            assertThat(read(image, size - 8, 8)).isNotNull();
        }
    }

    @Test
    void compressedClusterOfEncryptedImageIsRefused() throws IOException {
        try (DiskImage image =
                new Qcow2Builder(3, 12, CLUSTER).encrypted(1).compressed(0).open()) {
            assertThatThrownBy(() -> read(image, 0, CLUSTER)).isInstanceOf(UnsupportedFeatureException.class);
            assertThat(Extents.at(image, 0).unreadable()).isTrue();
        }
    }

    @Test
    void onlySubclustersOfDataNeedTheFileTheyLieIn() throws IOException {
        int cluster = 1 << 14;
        Qcow2Builder made = new Qcow2Builder(3, 14, 2L * cluster)
                .extendedL2()
                .entry(0, FAR, 0x2_0000_0001L)
                .entry(1, FAR, 0);

        try (DiskImage image = made.open()) {
            assertCorrupt(image, 0, "data cluster at " + FAR, "truncated");
            assertThat(read(image, 512, 2 * cluster - 512)).containsOnly(0);
            assertThat(Extents.at(image, 0).unreadable()).isTrue();
            assertThat(Extents.at(image, 0).length()).isEqualTo(512);
            assertThat(Extents.at(image, 512).readsAsZero()).isTrue();
        }
    }

    @Test
    void subclustersWithoutSpaceHaveNoneInTheDataFileEither() throws IOException {
        int cluster = 1 << 14;
        Files.write(folder.resolve("data.raw"), TestBytes.of(0, 3 * cluster));
        byte[] file = new Qcow2Builder(3, 14, 3L * cluster)
                .extendedL2()
                .dataFile("data.raw")
                .data(0)
                .bareSubclusters(1, 0xffffL)
                .subclusters(2, 1)
                .build();
        Path path = Files.write(folder.resolve("test.qcow2"), file);
        OpenOptions options =
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build();

        try (DiskImage image = DiskImages.open(path, options)) {
            assertThat(read(image, 0, cluster)).isEqualTo(TestBytes.of(0, cluster));
            assertThat(read(image, 2L * cluster, 512)).isEqualTo(TestBytes.of(2L * cluster, 512));
            assertThat(read(image, cluster, cluster)).containsOnly(0);
            assertThat(Extents.at(image, 0).belowOffset()).isZero();
            assertThat(Extents.at(image, cluster).below()).isNull();
            assertThat(Extents.at(image, cluster + cluster / 2).below()).isNull();
            assertThat(Extents.at(image, 2L * cluster).belowOffset()).isEqualTo(2L * cluster);
        }
    }

    @Test
    void fileIsAskedForItsSizeOnceForATableOfMissingClusters() throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 12, 512 * CLUSTER);
        for (int i = 0; i < 512; i++) {
            made.entry(i, FAR, 0);
        }
        int[] asked = {0};
        Storage storage = new ForwardingStorage(Qcow2Builder.storage(made.build())) {
            @Override
            public long size() throws IOException {
                asked[0]++;
                return super.size();
            }
        };

        try (DiskImage image = DiskImages.open(storage, OpenOptions.defaults())) {
            int before = asked[0];
            assertThat(Extents.at(image, 0).unreadable()).isTrue();
            assertThat(asked[0]).isEqualTo(before + 1);
        }
    }

    @Test
    void adjacentClustersAreReadInOneRequest() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 16 * CLUSTER)
                .data(0, 1, 2, 3, 4, 5, 6, 7)
                .build();
        RecordingStorage storage = new RecordingStorage(Qcow2Builder.storage(file));

        try (DiskImage image = DiskImages.open(storage, OpenOptions.defaults())) {
            read(image, 0, 1);
            int before = storage.log().count(RequestLog.Kind.READ);
            assertThat(read(image, 100, 7 * CLUSTER)).isEqualTo(TestBytes.of(100, 7 * CLUSTER));
            assertThat(storage.log().count(RequestLog.Kind.READ)).isEqualTo(before + 1);
        }
    }

    @Test
    void tablesAreReadOnceEach() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 16 * CLUSTER).data(0, 3).build();
        RecordingStorage storage = new RecordingStorage(Qcow2Builder.storage(file));

        try (DiskImage image = DiskImages.open(storage, OpenOptions.defaults())) {
            read(image, 0, 1);
            int before = storage.log().count(RequestLog.Kind.READ);
            for (int i = 0; i < 100; i++) {
                read(image, 5 * CLUSTER + i, 7);
            }
            assertThat(storage.log().count(RequestLog.Kind.READ)).isEqualTo(before);
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {Qcow2Header.CRYPT_AES, Qcow2Header.CRYPT_LUKS})
    void encryptedDataAreRefusedByNameWhereTheyAreRead(long method) throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 12, 2 * CLUSTER).encrypted(method);
        if (method == Qcow2Header.CRYPT_LUKS) {
            made.extension(0x0537be77, new byte[16]);
        }

        try (DiskImage image = made.data(0).open()) {
            assertThatThrownBy(() -> read(image, 7, 1))
                    .isInstanceOf(UnsupportedFeatureException.class)
                    .hasMessageContaining(method == Qcow2Header.CRYPT_LUKS ? "LUKS" : "AES");
            assertThat(read(image, CLUSTER, CLUSTER)).containsOnly(0);
            assertThat(image.info().encrypted()).isTrue();
            assertThat(image.warnings()).singleElement().asString().contains("encrypted");
            Extent extent = Extents.at(image, 0);
            assertThat(extent.unreadable()).isTrue();
            assertThat(extent.facts() & Extent.ENCRYPTED).isNotZero();
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1L << 61, 1L << 62, Long.MAX_VALUE})
    void imageOnDeviceOfAnySizeIsRead(long deviceSize) throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 1L << 37).data(0).entry(1, FAR, 0).build();
        BlockDevice huge = BlockDevices.concat(
                "huge",
                List.of(
                        BlockDevices.ofBytes("test.qcow2", ByteBuffer.wrap(file)),
                        new EndlessZeros(deviceSize - file.length)));

        try (DiskImage image = DiskImages.open(Storages.of(huge), OpenOptions.defaults())) {
            List<Extent> extents = new ArrayList<>();
            Extents.forEach(image, 0, image.size(), extent -> extents.add(extent));

            assertThat(read(image, 0, CLUSTER)).isEqualTo(TestBytes.of(0, CLUSTER));
            assertThat(read(image, CLUSTER, CLUSTER)).containsOnly(0);
            for (Extent extent : extents) {
                List<Extent> parts = new ArrayList<>();
                Extents.resolve(extent, part -> parts.add(part));
                assertThat(parts).isNotEmpty();
                assertThat(extent.below() == null ? 0 : extent.below().size()).isNotNegative();
            }
        }
    }

    /** Zeros without memory. */
    private static final class EndlessZeros extends ForwardingDevice {
        private final long size;

        EndlessZeros(long size) {
            super(BlockDevices.ofBytes("zeros", ByteBuffer.allocate(0)));
            this.size = size;
        }

        @Override
        public long size() {
            return size;
        }

        @Override
        public void read(long offset, ByteBuffer into) {
            HostFile.fillZeros(into, into.remaining());
        }

        @Override
        public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
            visitor.extent(offset, length, Extent.READS_AS_ZERO, 0, null, -1);
        }
    }

    /** An image of 512-byte clusters with 4 Mi L1 entries that all lead to the one table; every second cluster is data. */
    private static byte[] aliasing() {
        int tables = 4 << 20;
        Qcow2Builder made = new Qcow2Builder(3, 9, tables * 64L * 512);
        for (int i = 1; i < 64; i += 2) {
            made.data(i);
        }
        byte[] file = made.build();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        long first = bytes.getLong(512);
        for (int i = 0; i < tables; i++) {
            bytes.putLong(512 + 8 * i, first);
        }
        return file;
    }

    private static int l2Offset(byte[] file) {
        ByteBuffer bytes = ByteBuffer.wrap(file);
        return (int) L2Entry.offset(bytes.getLong((int) bytes.getLong(40)));
    }

    private static byte[] read(BlockDevice device, long offset, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        device.read(offset, into);
        return into.array();
    }

    private static void assertCorrupt(DiskImage image, long offset, String... parts) {
        assertThatThrownBy(() -> read(image, offset, 1))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageStartingWith("test.qcow2: ")
                .message()
                .contains(parts);
    }
}
