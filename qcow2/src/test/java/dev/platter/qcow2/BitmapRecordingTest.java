package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.Warning;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What persistent bitmaps record, and what they say after they were changed. */
final class BitmapRecordingTest {
    private static final int CLUSTER = 4096;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    private final CrashStorage storage = new CrashStorage("disk.qcow2", newImage());

    private static byte[] newImage() {
        try {
            CrashStorage made = new CrashStorage("new", new byte[0]);
            new NewImage(CreateOptions.builder(64 * CLUSTER + 512)
                            .clusterSize(CLUSTER)
                            .build())
                    .write(made);
            return made.contents();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void writesZeroesAndDiscardsAreRecorded() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", 512, true);
            write(disk, 1024, 512);
            disk.writeZeroes(8 * CLUSTER, CLUSTER, ZeroMode.MAY_UNMAP, Durability.NONE);
            write(disk, 20 * CLUSTER, CLUSTER);
            disk.clearBitmap("b");
            write(disk, 1024, 1024);
            disk.discard(20 * CLUSTER, CLUSTER);
            write(disk, 64 * CLUSTER, 512);

            assertThat(dirty(disk, "b")).containsExactly("1024+1024", "81920+4096", "262144+512");
        }

        assertThat(dirty("b")).containsExactly("1024+1024", "81920+4096", "262144+512");
        assertThat(check().corruptions() + check().leaks()).isZero();
    }

