package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Images whose refcounts are wrong become whole, and no byte of the disk changes, also if the power goes meanwhile. */
final class RepairTest {

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

    private static void damageRefcounts(byte[] image, Random random) throws IOException {
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
        Allocator allocator = Allocator.open(header, file, new HeaderFields(file), new MetadataMap("leaking.qcow2"));
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
