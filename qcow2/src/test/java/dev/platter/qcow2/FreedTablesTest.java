package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Tables of the disk that a bitmap or a snapshot takes for its own are not freed with it. */
final class FreedTablesTest {
    private static final int CLUSTER = 4096;
    private static final int L1_TABLE = CLUSTER;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    /** What is done to a bitmap whose table leads somewhere else. */
    private enum Step {
        REMOVE,
        CLEAR,
        RECORD
    }

    @ParameterizedTest
    @EnumSource(Step.class)
    void tableThatABitmapNamesStaysInUse(Step step) throws IOException {
        Qcow2Builder builder = new Qcow2Builder(3, 12, 8 << 20);
        byte[] image = builder.data(0, 5, 600)
                .bitmap("b", 12, step == Step.RECORD ? Bitmap.FLAG_AUTO : 0, (byte) 0)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int bitmapTable = (int) bytes.getLong((int) bytes.getLong(136));
        int table = (int) L2Entry.offset(bytes.getLong(L1_TABLE));
        bytes.putLong(bitmapTable, table);
        CrashStorage storage = new CrashStorage("crossed.qcow2", image);

        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            switch (step) {
                case REMOVE -> disk.removeBitmap("b");
                case CLEAR -> disk.clearBitmap("b");
                case RECORD ->
                    disk.write(5 * CLUSTER, ByteBuffer.wrap(TestBytes.of(5 * CLUSTER, 512)), Durability.NONE);
            }
            disk.flush();
        }
        try (DiskImage disk = DiskImages.open(storage, WRITABLE)) {
            for (int i = 100; i < 120; i++) {
                disk.write(
                        (long) i * CLUSTER,
                        ByteBuffer.wrap(TestBytes.of((long) i * CLUSTER, CLUSTER)),
                        Durability.NONE);
            }
            disk.flush();
            for (int i : new int[] {0, 5, 100, 119, 600}) {
                assertThat(read(disk, i)).as("cluster %s", i).isEqualTo(TestBytes.of((long) i * CLUSTER, CLUSTER));
            }
        }

        CheckReport report = check(storage.contents());
        assertThat(report.corruptions()).as(report::toString).isZero();
        // the bits that nothing leads to any more
        assertThat(report.leaks()).as(report::toString).isEqualTo(1);
    }

    @ParameterizedTest
    @ValueSource(longs = {1L << 40, 512, 4096 + 512})
    void bitmapWhoseBitsAreNowhereCanBeRemoved(long entry) throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 << 20)
                .data(0, 5)
                .bitmap("b", 12, 0, (byte) 0)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        bytes.putLong((int) bytes.getLong((int) bytes.getLong(136)), entry);
        CrashStorage storage = new CrashStorage("crossed.qcow2", image);

        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            disk.removeBitmap("b");
            assertThat(disk.bitmaps()).isEmpty();
        }

        CheckReport report = check(storage.contents());
        assertThat(report.corruptions()).as(report::toString).isZero();
        assertThat(report.leaks()).as(report::toString).isEqualTo(1);
    }

    @Test
    void tableThatASnapshotTakesForDataIsNotFreedWithIt() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 << 20)
                .data(0, 5)
                .snapshot("1", "s", 8 << 20)
                .data(7)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int active = (int) L2Entry.offset(bytes.getLong(L1_TABLE));
        int snapshotTable = (int) L2Entry.offset(bytes.getLong((int) bytes.getLong((int) bytes.getLong(64))));
        assertThat(snapshotTable).isNotEqualTo(active);
        bytes.putLong(snapshotTable + 9 * 8, active);
        CrashStorage storage = new CrashStorage("crossed.qcow2", image);

        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> disk.deleteSnapshot("s"))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining("an L2 entry has guest data at " + active + ", where an L2 table is");
            assertThatThrownBy(() -> disk.applySnapshot("s")).isInstanceOf(IOException.class);
            assertThat(read(disk, 7)).isEqualTo(TestBytes.of(7 * CLUSTER, CLUSTER));
        }

        byte[] now = storage.contents();
        assertThat(Qcow2Header.read(storage).isCorrupt()).isTrue();
        assertThat(Arrays.copyOfRange(now, active, active + CLUSTER))
                .isEqualTo(Arrays.copyOfRange(image, active, active + CLUSTER));
        assertThat(check(now).leaks()).isEqualTo(check(image).leaks());
    }

    @Test
    void snapshotsL1TableThatAnotherSnapshotTakesForAnL2TableIsNotFreedWithIt() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 8 << 20)
                .data(0)
                .snapshot("1", "first", 8 << 20)
                .data(5)
                .snapshot("2", "second", 8 << 20)
                .data(7)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int entry = (int) bytes.getLong(64);
        long first = bytes.getLong(entry);
        int secondEntry = entry + (40 + 24 + 1 + "first".length() + 7 & -8);
        bytes.putLong((int) bytes.getLong(secondEntry) + 8, first);
        CrashStorage storage = new CrashStorage("crossed.qcow2", image);

        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            assertThatThrownBy(() -> disk.deleteSnapshot("second"))
                    .isInstanceOf(CorruptImageException.class)
                    .hasMessageContaining(
                            "an L1 entry has an L2 table at " + first + ", where the L1 table of a snapshot is");
        }

        try (DiskImage disk = Qcow2Builder.open(storage.contents(), OpenOptions.defaults());
                BlockDevice snapshot = disk.openSnapshot("first")) {
            byte[] now = new byte[CLUSTER];
            snapshot.read(0, ByteBuffer.wrap(now));
            assertThat(now).isEqualTo(TestBytes.of(0, CLUSTER));
        }
    }

    private static byte[] read(DiskImage disk, int cluster) throws IOException {
        byte[] bytes = new byte[CLUSTER];
        disk.read((long) cluster * CLUSTER, ByteBuffer.wrap(bytes));
        return bytes;
    }

    private static CheckReport check(byte[] image) throws IOException {
        try (DiskImage opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            return opened.check(CheckOutcome.SILENT);
        }
    }
}
