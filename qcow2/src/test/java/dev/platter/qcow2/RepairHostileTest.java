package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.LimitExceededException;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** What a repair could make worse stays as it is: nothing is freed or changed that may be in use. */
final class RepairHostileTest {
    private static final int CLUSTER = 4096;
    private static final int L1_TABLE = CLUSTER;

    @TempDir
    private Path folder;

    /** What is lowered for a leak in one place would be the refcount of a cluster in use in the other. */
    @Test
    void leaksAreNotFreedInARefcountBlockThatStandsForTwo() throws IOException {
        Qcow2Builder builder = new Qcow2Builder(3, 9, 1 << 20);
        for (int i = 0; i < 400; i++) {
            builder.data(i);
        }
        byte[] image = builder.build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int table = (int) bytes.getLong(48);
        bytes.putLong(table + 8, bytes.getLong(table));
        CrashStorage storage = new CrashStorage("aliased.qcow2", image);

        CheckReport left = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.LEAKS);

        assertThat(left.corruptions()).isPositive();
        assertThat(left.leaks()).isPositive();
        assertThat(storage.contents()).isEqualTo(image);
        CheckReport repaired = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);
        assertThat(repaired.corruptions() + repaired.leaks())
                .as(repaired::toString)
                .isZero();
    }

    /** An L1 entry leads to data, some of which look like an entry without the flag of a cluster that is used once. */
    @Test
    void dataThatAnL1EntryTakesForATableStayAsTheyAre() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 4 << 20).data(0, 5, 9).build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int table = (int) L2Entry.offset(bytes.getLong(L1_TABLE));
        int data = (int) L2Entry.offset(bytes.getLong(table));
        int leaked = (int) L2Entry.offset(bytes.getLong(table + 9 * 8));
        bytes.putLong(table + 9 * 8, 0);
        Arrays.fill(image, data, data + CLUSTER, (byte) 0);
        bytes.putLong(data + 64, leaked);
        bytes.putLong(L1_TABLE + 8, data | L2Entry.COPIED);
        CrashStorage storage = new CrashStorage("crossed.qcow2", image);

        CheckReport left = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);

        byte[] now = storage.contents();
        assertThat(Arrays.copyOfRange(now, data, data + CLUSTER))
                .isEqualTo(Arrays.copyOfRange(image, data, data + CLUSTER));
        assertThat(ByteBuffer.wrap(now).getLong(L1_TABLE + 8)).isEqualTo(data);
        assertThat(ByteBuffer.wrap(now).getLong(table)).isEqualTo(data);
        assertThat(left.corruptions()).as(left::toString).isEqualTo(1);
    }

    @Test
    void flagsOfTablesThatSnapshotsShareAreClearedHoweverManyAreLookedAtTogether() throws IOException {
        byte[] right = new Qcow2Builder(3, 12, 16 << 20)
                .data(0, 600, 1200, 1800, 2400)
                .snapshot("1", "s", 16 << 20)
                .build();
        CrashStorage shared = new CrashStorage("shared.qcow2", right);
        Qcow2Header header = Qcow2Header.read(shared);
        Snapshot snapshot = Snapshot.readTable(
                        header,
                        new HostFile(shared, CLUSTER, OpenOptions.defaults()),
                        OpenOptions.defaults().limits())
                .get(0);
        // the disk takes the tables of the snapshot for its own
        byte[] image = right.clone();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        for (int i = 0; i < header.l1Size(); i++) {
            long table = L2Entry.offset(bytes.getLong((int) snapshot.l1TableOffset() + 8 * i));
            if (table != 0) {
                bytes.putLong(L1_TABLE + 8 * i, table | L2Entry.COPIED);
                for (int at = (int) table; at < table + CLUSTER; at += 8) {
                    bytes.putLong(at, bytes.getLong(at) == 0 ? 0 : bytes.getLong(at) | L2Entry.COPIED);
                }
            }
        }
        CrashStorage storage = new CrashStorage("shared.qcow2", image);
        Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);
        byte[] expected = storage.contents();
        assertThat(check(expected).corruptions()).isZero();

        for (int together : new int[] {1, 2, 3}) {
            byte[] again = expected.clone();
            ByteBuffer flagged = ByteBuffer.wrap(again);
            for (int i = 0; i < header.l1Size(); i++) {
                int table = (int) flagged.getLong(L1_TABLE + 8 * i);
                if (table != 0) {
                    again[L1_TABLE + 8 * i] |= (byte) 0x80;
                    again[table + (i == 0 ? 0 : 600 * i % 512 * 8)] |= (byte) 0x80;
                }
            }
            CrashStorage flags = new CrashStorage("flags.qcow2", again);
            Qcow2Header now = Qcow2Header.read(flags);

            new OwnFlags(now, new HostFile(flags, CLUSTER, OpenOptions.defaults()), List.of(snapshot), together).set();

            assertThat(again).isNotEqualTo(expected);
            assertThat(flags.contents()).isEqualTo(expected);
        }
    }

    @ParameterizedTest
    @EnumSource(Qcow2.Repair.class)
    void compressedClusterWithSubclustersIsNotFreed(Qcow2.Repair what) throws IOException {
        byte[] image = new Qcow2Builder(3, 14, 1 << 20)
                .extendedL2()
                .compressed(3)
                .data(5)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int table = (int) L2Entry.offset(bytes.getLong(1 << 14));
        bytes.putLong(table + 3 * 16 + 8, 1);
        CrashStorage storage = new CrashStorage("odd.qcow2", image);
        assertThat(check(image).leaks()).isPositive();

        assertThatThrownBy(() -> Qcow2.repair(storage, OpenOptions.defaults(), what))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("entry at " + (table + 3 * 16))
                .hasMessageContaining("a repair would free");

        assertThat(storage.contents()).isEqualTo(image);
    }

    @ParameterizedTest
    @EnumSource(Qcow2.Repair.class)
    void clustersOfASnapshotWhoseTableIsNowhereAreNotFreed(Qcow2.Repair what) throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 1 << 20)
                .data(0, 5)
                .snapshot("1", "s", 1 << 20)
                .unmap(5)
                .data(7)
                .build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int snapshots = (int) bytes.getLong(64);
        bytes.putLong(snapshots, bytes.getLong(snapshots) + 512);
        CrashStorage storage = new CrashStorage("lost.qcow2", image);
        assertThat(check(image).leaks()).isPositive();

        assertThatThrownBy(() -> Qcow2.repair(storage, OpenOptions.defaults(), what))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("entry at " + snapshots);

        assertThat(storage.contents()).isEqualTo(image);
    }

    @Test
    void imageThatNeedsLargerRefcountsThanItHasStaysAsItIs() throws IOException {
        CrashStorage made = new CrashStorage("bits.qcow2", new byte[0]);
        new NewImage(CreateOptions.builder(1 << 20)
                        .clusterSize(CLUSTER)
                        .refcountBits(1)
                        .build())
                .write(made);
        try (DiskImage opened =
                DiskImages.open(made, OpenOptions.builder().writable(true).build())) {
            opened.write(0, ByteBuffer.wrap(TestBytes.of(0, 2 * CLUSTER)), Durability.NONE);
        }
        byte[] image = made.contents();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int table = (int) L2Entry.offset(bytes.getLong((int) bytes.getLong(40)));
        bytes.putLong(table + 8, bytes.getLong(table));
        // of an unknown feature
        image[88] = 1;
        CrashStorage storage = new CrashStorage("bits.qcow2", image);

        assertThatThrownBy(() -> Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("is referred to 2 times; refcounts of 1 bits hold up to 1");

        assertThat(storage.contents()).isEqualTo(image);
    }

    @Test
    void imageForWhichThereIsNoRefcountTableLargeEnoughStaysAsItIs() throws IOException {
        Path image = folder.resolve("large.qcow2");
        Qcow2.create(
                image,
                CreateOptions.builder(1 << 20).clusterSize(512).refcountBits(64).build());
        byte[] bytes = Files.readAllBytes(image);
        ByteBuffer wrapped = ByteBuffer.wrap(bytes);
        wrapped.putLong((int) wrapped.getLong((int) wrapped.getLong(48)), 0);
        Files.write(image, bytes);
        long size = 33L << 30;
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "rw")) {
            file.setLength(size);
        }

        assertThatThrownBy(() -> Qcow2.repair(image, OpenOptions.defaults(), Qcow2.Repair.ALL))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("its refcount table would have more than 8388608 bytes");

        assertThat(Files.size(image)).isEqualTo(size);
        try (RandomAccessFile file = new RandomAccessFile(image.toFile(), "r")) {
            byte[] now = new byte[bytes.length];
            file.readFully(now);
            assertThat(now).isEqualTo(bytes);
        }
    }

    private static CheckReport check(byte[] image) throws IOException {
        try (DiskImage opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            return opened.check(CheckOutcome.SILENT);
        }
    }
}