    @Test
    void disabledBitmapKeepsWhatItHas() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", CLUSTER, true);
            write(disk, 0, 512);
            disk.disableBitmap("b");
            write(disk, CLUSTER, 512);
        }
        assertThat(dirty("b")).containsExactly("0+4096");

        try (Qcow2Disk disk = open()) {
            disk.enableBitmap("b");
            write(disk, 2 * CLUSTER, 512);
        }
        assertThat(dirty("b")).containsExactly("0+4096", "8192+4096");
        assertThat(bitmaps()).containsExactly(new BitmapInfo("b", CLUSTER, false, true));
    }

    @Test
    void bitmapIsInUseFromTheFirstChangeUntilTheImageIsClosed() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", CLUSTER, true);
        }
        byte[] before = storage.contents();
        try (Qcow2Disk disk = open()) {
            disk.read(0, ByteBuffer.allocate(512));
            assertThat(storage.contents()).isEqualTo(before);
            write(disk, 0, 512);

            try (DiskImage crashed = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
                assertThat(crashed.bitmaps()).containsExactly(new BitmapInfo("b", CLUSTER, true, true));
            }
            assertThat(disk.bitmaps()).containsExactly(new BitmapInfo("b", CLUSTER, false, true));
        }
        assertThat(bitmaps()).containsExactly(new BitmapInfo("b", CLUSTER, false, true));
    }

    @Test
    void imageThatIsOnlyReadKeepsItsBytes() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", CLUSTER, true);
        }
        byte[] before = storage.contents();

        open().close();

        assertThat(storage.contents()).isEqualTo(before);
    }

    @Test
    void bitmapsOfOtherGranularityAreMergedIntoWhatTheyTouch() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("fine", 512, true);
            disk.addBitmap("coarse", 2 * CLUSTER, false);
            write(disk, CLUSTER + 512, 512);
            disk.mergeBitmap("coarse", disk, "fine");
        }

        assertThat(dirty("coarse")).containsExactly("0+8192");
    }

    @Test
    void bitmapsOfAnotherSizeAreNotMerged() throws IOException {
        try (Qcow2Disk disk = open();
                DiskImage other = new Qcow2Builder(3, 12, CLUSTER)
                        .bitmap("b", 12, 0, (byte) 1)
                        .open()) {
            disk.addBitmap("b", CLUSTER, true);

            assertThatThrownBy(() -> disk.mergeBitmap("b", other, "b"))
                    .isInstanceOf(DiskImageException.class)
                    .hasMessageContaining("a disk of 4096 bytes, this one has 262656");
        }
    }

    @Test
    void removedBitmapLeavesNoClusters() throws IOException {
        try (Qcow2Disk disk = open()) {
            write(disk, 0, CLUSTER);
            disk.addBitmap("a", 512, true);
            disk.addBitmap("b", 512, true);
            write(disk, CLUSTER, CLUSTER);
            disk.removeBitmap("a");

            assertThatThrownBy(() -> disk.removeBitmap("a")).hasMessageContaining("there is no bitmap \"a\"");
        }
        assertThat(dirty("b")).containsExactly("4096+4096");
        try (Qcow2Disk disk = open()) {
            disk.removeBitmap("b");
        }

        assertThat(bitmaps()).isEmpty();
        assertThat(check().leaks()).isZero();
        Qcow2Header header = Qcow2Header.read(storage);
        assertThat(header.extensions().bitmaps()).isNull();
        assertThat(header.autoclearFeatures()).isZero();
    }

    @Test
    void bitmapInUseCanOnlyBeRemoved() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 * CLUSTER)
                .bitmap("b", 12, Bitmap.FLAG_IN_USE | Bitmap.FLAG_AUTO, (byte) 1)
                .build();
        CrashStorage lost = new CrashStorage("lost.qcow2", image);
        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(lost, WRITABLE)) {
            write(disk, 0, 512);
            assertThatThrownBy(() -> disk.clearBitmap("b")).hasMessageContaining("is in use");
            assertThatThrownBy(() -> disk.enableBitmap("b")).hasMessageContaining("is in use");
            assertThatThrownBy(() -> Qcow2.resize(disk, 16 * CLUSTER, false)).hasMessageContaining("remove it before");
        }
        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(lost, WRITABLE)) {
            assertThat(disk.bitmaps()).containsExactly(new BitmapInfo("b", CLUSTER, true, true));
            disk.removeBitmap("b");
            assertThat(disk.check(new CheckListener() {}).leaks()).isZero();
        }
    }

    @Test
    void damagedBitmapRecordsNothingAndStaysInUse() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 * CLUSTER)
                .bitmapTable("b", 12, Bitmap.FLAG_AUTO, 0, 0)
                .build();
        List<Warning> warnings = new ArrayList<>();
        CrashStorage damaged = new CrashStorage("damaged.qcow2", image);
        OpenOptions options = WRITABLE.toBuilder().onWarning(warnings::add).build();

        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(damaged, options)) {
            write(disk, 0, 512);
        }

        assertThat(warnings)
                .anySatisfy(warning ->
                        assertThat(warning.text()).contains("has 2 entries, the disk needs 1", "out of date"));
        try (DiskImage after = Qcow2Builder.open(damaged.contents(), OpenOptions.defaults())) {
            assertThat(after.bitmaps()).containsExactly(new BitmapInfo("b", CLUSTER, true, true));
        }
    }

    @Test
    void namesAndGranularitiesThatCannotBeAreRefused() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", 512, true);
            for (long granularity : new long[] {0, 256, 513, 1L << 32}) {
                assertRefused(disk, "x", granularity, "power of two from 512 to 2 GiB");
            }
            assertRefused(disk, "b", 512, "there is a bitmap \"b\" already");
            assertRefused(disk, "", 512, "1 to 1023 bytes");
            assertRefused(disk, "n".repeat(1024), 512, "1 to 1023 bytes");
        }
        CrashStorage old = new CrashStorage("old.qcow2", new Qcow2Builder(2, 12, CLUSTER).build());
        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(old, WRITABLE)) {
            assertRefused(disk, "b", 512, "version 2");
        }
    }

    private static void assertRefused(Qcow2Disk disk, String name, long granularity, String why) {
        assertThatThrownBy(() -> disk.addBitmap(name, granularity, true))
                .isInstanceOfSatisfying(
                        BlockIOException.class,
                        e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED))
                .hasMessageContaining(why);
    }

    @ParameterizedTest
    @ValueSource(ints = {512, CLUSTER})
    void bitmapGrowsWithTheDiskAndSaysThatTheNewPartChanged(int granularity) throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("on", granularity, true);
            disk.addBitmap("off", granularity, true);
            write(disk, 64 * CLUSTER, 512);
            disk.disableBitmap("off");
        }

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, 1024 * CLUSTER, false);
        }

        assertThat(dirty("on")).containsExactly("262144+3932160");
        assertThat(dirty("off")).containsExactly("262144+" + granularity);
        assertThat(check().corruptions() + check().leaks()).isZero();
    }

    @Test
    void severalBitmapsGrowWithTheDisk() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("a", 512, true);
            disk.addBitmap("b", 512, true);
        }

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, 40 << 20, false);
        }

        assertThat(dirty("a")).containsExactly("262656+41680384");
        assertThat(dirty("b")).isEqualTo(dirty("a"));
    }

    @Test
    void bitsBehindTheEndOfAShrunkDiskDoNotComeToLight() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", 512, true);
            disk.writeZeroes(0, 64 * CLUSTER, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
            disk.disableBitmap("b");
        }
        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, CLUSTER + 512, true);
        }
        assertThat(dirty("b")).containsExactly("0+4608");

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, 64 * CLUSTER, false);
        }

        assertThat(dirty("b")).containsExactly("0+4608");
    }

    @Test
    void appliedSnapshotChangesTheWholeDisk() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.createSnapshot("s");
            disk.addBitmap("b", CLUSTER, true);
            disk.applySnapshot("s");
        }

        assertThat(dirty("b")).containsExactly("0+262656");
    }

    @Test
    void bitmapGetsTheSizeOfAnAppliedSnapshot() throws IOException {
        try (Qcow2Disk disk = open()) {
            write(disk, 0, 512);
            disk.createSnapshot("s");
        }
        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            Qcow2.resize(image, 100 * CLUSTER, false);
        }
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("on", 512, true);
            disk.addBitmap("off", 512, false);
            write(disk, 90 * CLUSTER, 512);
        }

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            ((Qcow2Image) image).applyAndClose("s");
        }

        assertThat(dirty("on")).containsExactly("0+262656");
        assertThat(dirty("off")).isEmpty();
        assertThat(check().corruptions() + check().leaks()).isZero();
    }

    @Test
    void compressedWritesAreRecorded() throws IOException {
        try (Qcow2Disk disk = open()) {
            disk.addBitmap("b", 512, true);
            disk.compressing().write(CLUSTER, ByteBuffer.allocate(CLUSTER), Durability.NONE);
        }

        assertThat(dirty("b")).containsExactly("4096+4096");
    }

    @Test
    void nameOfTheBackingFileStaysWhenBitmapsAreAdded() throws IOException {
        for (int clusterSize : new int[] {512, 1024, 65536}) {
            CrashStorage made = new CrashStorage("top.qcow2", new byte[0]);
            new NewImage(CreateOptions.builder(1 << 20)
                            .clusterSize(clusterSize)
                            .backing("base.raw", "raw")
                            .build())
                    .write(made);
            CrashStorage plain = new CrashStorage("top.qcow2", made.contents());
            HeaderRewrite rewrite = new HeaderRewrite(plain);

            ByteBuffer sector = rewrite.withBitmaps(new HeaderExtensions.BitmapDirectoryLocation(1, 32, 1 << 20));
            plain.write(0, sector.flip());

            Qcow2Header header = Qcow2Header.read(plain);
            assertThat(header.backingFile()).isEqualTo("base.raw");
            assertThat(header.extensions().backingFormat()).isEqualTo("raw");
            assertThat(header.extensions().bitmaps())
                    .isEqualTo(new HeaderExtensions.BitmapDirectoryLocation(1, 32, 1 << 20));
        }
    }

    @Test
    void nothingThatManyThreadsWriteIsMissed() throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4);
        try (Qcow2Disk disk = open()) {
            disk.writeZeroes(0, disk.size(), ZeroMode.KEEP_ALLOCATION, Durability.NONE);
            disk.addBitmap("b", 512, true);
            List<Future<?>> running = new ArrayList<>();
            for (int k = 0; k < 4; k++) {
                int first = k;
                running.add(threads.submit(() -> {
                    for (int sector = first; sector < 256; sector += 8) {
                        write(disk, sector * 512L, 512);
                        if (sector % 32 == 0) {
                            disk.mergeBitmap("b", disk, "b");
                        }
                    }
                    return null;
                }));
            }
            for (Future<?> one : running) {
                one.get();
            }
        } finally {
            threads.shutdownNow();
        }

        List<String> expected = new ArrayList<>();
        for (int sector = 0; sector < 256; sector += 8) {
            expected.add(sector * 512 + "+2048");
        }
        assertThat(dirty("b")).isEqualTo(expected);
    }

    private Qcow2Disk open() throws IOException {
        return (Qcow2Disk) DiskImages.open(storage, WRITABLE);
    }

    private static void write(DiskImage disk, long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        Arrays.fill(bytes, (byte) 0x5a);
        disk.write(offset, ByteBuffer.wrap(bytes), Durability.NONE);
    }

    private List<BitmapInfo> bitmaps() throws IOException {
        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            return image.bitmaps();
        }
    }

    private CheckReport check() throws IOException {
        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            return image.check(new CheckListener() {});
        }
    }

    private List<String> dirty(String bitmap) throws IOException {
        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            return dirty(image, bitmap);
        }
    }

    private static List<String> dirty(DiskImage image, String bitmap) throws IOException {
        List<String> ranges = new ArrayList<>();
        image.dirtyRanges(bitmap, (offset, length) -> ranges.add(offset + "+" + length));
        return ranges;
    }
}
