package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ReferenceTools;
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
import org.junit.jupiter.params.provider.ValueSource;

/** A repair of an image with an external data file changes the image alone, and its marks only when it is whole. */
final class DataFileRepairTest {
    private static final int CLUSTER = 64 << 10;
    private static final long MARKS = Qcow2Header.INCOMPAT_DIRTY | Qcow2Header.INCOMPAT_CORRUPT;
    private static final long UNKNOWN_AUTOCLEAR = 1L << 60;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void wrongRefcountsAndFlagsAreMendedAndTheFlagsOfTheFileKept(boolean raw) throws IOException {
        Path image = create(raw);
        byte[] data = Files.readAllBytes(folder.resolve("a.data"));
        byte[] damaged = marked(image);
        RepairTest.damageRefcounts(damaged, new Random(4));
        ByteBuffer bytes = ByteBuffer.wrap(damaged);
        int table = table(damaged);
        bytes.putLong(table + 8, bytes.getLong(table + 8) & ~L2Entry.COPIED);
        Files.write(image, damaged);

        CheckReport report = Qcow2.repair(image, OpenOptions.defaults(), Qcow2.Repair.ALL);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        assertWhole(image, raw, data);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void leaksAreFreedAndTheFlagsOfTheFileKept(boolean raw) throws IOException {
        Path image = create(raw);
        byte[] data = Files.readAllBytes(folder.resolve("a.data"));
        byte[] leaking = marked(image);
        ByteBuffer bytes = ByteBuffer.wrap(leaking);
        int block = (int) bytes.getLong((int) bytes.getLong(48));
        bytes.putShort(block + 2 * (table(leaking) / CLUSTER), (short) 2);
        Files.write(image, leaking);

        CheckReport report = Qcow2.repair(image, OpenOptions.defaults(), Qcow2.Repair.ALL);

        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
        assertWhole(image, raw, data);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void marksGoWhenAllIsDurable(boolean raw) throws IOException {
        byte[] damaged = marked(create(raw));
        RepairTest.damageRefcounts(damaged, new Random(4));
        CrashStorage storage = new CrashStorage("a.qcow2", damaged);

        Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL);

        CrashStorage.Replay replay = storage.replay();
        Random random = new Random(5);
        int without = 0;
        for (int moment = 0; moment <= replay.end(); moment++) {
            for (int i = 0; i < 8; i++) {
                byte[] state = replay.state(moment, random);
                Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(state));
                assertThat(header.hasDataFile()).isTrue();
                assertThat(isRaw(header)).isEqualTo(raw);
                if ((header.incompatibleFeatures() & MARKS) != MARKS) {
                    without++;
                    assertThat(header.incompatibleFeatures() & MARKS).isZero();
                    try (DiskImage opened = Qcow2Builder.open(state, OpenOptions.defaults())) {
                        assertThat(opened.check(CheckOutcome.SILENT).corruptions())
                                .isZero();
                    }
                }
            }
        }
        assertThat(without).isPositive();
    }

    @Test
    void marksStayWhereSomethingIsWrongStill() throws IOException {
        byte[] damaged = marked(create(true));
        ByteBuffer bytes = ByteBuffer.wrap(damaged);
        int table = table(damaged);
        // compressed: no cluster of a data file can be
        bytes.putLong(table + 8, L2Entry.COMPRESSED | 5 * CLUSTER);
        CrashStorage storage = new CrashStorage("a.qcow2", damaged);

        assertThatThrownBy(() -> Qcow2.repair(storage, OpenOptions.defaults(), Qcow2.Repair.ALL))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("entry at " + (table + 8));
        assertThat(storage.contents()).isEqualTo(damaged);

        bytes.putLong(table + 8, CLUSTER | L2Entry.COPIED | 2);
        CrashStorage reserved = new CrashStorage("a.qcow2", damaged);
        CheckReport left = Qcow2.repair(reserved, OpenOptions.defaults(), Qcow2.Repair.ALL);

        assertThat(left.corruptions()).isPositive();
        Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(reserved.contents()));
        assertThat(header.incompatibleFeatures() & MARKS).isEqualTo(MARKS);
        assertThat(isRaw(header)).isTrue();
    }

    private Path create(boolean raw) throws IOException {
        Path image = folder.resolve("a.qcow2");
        Qcow2.create(
                image, CreateOptions.builder(1 << 20).dataFile("a.data", raw).build());
        try (DiskImage opened = DiskImages.open(image, options())) {
            opened.write(0, ByteBuffer.wrap(TestBytes.of(0, 3 * CLUSTER)), Durability.NONE);
            opened.writeZeroes(CLUSTER, CLUSTER, ZeroMode.KEEP_ALLOCATION, Durability.NONE);
        }
        return image;
    }

    private OpenOptions options() {
        return OpenOptions.builder()
                .writable(true)
                .references(ReferencePolicy.under(folder))
                .build();
    }

    /** The image with the marks "dirty" and "corrupt", and with a feature that nobody knows. */
    private static byte[] marked(Path image) throws IOException {
        byte[] bytes = Files.readAllBytes(image);
        ByteBuffer header = ByteBuffer.wrap(bytes);
        header.putLong(72, header.getLong(72) | MARKS);
        header.putLong(88, header.getLong(88) | UNKNOWN_AUTOCLEAR);
        return bytes;
    }

    private static int table(byte[] image) {
        ByteBuffer bytes = ByteBuffer.wrap(image);
        return (int) L2Entry.offset(bytes.getLong((int) bytes.getLong(40)));
    }

    private static boolean isRaw(Qcow2Header header) {
        return (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0;
    }

    private void assertWhole(Path image, boolean raw, byte[] data) throws IOException {
        Qcow2Header header = Qcow2Header.read(Qcow2Builder.storage(Files.readAllBytes(image)));
        assertThat(header.incompatibleFeatures()).isEqualTo(Qcow2Header.INCOMPAT_DATA_FILE);
        assertThat(header.autoclearFeatures()).isEqualTo(raw ? Qcow2Header.AUTOCLEAR_DATA_FILE_RAW : 0);
        assertThat(folder.resolve("a.data")).hasBinaryContent(data);
        if (ReferenceTools.isInstalled("qemu-img")) {
            ReferenceTools.runIn(folder, "qemu-img", "check", "a.qcow2").assertSuccess();
        }
        byte[] disk = new byte[3 * CLUSTER];
        try (DiskImage opened = DiskImages.open(image, options())) {
            opened.read(0, ByteBuffer.wrap(disk));
        }
        byte[] expected = TestBytes.of(0, 3 * CLUSTER);
        Arrays.fill(expected, CLUSTER, 2 * CLUSTER, (byte) 0);
        assertThat(disk).isEqualTo(expected);
    }
}
