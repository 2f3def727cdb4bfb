package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.LimitExceededException;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ReferenceRefusedException;
import dev.platter.core.Storages;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.testkit.CrashStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** An image that was not closed properly gets right refcounts when it is opened for writing, but not if it is refused. */
final class DirtyOpeningTest {
    private static final int CLUSTER = 4096;
    private static final int L1_TABLE = CLUSTER;

    /** Where the extension says it, as the only one of the header. */
    private static final int BITMAP_DIRECTORY = 136;

    private static final int IN_USE = Bitmap.FLAG_IN_USE | Bitmap.FLAG_AUTO;

    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    static Stream<Arguments> refusals() {
        return Stream.of(
                refused("corrupt", CorruptImageException.class, "marked as corrupt", image().incompatible(2), b -> {}),
                refused(
                        "unknown feature",
                        UnsupportedFeatureException.class,
                        "unknown incompatible features, the image cannot be read without them: bit 5",
                        image(),
                        b -> markIncompatible(b, 5)),
                refused(
                        "corrupt, unknown feature",
                        UnsupportedFeatureException.class,
                        "cannot be read without them: bit 40",
                        image().incompatible(2),
                        b -> markIncompatible(b, 40)),
                refused(
                        "corrupt, encrypted",
                        CorruptImageException.class,
                        "marked as corrupt",
                        image().incompatible(2).encrypted(1),
                        b -> {}),
                refused(
                        "corrupt, bitmap in use",
                        CorruptImageException.class,
                        "marked as corrupt",
                        image().incompatible(2).bitmap("b", 12, IN_USE, (byte) 1),
                        b -> {}),
                refused(
                        "unknown feature, bitmap in use",
                        UnsupportedFeatureException.class,
                        "cannot be read without them: bit 5",
                        image().bitmap("b", 12, IN_USE, (byte) 1),
                        b -> markIncompatible(b, 5)),
                refused(
                        "bitmap in use, tables in one place",
                        CorruptImageException.class,
                        "an L2 table and the L1 table both lie at 4096",
                        image().bitmap("b", 12, IN_USE, (byte) 1),
                        b -> b.putLong(L1_TABLE, L1_TABLE | L2Entry.COPIED)),
                refused(
                        "bitmap in use, whose table is nowhere",
                        CorruptImageException.class,
                        "bitmap \"b\" (entry at",
                        image().bitmap("b", 12, IN_USE, (byte) 1),
                        b -> b.putLong((int) b.getLong(BITMAP_DIRECTORY), 512)),
                refused("encrypted", UnsupportedFeatureException.class, "encrypted", image().encrypted(1), b -> {}),
                refused(
                        "backing",
                        ReferenceRefusedException.class,
                        "base.raw",
                        image().backing("base.raw", "raw"),
                        b -> {}),
                refused("data file", ReferenceRefusedException.class, "a.data", image().dataFile("a.data"), b -> {}),
                refused(
                        "snapshots",
                        CorruptImageException.class,
                        "snapshot table",
                        image().snapshot("1", "s", 8 * CLUSTER),
                        b -> b.putLong(64, 1 << 20)),
                refused(
                        "bitmaps",
                        CorruptImageException.class,
                        "unknown bitmap type",
                        image().bitmap("b", 12, 0, (byte) 1),
                        b -> b.put((int) b.getLong(BITMAP_DIRECTORY) + 16, (byte) 9)),
                refused(
                        "tables in one place",
                        CorruptImageException.class,
                        "an L2 table and an L2 table both lie at",
                        new Qcow2Builder(3, 12, 1024L * CLUSTER).data(0, 600),
                        b -> b.putLong(L1_TABLE + 8, b.getLong(L1_TABLE))),
                refused(
                        "table in the L1 table",
                        CorruptImageException.class,
                        "an L2 table and the L1 table both lie at 4096",
                        image(),
                        b -> b.putLong(L1_TABLE, L1_TABLE | L2Entry.COPIED)),
                refused(
                        "unaligned table",
                        CorruptImageException.class,
                        "L1 entry 0",
                        image(),
                        b -> b.putLong(L1_TABLE, 512 | L2Entry.COPIED)),
                refused("many bitmaps", LimitExceededException.class, "257 bitmaps", manyBitmaps(), b -> {}));
    }

    private static Qcow2Builder image() {
        return new Qcow2Builder(3, 12, 64 * CLUSTER);
    }

    private static void markIncompatible(ByteBuffer image, int bit) {
        image.putLong(72, image.getLong(72) | 1L << bit);
    }

    private static Qcow2Builder manyBitmaps() {
        Qcow2Builder image = image();
        for (int i = 0; i < 257; i++) {
            image.bitmapTable("b" + i, 12, Bitmap.FLAG_AUTO, 0);
        }
        return image;
    }

