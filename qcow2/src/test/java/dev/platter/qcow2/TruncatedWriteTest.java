package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.OpenOptions.TruncatedFile;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** A file that was cut off is not written: where it grew again, what is lost would read as zeros. */
final class TruncatedWriteTest {
    private static final int CLUSTER = 16 << 10;
    private static final int DATA = 2 * CLUSTER;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    /** What lies behind everything else in the file. */
    private enum Last {
        DATA,
        COMPRESSED,
        SUBCLUSTERS,
        SNAPSHOT,
        L2_TABLE
    }

    @ParameterizedTest
    @EnumSource(Last.class)
    void whatWasCutOffIsRefusedAndNoByteIsChanged(Last last) throws IOException {
        byte[] whole = withLast(last);
        byte[] file = Arrays.copyOf(whole, whole.length - (last == Last.L2_TABLE ? 512 : CLUSTER));
        for (TruncatedFile treatment : TruncatedFile.values()) {
            CrashStorage storage = new CrashStorage("cut.qcow2", file);

            assertThatThrownBy(() -> DiskImages.open(
                            storage,
                            WRITABLE.toBuilder().truncatedFile(treatment).build()))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("cut.qcow2: ")
                    .hasMessageContaining("beyond the end of the file (" + file.length + " bytes)");

            assertThat(storage.contents()).isEqualTo(file);
        }
        try (DiskImage image = DiskImages.open(new CrashStorage("whole.qcow2", whole), WRITABLE)) {
            image.write(6 * CLUSTER, ByteBuffer.allocate(1), Durability.FUA);
        }
    }

    /** Moves a cluster of data, or a table, to the end of the file, with its refcount. */
    private static byte[] withLast(Last last) throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 14, 8L * CLUSTER);
        switch (last) {
            case SUBCLUSTERS -> made.extendedL2().subclusters(0, 0xff);
            case COMPRESSED -> made.compressed(0);
            case SNAPSHOT ->
                made.data(0).snapshot("1", "s", 8L * CLUSTER).unmap(0).data(1);
            default -> made.data(0);
        }
        byte[] image = made.build();
        byte[] longer = Arrays.copyOf(image, image.length + CLUSTER);
        ByteBuffer bytes = ByteBuffer.wrap(longer);
        long l1 = last == Last.SNAPSHOT ? bytes.getLong((int) bytes.getLong(64)) : bytes.getLong(40);
        int from = DATA;
        if (last == Last.L2_TABLE) {
            from = (int) L2Entry.offset(bytes.getLong((int) l1));
            bytes.putLong((int) l1, image.length | L2Entry.COPIED);
        } else {
            int l2 = (int) L2Entry.offset(bytes.getLong((int) l1));
            long entry = bytes.getLong(l2);
            bytes.putLong(l2, entry - DATA + image.length);
        }
        System.arraycopy(image, from, longer, image.length, CLUSTER);
        int refcounts = (int) bytes.getLong((int) bytes.getLong(48));
        bytes.putShort(refcounts + 2 * (from / CLUSTER), (short) 0);
        bytes.putShort(refcounts + 2 * (image.length / CLUSTER), (short) 1);
        return longer;
    }

    @Test
    void clustersThatNobodyRefersToMayLieBeyondTheEnd() throws IOException {
        byte[] file = new Qcow2Builder(3, 14, 8L * CLUSTER).data(0).build();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        int refcounts = (int) bytes.getLong((int) bytes.getLong(48));
        bytes.putShort(refcounts + 2 * (file.length / CLUSTER + 3), (short) 1);
        CrashStorage storage = new CrashStorage("leak.qcow2", file);

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            image.write(3 * CLUSTER, ByteBuffer.wrap(TestBytes.of(0, CLUSTER)), Durability.FUA);
        }

        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            byte[] read = new byte[CLUSTER];
            image.read(3 * CLUSTER, ByteBuffer.wrap(read));
            assertThat(read).isEqualTo(TestBytes.of(0, CLUSTER));
        }
    }

    /** Without a refcount nothing hints at them before they are met. */
    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void placeFarBeyondTheEndIsNotWrittenTo(boolean extended) throws IOException {
        long far = 1L << 40 | L2Entry.COPIED;
        Qcow2Builder made = new Qcow2Builder(3, 14, 8L * CLUSTER);
        byte[] file =
                (extended ? made.extendedL2().entry(1, far, 0xff) : made.entry(1, far | L2Entry.ZERO_FLAG, 0)).build();
        CrashStorage storage = new CrashStorage("far.qcow2", file);

        try (DiskImage image = DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> image.write(CLUSTER, ByteBuffer.allocate(512), Durability.NONE))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("data cluster at " + (1L << 40) + " lies beyond the end of the file");
        }

        assertThat(storage.contents()).isEqualTo(file);
    }

    @Test
    void dataFileThatWasCutOffIsRefused() throws IOException {
        Path image = folder.resolve("a.qcow2");
        Path data = folder.resolve("a.data");
        Qcow2.create(
                image, CreateOptions.builder(1 << 20).dataFile("a.data", false).build());
        OpenOptions options =
                WRITABLE.toBuilder().references(ReferencePolicy.under(folder)).build();
        try (DiskImage opened = DiskImages.open(image, options)) {
            opened.write(8 << 16, ByteBuffer.wrap(TestBytes.of(0, 4096)), Durability.FUA);
        }
        cut(data, 9 << 16);
        DiskImages.open(image, options).close();
        cut(data, 8 << 16);

        assertThatThrownBy(() -> DiskImages.open(image, options))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining(
                        "a.data: the data of guest offset 524288 at 524288 lie beyond the end of the file");

        assertThat(Files.size(data)).isEqualTo(8 << 16);
    }

    private static void cut(Path file, long size) throws IOException {
        try (Storage storage = Storages.open(file, true)) {
            storage.setSize(size);
        }
    }

    @ParameterizedTest
    @EnumSource(Qcow2.Repair.class)
    void repairOfWhatWasCutOffIsRefusedAndNoByteIsChanged(Qcow2.Repair what) throws IOException {
        byte[] whole = withLast(Last.L2_TABLE);
        byte[] file = Arrays.copyOf(whole, whole.length - CLUSTER);
        ByteBuffer bytes = ByteBuffer.wrap(file);
        // of the header, so that refcounts are wrong too
        bytes.putShort((int) bytes.getLong((int) bytes.getLong(48)), (short) 0);
        CrashStorage storage = new CrashStorage("cut.qcow2", file);

        assertThatThrownBy(() -> Qcow2.repair(storage, OpenOptions.defaults(), what))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("it is truncated");

        assertThat(storage.contents()).isEqualTo(file);
    }

    @Test
    void refcountBlockThatWasCutOffIsRefused() throws IOException {
        byte[] file = new Qcow2Builder(3, 14, 8L * CLUSTER).data(0).build();
        CrashStorage storage = new CrashStorage("cut.qcow2", Arrays.copyOf(file, file.length - 512));

        assertThatThrownBy(() -> DiskImages.open(storage, WRITABLE))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("refcount block");
    }
}
