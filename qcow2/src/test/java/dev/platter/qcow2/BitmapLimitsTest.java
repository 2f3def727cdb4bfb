package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** How many bitmaps record at once, and how many bits they have together. */
final class BitmapLimitsTest {
    private static final int CLUSTER = 4096;
    private static final int MOST = 256;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @Test
    void asManyBitmapsRecordAsTheLimitSays() throws IOException {
        CrashStorage storage = new CrashStorage("many.qcow2", withBitmaps(MOST, Bitmap.FLAG_AUTO));

        try (Qcow2Disk disk = open(storage)) {
            assertRefused(() -> disk.addBitmap("more", 512, true), "more than 256 bitmaps");
            disk.addBitmap("other", CLUSTER, false);
            assertRefused(() -> disk.enableBitmap("other"), "more than 256 bitmaps");
            disk.disableBitmap("b7");
            disk.enableBitmap("other");
            disk.write(CLUSTER, ByteBuffer.allocate(512), Durability.NONE);
        }

        try (DiskImage after = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            assertThat(dirty(after, "b0")).containsExactly("4096+4096");
            assertThat(dirty(after, "b255")).containsExactly("4096+4096");
            assertThat(dirty(after, "other")).containsExactly("4096+4096");
            assertThat(dirty(after, "b7")).isEmpty();
            CheckReport report = after.check(CheckOutcome.SILENT);
            assertThat(report.corruptions() + report.leaks())
                    .as(report::toString)
                    .isZero();
        }
    }

    @Test
    void imageOfWhichMoreAreEnabledIsOnlyRead() throws IOException {
        byte[] image = withBitmaps(MOST + 1, Bitmap.FLAG_AUTO);
        CrashStorage storage = new CrashStorage("many.qcow2", image);

        assertThatThrownBy(() -> open(storage))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("257 bitmaps are enabled, up to 256 can record");

        assertThat(storage.contents()).isEqualTo(image);
        try (DiskImage read = Qcow2Builder.open(image, OpenOptions.defaults())) {
            assertThat(read.bitmaps()).hasSize(MOST + 1);
        }
    }

    @ParameterizedTest
    @ValueSource(ints = {0, Bitmap.FLAG_IN_USE, Bitmap.FLAG_IN_USE | Bitmap.FLAG_AUTO})
    void bitmapsThatDoNotRecordAreNotCounted(int flags) throws IOException {
        CrashStorage storage = new CrashStorage("many.qcow2", withBitmaps(MOST + 1, flags));

        try (Qcow2Disk disk = open(storage)) {
            disk.addBitmap("one", 512, true);
            assertThat(disk.bitmaps()).hasSize(MOST + 2);
        }
    }

    @Test
    void bitsOfAllThatRecordAreLimited() throws IOException {
        CrashStorage storage = large(2L << 40);

        try (Qcow2Disk disk = open(storage)) {
            for (int i = 0; i < 16; i++) {
                disk.addBitmap("b" + i, 512, true);
            }
            assertRefused(() -> disk.addBitmap("more", 512, true), "bits, up to 68719476736 can record");
            assertRefused(() -> disk.addBitmap("more", 1 << 30, true), "choose a coarser granularity");
            disk.addBitmap("off", 512, false);
            assertRefused(() -> disk.enableBitmap("off"), "disable bitmaps");
        }

        open(storage).close();
        enable(storage, "off");
        byte[] enabled = storage.contents();
        assertThatThrownBy(() -> open(storage))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("73014444032 bits")
                .hasMessageContaining("can be read, but not written");
        assertThat(storage.contents()).isEqualTo(enabled);
    }

    @Test
    void diskDoesNotGrowBeyondWhatItsBitmapsCanRecord() throws IOException {
        CrashStorage storage = large(1L << 40);
        try (Qcow2Disk disk = open(storage)) {
            for (int i = 0; i < 17; i++) {
                disk.addBitmap("b" + i, 512, true);
            }
        }
        byte[] before = storage.contents();

        assertRefused(
                () -> {
                    try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
                        Qcow2.resize(image, 2L << 40, false);
                    }
                },
                "its enabled bitmaps would have 73014444032 bits");

        assertThat(storage.contents()).isEqualTo(before);
    }

    /** A directory that is longer could not be read when the image is opened again. */
    @Test
    void directoryDoesNotOutgrowWhatIsRead() throws IOException {
        OpenOptions limited = WRITABLE.toBuilder()
                .limits(Limits.defaults().withMetadataBytes(CLUSTER))
                .build();
        CrashStorage storage = new CrashStorage("long.qcow2", withBitmaps(1, 0));

        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, limited)) {
            for (int i = 0; i < 3; i++) {
                disk.addBitmap(i + "x".repeat(999), 512, true);
            }
            assertRefused(() -> disk.addBitmap("y".repeat(1000), 512, false), "the limit is 4096");
            disk.addBitmap("z".repeat(900), 512, false);
        }

        try (DiskImage image = DiskImages.open(storage, limited)) {
            assertThat(image.bitmaps()).hasSize(5);
        }
    }

    private static byte[] withBitmaps(int count, int flags) {
        Qcow2Builder image = new Qcow2Builder(3, 12, 8 * CLUSTER);
        for (int i = 0; i < count; i++) {
            image.bitmapTable("b" + i, 12, flags, 0);
        }
        return image.build();
    }

    private static CrashStorage large(long size) throws IOException {
        CrashStorage storage = new CrashStorage("large.qcow2", new byte[0]);
        new NewImage(CreateOptions.builder(size).build()).write(storage);
        return storage;
    }

    private static void enable(CrashStorage storage, String name) throws IOException {
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), OpenOptions.defaults());
        for (Bitmap bitmap : Qcow2Check.readBitmaps(
                List.of(), header, file, OpenOptions.defaults().limits())) {
            if (bitmap.info().name().equals(name)) {
                storage.write(
                        bitmap.entryOffset() + 12,
                        ByteBuffer.allocate(4).putInt(Bitmap.FLAG_AUTO).flip());
            }
        }
    }

    private static Qcow2Disk open(CrashStorage storage) throws IOException {
        return (Qcow2Disk) DiskImages.open(storage, WRITABLE);
    }

    private static void assertRefused(ThrowingCallable call, String why) {
        assertThatThrownBy(call)
                .isInstanceOfSatisfying(
                        BlockIOException.class,
                        e -> assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED))
                .hasMessageContaining(why);
    }

    private static List<String> dirty(DiskImage image, String bitmap) throws IOException {
        List<String> ranges = new ArrayList<>();
        image.dirtyRanges(bitmap, (offset, length) -> ranges.add(offset + "+" + length));
        return ranges;
    }
}
