package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Images whose refcounts are wrong become whole, and no byte of the disk changes, also if the power goes meanwhile. */
final class RepairTest {
    @TempDir
    private Path folder;

    @Test
    void wrongRefcountsAreMadeAnew() throws Exception {
        Seeds.run(getClass(), 100, random -> {
            byte[] image = StartImage.random(random);
            byte[] before = disk(image);
            damageRefcounts(image, random);
            CrashStorage storage = new CrashStorage("damaged.qcow2", image);

            CheckReport report = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);

            assertThat(report.corruptions()).as(report::toString).isZero();
            assertThat(report.leaks()).as(report::toString).isZero();
            CrashStorage.Replay replay = storage.replay();
            for (int moment = 0; moment <= replay.end(); moment++) {
                assertThat(disk(replay.state(moment, random))).isEqualTo(before);
            }
        });
    }

    @Test
    void leaksAreFreedInPlace() throws Exception {
        Seeds.run(getClass(), 60, random -> {
            byte[] image = StartImage.random(random);
            byte[] before = disk(image);
            CrashStorage storage = new CrashStorage("leaking.qcow2", image);
            leak(storage, random);
            assertThat(check(storage.contents()).leaks()).isPositive();

            CheckReport report = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.LEAKS);

            assertThat(report.corruptions()).as(report::toString).isZero();
            assertThat(report.leaks()).as(report::toString).isZero();
            assertThat(disk(storage.contents())).isEqualTo(before);
        });
    }

    @Test
    void dirtyImageGetsItsRefcountsBeforeItIsWritten() throws Exception {
        byte[] image = new Qcow2Builder(3, 12, 1 << 20)
                .data(0, 5, 9)
                .incompatible(Qcow2Header.INCOMPAT_DIRTY)
                .build();
        damageRefcounts(image, new Random(1));
        CrashStorage storage = new CrashStorage("dirty.qcow2", image);

        try (DiskImage opened =
                DiskImages.open(storage, OpenOptions.builder().writable(true).build())) {
            assertThat(opened.warnings())
                    .anySatisfy(warning -> assertThat(warning.text()).contains("made anew"));
            opened.write(123, ByteBuffer.allocate(7), Durability.FUA);
        }

        assertThat(check(storage.contents()).corruptions()).isZero();
        assertThat(Qcow2Header.read(Qcow2Builder.storage(storage.contents())).isDirty())
                .isFalse();
    }

    @ParameterizedTest
    @EnumSource(Qcow2.Repair.class)
    void imageThatIsWellStaysAsItIs(Qcow2.Repair what) throws Exception {
        Seeds.run(getClass(), 60, random -> {
            byte[] image = StartImage.random(random);
            if (ByteBuffer.wrap(image).getInt(4) == 3) {
                // of an unknown feature
                image[88] = 1;
            }
            CrashStorage storage = new CrashStorage("well.qcow2", image);

            CheckReport report = Qcow2.repair(storage, OpenOptions.defaults(), what);

            assertThat(report.corruptions() + report.leaks())
                    .as(report::toString)
                    .isZero();
            assertThat(storage.contents()).isEqualTo(image);
            assertThat(storage.moment()).as("requests").isZero();
        });
    }

    @Test
    void onlyTheMarksOfAnImageThatIsWellAreTakenAway() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 1 << 20)
                .data(0, 5, 9)
                .incompatible(Qcow2Header.INCOMPAT_DIRTY | Qcow2Header.INCOMPAT_CORRUPT)
                .build();
        CrashStorage storage = new CrashStorage("marked.qcow2", image);

        CheckReport report = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        image[79] = 0;
        assertThat(storage.contents()).isEqualTo(image);
    }

    @Test
    void wrongFlagsAreSetWithoutOtherRefcounts() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 1 << 20).data(0, 5, 9).build();
        byte[] wrong = image.clone();
        ByteBuffer bytes = ByteBuffer.wrap(wrong);
        int table = (int) L2Entry.offset(bytes.getLong(4096));
        bytes.putLong(4096, bytes.getLong(4096) ^ L2Entry.COPIED);
        bytes.putLong(table + 5 * Long.BYTES, bytes.getLong(table + 5 * Long.BYTES) ^ L2Entry.COPIED);
        CrashStorage storage = new CrashStorage("flags.qcow2", wrong);

        CheckReport report = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        assertThat(storage.contents()).isEqualTo(image);
    }

    /** The data file has no refcounts: each of its clusters belongs to the disk, the first one, at 0, too. */
    @Test
    void clustersOfADataFileBelongToTheDisk() throws IOException {
        Path image = folder.resolve("a.qcow2");
        Qcow2.create(
                image, CreateOptions.builder(1 << 20).dataFile("a.data", false).build());
        OpenOptions options = OpenOptions.builder()
                .writable(true)
                .references(ReferencePolicy.under(folder))
                .build();
        try (DiskImage opened = DiskImages.open(image, options)) {
            opened.write(0, ByteBuffer.wrap(TestBytes.of(0, 3 << 16)), Durability.NONE);
            opened.writeZeroes(1 << 16, 1 << 16, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
        }
        byte[] whole = Files.readAllBytes(image);
        byte[] damaged = whole.clone();
        ByteBuffer bytes = ByteBuffer.wrap(damaged);
        int table = (int) L2Entry.offset(bytes.getLong((int) bytes.getLong(40)));
        assertThat(bytes.getLong(table)).isEqualTo(L2Entry.COPIED);
        for (int i = 1; i < 3; i++) {
            bytes.putLong(table + 8 * i, bytes.getLong(table + 8 * i) & ~L2Entry.COPIED);
        }
        damageRefcounts(damaged, new Random(4));
        Files.write(image, damaged);
        if (ReferenceTools.isInstalled("qemu-img")) {
            assertThat(ReferenceTools.runIn(folder, "qemu-img", "check", "a.qcow2")
                            .exit())
                    .isEqualTo(2);
        }

        CheckReport report = Qcow2.repair(image, OpenOptions.defaults(), Qcow2.Repair.ALL);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        byte[] repaired = Files.readAllBytes(image);
        assertThat(Arrays.copyOfRange(repaired, table, table + 24))
                .isEqualTo(Arrays.copyOfRange(whole, table, table + 24));
        if (ReferenceTools.isInstalled("qemu-img")) {
            ReferenceTools.runIn(folder, "qemu-img", "check", "a.qcow2").assertSuccess();
        }
    }

    @ParameterizedTest
    @EnumSource(Qcow2.Repair.class)
    void unknownAutoclearFeaturesAreSwitchedOffBeforeAnythingIsWritten(Qcow2.Repair what) throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 1 << 20)
                .data(0, 5, 9)
                .autoclear(Qcow2Header.AUTOCLEAR_BITMAPS | 1L << 60)
                .build();
        CrashStorage storage = new CrashStorage("leaking.qcow2", image);
        leak(storage, new Random(7));
        byte[] leaking = storage.contents();
        CrashStorage repaired = new CrashStorage("leaking.qcow2", leaking);

        CheckReport report = Qcow2.repair(repaired, OpenOptions.defaults(), what);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        assertThat(autoclear(repaired.contents())).isEqualTo(Qcow2Header.AUTOCLEAR_BITMAPS);
        CrashStorage.Replay replay = repaired.replay();
        for (int moment = 0; moment <= replay.end(); moment++) {
            byte[] state = replay.state(moment, null);
            assertThat(autoclear(state) == Qcow2Header.AUTOCLEAR_BITMAPS || Arrays.equals(state, leaking))
                    .isTrue();
        }
    }

    private static long autoclear(byte[] image) {
        return ByteBuffer.wrap(image).getLong(88);
    }

    @Test
    void clusterThatSeemedSharedBelongsToTheDiskOnceItsLeakIsFreed() throws IOException {
        byte[] image = new Qcow2Builder(3, 12, 1 << 20).data(0, 5, 9).build();
        ByteBuffer bytes = ByteBuffer.wrap(image);
        int table = (int) L2Entry.offset(bytes.getLong(4096));
        byte[] leaking = image.clone();
        long entry = bytes.getLong(table);
        int refcounts = (int) bytes.getLong((int) bytes.getLong(48));
        leaking[table] = (byte) (leaking[table] & 0x7f);
        leaking[refcounts + 2 * (int) (L2Entry.offset(entry) >>> 12) + 1] = 2;
        assertThat(check(leaking).corruptions()).isZero();
        CrashStorage storage = new CrashStorage("shared.qcow2", leaking);

        CheckReport report = Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.LEAKS);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        assertThat(storage.contents()).isEqualTo(image);
    }

    static void damageRefcounts(byte[] image, Random random) throws IOException {
        ByteBuffer bytes = ByteBuffer.wrap(image);
        Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(image));
        int table = (int) header.refcountTableOffset();
        int block = (int) bytes.getLong(table);
        for (int i = 0; i < 20; i++) {
            image[block + random.nextInt(Math.min(header.clusterSize(), image.length - block))] =
                    (byte) random.nextInt();
        }
        if (random.nextInt(4) == 0) {
            bytes.putLong(table, 0);
        }
    }

    private static void leak(CrashStorage storage, Random random) throws IOException {
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), OpenOptions.defaults());
        Allocator allocator = Allocator.open(
                header, file, new HeaderFields(file), new MetadataMap("leaking.qcow2", header.clusterBits()));
        for (int i = 1 + random.nextInt(20); i > 0; i--) {
            long cluster = allocator.allocate(1);
            file.writeZeros(cluster << header.clusterBits(), header.clusterSize());
        }
        allocator.write();
    }

    private static byte[] disk(byte[] image) throws IOException {
        try (DiskImage opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            byte[] bytes = new byte[(int) opened.size()];
            opened.read(0, ByteBuffer.wrap(bytes));
            return bytes;
        }
    }

    private static CheckReport check(byte[] image) throws IOException {
        try (DiskImage opened = Qcow2Builder.open(image, OpenOptions.defaults())) {
            return opened.check(new CheckListener() {});
        }
    }
}
