package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Snapshots whose tables are damaged, or for which there is no room: the change is refused as a whole. */
final class SnapshotLimitsTest {
    private static final int CLUSTER = 4096;
    private static final long SIZE = 8L * CLUSTER;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    private interface Change {
        void make(Qcow2Disk image) throws IOException;
    }

    private static byte[] withSnapshot() {
        return new Qcow2Builder(3, 12, SIZE)
                .data(0, 1)
                .snapshot("1", "s", SIZE)
                .unmap(1)
                .data(2)
                .build();
    }

    private static int snapshotL1(ByteBuffer file) {
        return (int) file.getLong((int) file.getLong(64));
    }

    private static int snapshotL2(ByteBuffer file) {
        return (int) L2Entry.offset(file.getLong(snapshotL1(file)));
    }

    /** Asserts that a change is refused, that the disk stays as it was, and that the image can be written on. */
    private static void assertRefused(byte[] file, Class<? extends IOException> type, String text, Change change)
            throws IOException {
        CrashStorage storage = new CrashStorage("limits.qcow2", file);
        byte[] before = disk(file);
        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
            int snapshots = image.snapshots().size();
            ThrowingCallable refused = () -> change.make(image);
            assertThatThrownBy(refused).isInstanceOf(type).hasMessageContaining(text);
            assertThat(image.snapshots()).hasSize(snapshots);
            byte[] bytes = new byte[(int) image.size()];
            image.read(0, ByteBuffer.wrap(bytes));
            assertThat(bytes).isEqualTo(before);
            // the same once more, and then something that has nothing to do with it
            assertThatThrownBy(refused).isInstanceOf(type).hasMessageContaining(text);
            image.write(5 * CLUSTER, ByteBuffer.wrap(TestBytes.of(0, CLUSTER)), Durability.FUA);
        }
        byte[] expected = before.clone();
        System.arraycopy(TestBytes.of(0, CLUSTER), 0, expected, 5 * CLUSTER, CLUSTER);
        assertThat(disk(storage.contents())).isEqualTo(expected);
        assertThat(Arrays.copyOf(storage.contents(), 112)).isEqualTo(Arrays.copyOf(file, 112));
    }

    private static byte[] disk(byte[] image) throws IOException {
        try (BlockDevice opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            byte[] bytes = new byte[(int) opened.size()];
            opened.read(0, ByteBuffer.wrap(bytes));
            return bytes;
        }
    }

    @ParameterizedTest
    @ValueSource(longs = {1L << 40, 513, CLUSTER + 512})
    void snapshotThatLeadsNowhereIsNeitherAppliedNorDeleted(long offset) throws IOException {
        byte[] file = withSnapshot();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        bytes.putLong(snapshotL2(bytes) + 8, offset & L2Entry.OFFSET_MASK);

        assertRefused(
                file, CorruptImageException.class, "an L2 entry has guest data at", image -> image.applySnapshot("1"));
        assertRefused(
                file, CorruptImageException.class, "an L2 entry has guest data at", image -> image.deleteSnapshot("1"));
    }

    @Test
    void snapshotWithATableBeyondTheFileIsNeitherAppliedNorDeleted() throws IOException {
        byte[] file = withSnapshot();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        bytes.putLong(snapshotL1(bytes), 1L << 40);

        assertRefused(file, CorruptImageException.class, "L2 table", image -> image.applySnapshot("1"));
        assertRefused(file, CorruptImageException.class, "L2 table", image -> image.deleteSnapshot("1"));
    }

    @Test
    void snapshotWithAnL1TableBeyondTheFileIsNeitherAppliedNorDeleted() throws IOException {
        byte[] file = withSnapshot();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        bytes.putLong((int) bytes.getLong(64), 1L << 40);

        assertRefused(file, DiskImageException.class, "L1 table", image -> image.applySnapshot("1"));
        assertRefused(file, DiskImageException.class, "L1 table", image -> image.deleteSnapshot("1"));
    }

    @Test
    void tablesThatAliasEachOtherMakeNoWorkWithoutEnd() throws IOException {
        int entries = 400_000;
        long diskSize = (long) entries * 512 * CLUSTER;
        byte[] file = new Qcow2Builder(3, 12, SIZE).data(0).build();
        int l1 = file.length;
        int table = l1 + entries * Long.BYTES + (-(entries * Long.BYTES) & (CLUSTER - 1));
        byte[] longer = Arrays.copyOf(file, table + CLUSTER);
        ByteBuffer bytes = ByteBuffer.wrap(longer);
        long active = L2Entry.offset(bytes.getLong(CLUSTER));
        for (int i = 0; i < entries; i++) {
            bytes.putLong(l1 + i * Long.BYTES, active);
        }
        bytes.putLong(table, l1).putInt(table + 8, entries).putShort(table + 12, (short) 1);
        bytes.putShort(table + 14, (short) 1).putInt(table + 36, 16).putLong(table + 48, diskSize);
        bytes.put(table + 56, (byte) '1').put(table + 57, (byte) 's');
        bytes.putInt(60, 1).putLong(64, table);

        // counted often enough that no count runs out first
        int refcounts = (int) bytes.getLong((int) bytes.getLong(48));
        for (int cluster = 0; cluster < longer.length / CLUSTER; cluster++) {
            bytes.putShort(refcounts + 2 * cluster, (short) (cluster * CLUSTER < l1 ? -1 : 1));
        }

        assertRefused(longer, LimitExceededException.class, "alias each other", image -> image.deleteSnapshot("1"));
    }

    @ParameterizedTest
    @ValueSource(ints = {1, 2})
    void snapshotForWhichRefcountsAreTooNarrowIsNotMade(int refcountBits) throws IOException {
        CrashStorage fresh = new CrashStorage("narrow.qcow2", new byte[0]);
        new NewImage(CreateOptions.builder(SIZE)
                        .clusterSize(CLUSTER)
                        .refcountBits(refcountBits)
                        .build())
                .write(fresh);
        int most = (1 << refcountBits) - 2;
        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(fresh, WRITABLE)) {
            image.write(0, ByteBuffer.wrap(TestBytes.of(0, 2 * CLUSTER)), Durability.NONE);
            for (int i = 0; i < most; i++) {
                image.createSnapshot("s" + i);
            }
        }

        assertRefused(fresh.contents(), BlockIOException.class, "hold up to", image -> image.createSnapshot("more"));
    }

    @Test
    void nameThatIsTooLongIsRefused() throws IOException {
        String name = "x".repeat(70_000);

        assertRefused(withSnapshot(), BlockIOException.class, "65535 bytes", image -> image.createSnapshot(name));
    }

    /** A table that is longer could not be read when the image is opened again. */
    @Test
    void snapshotTableDoesNotOutgrowWhatIsRead() throws IOException {
        OpenOptions limited = WRITABLE.toBuilder()
                .limits(Limits.defaults().withMetadataBytes(CLUSTER))
                .build();
        CrashStorage storage = new CrashStorage("limits.qcow2", withSnapshot());
        int made = 1;

        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(storage, limited)) {
            assertThatThrownBy(() -> image.createSnapshot("x".repeat(CLUSTER)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("bytes, the limit is 4096");
            for (; made < 10; made++) {
                image.createSnapshot("x".repeat(337));
            }
            assertThatThrownBy(() -> image.createSnapshot("y".repeat(337)))
                    .isInstanceOf(BlockIOException.class)
                    .hasMessageContaining("the snapshot table would have");
            image.write(0, ByteBuffer.allocate(512), Durability.NONE);
        }

        try (DiskImage image = DiskImages.open(storage, limited)) {
            assertThat(image.snapshots()).hasSize(made);
            CheckReport report = image.check(CheckOutcome.SILENT);
            assertThat(report.corruptions() + report.leaks())
                    .as(report::toString)
                    .isZero();
        }
    }
}