    private static Arguments refused(
            String name,
            Class<? extends IOException> type,
            String why,
            Qcow2Builder image,
            Consumer<ByteBuffer> damage) {
        return Arguments.of(name, type, why, image, damage);
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("refusals")
    void refusedImageStaysAsItIs(
            String name, Class<? extends IOException> type, String why, Qcow2Builder image, Consumer<ByteBuffer> damage)
            throws IOException {
        byte[] bytes = image.data(0, 5).incompatible(Qcow2Header.INCOMPAT_DIRTY).build();
        RepairTest.damageRefcounts(bytes, new Random(3));
        damage.accept(ByteBuffer.wrap(bytes));
        CrashStorage storage = new CrashStorage("dirty.qcow2", bytes);

        assertThatThrownBy(() -> DiskImages.open(storage, WRITABLE))
                .isInstanceOf(type)
                .hasMessageContaining(why);

        assertThat(storage.contents()).isEqualTo(bytes);
        assertThat(storage.moment()).as("requests").isZero();
    }

    /** They miss writes, and say so still: they are no reason to refuse the image. */
    @Test
    void bitmapsInUseStayInUse() throws IOException {
        byte[] bytes = image().data(0, 5)
                .bitmap("b", 12, IN_USE, (byte) 1)
                .incompatible(Qcow2Header.INCOMPAT_DIRTY)
                .build();
        RepairTest.damageRefcounts(bytes, new Random(3));
        CrashStorage storage = new CrashStorage("dirty.qcow2", bytes);

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            image.write(0, ByteBuffer.allocate(CLUSTER), Durability.NONE);
        }

        try (DiskImage after = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            assertThat(after.info().dirty()).isFalse();
            assertThat(after.bitmaps()).hasSize(1).allMatch(BitmapInfo::inUse);
            assertThat(after.check(CheckOutcome.SILENT).corruptions()).isZero();
        }
    }

    @ParameterizedTest
    @EnumSource(Qcow2.Repair.class)
    void imageOfAnUnknownFeatureIsNotRepaired(Qcow2.Repair what) throws IOException {
        byte[] bytes = image().data(0, 5)
                .incompatible(Qcow2Header.INCOMPAT_DIRTY | Qcow2Header.INCOMPAT_CORRUPT)
                .build();
        RepairTest.damageRefcounts(bytes, new Random(3));
        markIncompatible(ByteBuffer.wrap(bytes), 5);
        CrashStorage storage = new CrashStorage("unknown.qcow2", bytes);

        assertThatThrownBy(() -> Qcow2.repair(storage, OpenOptions.defaults(), what))
                .isInstanceOf(UnsupportedFeatureException.class)
                .hasMessageContaining("bit 5");

        assertThat(storage.contents()).isEqualTo(bytes);
    }

    @Test
    void imageThatIsOnlyReadIsNotRepaired() throws IOException {
        byte[] bytes =
                image().data(0, 5).incompatible(Qcow2Header.INCOMPAT_DIRTY).build();
        RepairTest.damageRefcounts(bytes, new Random(3));
        CrashStorage storage = new CrashStorage("dirty.qcow2", bytes);

        DiskImages.open(storage, OpenOptions.defaults()).close();
        assertThatThrownBy(() -> DiskImages.open(Storages.of(Storages.asDevice(storage)), WRITABLE))
                .isInstanceOf(ReadOnlyDeviceException.class);

        assertThat(storage.contents()).isEqualTo(bytes);
    }

    @Test
    void truncatedImageStaysAsItIs() throws IOException {
        byte[] whole =
                image().data(0, 5).incompatible(Qcow2Header.INCOMPAT_DIRTY).build();
        ByteBuffer bytes = ByteBuffer.wrap(whole);
        int l2 = (int) L2Entry.offset(bytes.getLong(L1_TABLE));
        bytes.putLong(l2 + 5 * Long.BYTES, 1L << 30 | L2Entry.COPIED);
        CrashStorage storage = new CrashStorage("dirty.qcow2", whole);

        assertThatThrownBy(() -> DiskImages.open(storage, WRITABLE))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("it is truncated");

        assertThat(storage.contents()).isEqualTo(whole);
    }

    @Test
    void imageWithATruncatedDataFileStaysAsItIs() throws IOException {
        Path image = folder.resolve("a.qcow2");
        Path data = folder.resolve("a.data");
        byte[] bytes = image().dataFile("a.data")
                .data(0, 5)
                .incompatible(Qcow2Header.INCOMPAT_DIRTY)
                .build();
        RepairTest.damageRefcounts(bytes, new Random(3));
        Files.write(image, bytes);
        Files.write(data, new byte[5 * CLUSTER]);
        OpenOptions options =
                WRITABLE.toBuilder().references(ReferencePolicy.under(folder)).build();

        assertThatThrownBy(() -> DiskImages.open(image, options))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("a.data: the data of guest offset 20480");

        assertThat(image).hasBinaryContent(bytes);
        Files.write(data, new byte[6 * CLUSTER]);
        DiskImages.open(image, options).close();
        assertThat(Qcow2Header.read(Qcow2Builder.storage(Files.readAllBytes(image)))
                        .isDirty())
                .isFalse();
    }

    @Test
    void amendmentThatIsRefusedRepairsNothing() throws IOException {
        byte[] bytes = image().data(0, 5)
                .bitmap("b", 12, 0, (byte) 1)
                .incompatible(Qcow2Header.INCOMPAT_DIRTY)
                .build();
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        // of the cluster with the header
        buffer.putShort((int) buffer.getLong((int) buffer.getLong(48)), (short) 0);
        Path image = Files.write(folder.resolve("a.qcow2"), bytes);

        for (AmendOptions.Builder to : List.of(
                AmendOptions.builder().version(2),
                AmendOptions.builder().size(512),
                AmendOptions.builder().dataFileRaw(true))) {
            assertThatThrownBy(() -> Qcow2.amend(image, OpenOptions.defaults(), to.build()))
                    .isInstanceOf(BlockIOException.class);
            assertThat(image).hasBinaryContent(bytes);
        }
        Qcow2.amend(
                image,
                OpenOptions.defaults(),
                AmendOptions.builder().refcountBits(8).build());

        try (DiskImage after = DiskImages.open(image, OpenOptions.defaults())) {
            assertThat(after.info().dirty()).isFalse();
            assertThat(after.check(CheckOutcome.SILENT).corruptions()).isZero();
        }
    }
}
