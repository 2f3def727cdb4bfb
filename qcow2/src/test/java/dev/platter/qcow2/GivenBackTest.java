package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockIOException;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.Contents;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.Faults;
import dev.platter.testkit.FaultyStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Clusters that were taken for what could not be written are free again: once the image is closed, none is leaked. */
final class GivenBackTest {
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @ParameterizedTest
    @CsvSource({"9, false", "12, false", "16, false", "14, true", "16, true"})
    void clustersOfDataThatCouldNotBeWritten(int clusterBits, boolean extended) throws IOException {
        int clusterSize = 1 << clusterBits;
        CrashStorage base = newImage(CreateOptions.builder(20L << clusterBits)
                .clusterSize(clusterSize)
                .extendedL2(extended));
        byte[] bytes = TestBytes.of(0, 3 * clusterSize);
        byte[] expected = new byte[20 << clusterBits];

        Faults faults = new Faults();
        try (DiskImage image = DiskImages.open(new FaultyStorage(base, faults), WRITABLE)) {
            // so that there is an L2 table
            image.write(0, ByteBuffer.wrap(bytes, 0, 512), Durability.FUA);
            System.arraycopy(bytes, 0, expected, 0, 512);
            faults.failWrites(base.size(), 1L << 40, BlockIOException.Kind.NO_SPACE);
            assertFails(() -> image.write(5L << clusterBits, ByteBuffer.wrap(bytes), Durability.NONE));
            assertFails(() -> image.write((5L << clusterBits) + 100, ByteBuffer.wrap(bytes, 0, 7), Durability.NONE));
            assertThat(read(image)).isEqualTo(expected);
            faults.heal();
            image.write(9L << clusterBits, ByteBuffer.wrap(bytes), Durability.NONE);
        }

        System.arraycopy(bytes, 0, expected, 9 << clusterBits, bytes.length);
        assertWhole(base, expected);
    }

    @ParameterizedTest
    @ValueSource(booleans = {false, true})
    void clustersThatWereToReplaceThoseOfASnapshot(boolean extended) throws IOException {
        int clusterSize = 16 << 10;
        CrashStorage base = newImage(
                CreateOptions.builder(8L * clusterSize).clusterSize(clusterSize).extendedL2(extended));
        byte[] expected = TestBytes.of(0, 8 * clusterSize);

        Faults faults = new Faults();
        try (Qcow2Disk image = (Qcow2Disk) DiskImages.open(new FaultyStorage(base, faults), WRITABLE)) {
            image.write(0, ByteBuffer.wrap(expected), Durability.NONE);
            image.createSnapshot("s");
            image.write(0, ByteBuffer.wrap(expected, 0, 512), Durability.FUA);
            faults.failWrites(0, 1L << 40, BlockIOException.Kind.NO_SPACE);
            assertFails(() -> image.write(3L * clusterSize + 5, ByteBuffer.allocate(1000), Durability.NONE));
            faults.heal();
            image.deleteSnapshot("s");
        }

        assertWhole(base, expected);
    }

    @Test
    void clustersWhoseRefcountsCouldNotBeRead() throws IOException {
        CrashStorage base = newImage(CreateOptions.builder(64 << 9).clusterSize(512));
        byte[] bytes = TestBytes.of(0, 64 << 9);
        Faults faults = new Faults();

        try (DiskImage image = DiskImages.open(new FaultyStorage(base, faults), WRITABLE)) {
            image.write(0, ByteBuffer.wrap(bytes), Durability.FUA);
            // the larger L1 table has more clusters than a block counts; the second of its new blocks cannot be read
            faults.failReads((256 + 1) << 9, 512);
            assertFails(() -> Qcow2.resize(image, 1L << 30, false));
        }

        assertWhole(base, bytes);
        try (DiskImage image = DiskImages.open(base, WRITABLE)) {
            Qcow2.resize(image, 1L << 30, false);
        }
        try (DiskImage image = DiskImages.open(base, OpenOptions.defaults())) {
            assertThat(image.size()).isEqualTo(1L << 30);
            Contents.of(bytes).assertRead(image, 0, bytes.length);
            assertClean(image);
        }
    }

    @ParameterizedTest
    @CsvSource({"12, false, false", "12, false, true", "14, true, false", "14, true, true"})
    void clustersThatCouldNotBePreallocated(int clusterBits, boolean extended, boolean written) throws IOException {
        CreateOptions.Builder options = CreateOptions.builder(40L << clusterBits)
                .clusterSize(1 << clusterBits)
                .extendedL2(extended);
        int failed = 0;
        for (int number = 0; ; number++) {
            CrashStorage base = newImage(options);
            Faults faults = new Faults();
            boolean done = false;
            try (DiskImage image = DiskImages.open(new FaultyStorage(base, faults), WRITABLE)) {
                faults.failOne(number, BlockIOException.Kind.NO_SPACE, Faults.Written.NOTHING);
                try {
                    ((Qcow2Image) image).preallocate(0, written);
                    done = true;
                } catch (BlockIOException e) {
                    failed++;
                }
                faults.heal();
                image.flush();
            } catch (BlockIOException e) {
                // a flush that failed stops all writing, and what was taken stays taken
                assertThat(e).hasMessageContaining("before it is opened again");
                continue;
            }
            assertWhole(base, new byte[40 << clusterBits]);
            if (done) {
                assertThat(failed).isGreaterThan(1);
                return;
            }
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    private static void assertFails(Step step) {
        assertThatThrownBy(step::run)
                .isInstanceOf(BlockIOException.class)
                .hasMessageContaining("failed as the test wants");
    }

    private static CrashStorage newImage(CreateOptions.Builder options) throws IOException {
        CrashStorage storage = new CrashStorage("failing.qcow2", new byte[0]);
        new NewImage(options.build()).write(storage);
        return storage;
    }

    private static byte[] read(DiskImage image) throws IOException {
        byte[] bytes = new byte[(int) image.size()];
        image.read(0, ByteBuffer.wrap(bytes));
        return bytes;
    }

    private static void assertWhole(CrashStorage storage, byte[] expected) throws IOException {
        try (DiskImage image = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
            assertThat(Arrays.mismatch(read(image), expected)).isNegative();
            assertClean(image);
        }
    }

    private static void assertClean(DiskImage image) throws IOException {
        CheckReport report = image.check(CheckOutcome.SILENT);
        assertThat(report.corruptions() + report.leaks()).as(report::toString).isZero();
    }
}
