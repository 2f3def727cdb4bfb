package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Extents;
import dev.platter.core.OpenOptions;
import dev.platter.core.OpenOptions.TruncatedFile;
import dev.platter.core.Warning;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ShortStorage;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Files that end too early. */
final class TruncatedFileTest {
    private static final int CLUSTER = 4096;

    private final List<Warning> warnings = new ArrayList<>();

    @Test
    void dataClusterBeyondTheEndIsRefusedAndItsNeighbourRead() throws IOException {
        try (DiskImage image = open(withDataLast(2), TruncatedFile.REFUSE)) {
            assertThat(read(image, 0, CLUSTER)).isEqualTo(TestBytes.of(0, CLUSTER));
            assertTruncated(image, CLUSTER, "data cluster at 24576 lies beyond the end of the file (24576 bytes)");
            assertTruncated(image, CLUSTER - 1, "data cluster");
            assertThat(Extents.at(image, CLUSTER).unreadable()).isTrue();
        }
        assertThat(warnings).isEmpty();
    }

    @Test
    void dataClusterBeyondTheEndIsZerosIfAskedAndWarnedOf() throws IOException {
        try (DiskImage image = open(withDataLast(2), TruncatedFile.ZEROS)) {
            assertThat(read(image, CLUSTER, CLUSTER)).containsOnly(0);
            assertThat(Extents.at(image, CLUSTER).unreadable()).isFalse();
            assertThat(Extents.at(image, CLUSTER).readsAsZero()).isTrue();
        }
        assertThat(warnings).singleElement().asString().contains("test.qcow2: data cluster at 24576", "zeros");
    }

    @Test
    void missingTailOfTheLastDataClusterIsZeros() throws IOException {
        byte[] whole = withDataLast(2);
        byte[] file = Arrays.copyOf(whole, whole.length + 100);
        System.arraycopy(TestBytes.of(CLUSTER, 100), 0, file, whole.length, 100);

        try (DiskImage image = open(file, TruncatedFile.REFUSE)) {
            Contents expected = Contents.testBytes(CLUSTER + 100).then(Contents.zeros(CLUSTER - 100));
            expected.assertAll(image);
            expected.assertRead(image, 2 * CLUSTER - 5, 5);
        }
    }

    @Test
    void tableBeyondTheEndIsRefusedOrReadAsEmpty() throws IOException {
        byte[] whole = new Qcow2Builder(3, 12, 1024L * CLUSTER).data(0, 512).build();
        long l2 = L2Entry.offset(ByteBuffer.wrap(whole).getLong(CLUSTER + 8));
        for (int kept : new int[] {0, 1, 8, CLUSTER - 1}) {
            byte[] file = Arrays.copyOf(whole, (int) l2 + kept);
            try (DiskImage image = open(file, TruncatedFile.REFUSE)) {
                assertTruncated(image, 513L * CLUSTER, "L2 table at " + l2 + " lies beyond the end of the file");
                assertThat(read(image, 0, CLUSTER)).isEqualTo(TestBytes.of(0, CLUSTER));
                assertThat(Extents.at(image, 512L * CLUSTER).unreadable()).isTrue();
            }
            warnings.clear();
            try (DiskImage image = open(file, TruncatedFile.ZEROS)) {
                assertThat(read(image, 513L * CLUSTER, CLUSTER)).containsOnly(0);
            }
            assertThat(warnings).singleElement().asString().contains("L2 table at " + l2);
        }
    }

    @Test
    void activeTableBeyondTheEndIsReadAsEmptyOnlyIfAsked() throws IOException {
        byte[] file = Arrays.copyOf(new Qcow2Builder(3, 12, CLUSTER).data(0).build(), CLUSTER);

        assertThatThrownBy(() -> open(file, TruncatedFile.REFUSE))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("L1 table (8 bytes) at 4096");
        try (DiskImage image = open(file, TruncatedFile.ZEROS)) {
            assertThat(read(image, 0, CLUSTER)).containsOnly(0);
        }
        assertThat(warnings)
                .isNotEmpty()
                .allSatisfy(warning -> assertThat(warning.text()).contains("L1 table"));
    }

    @Test
    void warningsOfTheSameKindComeToAnEnd() throws IOException {
        Qcow2Builder made = new Qcow2Builder(3, 12, 512L * CLUSTER);
        for (int i = 0; i < 512; i++) {
            made.entry(i, (1L << 40) + (long) i * CLUSTER, 0);
        }

        try (DiskImage image = open(made.build(), TruncatedFile.ZEROS)) {
            for (int i = 0; i < 512; i++) {
                assertThat(read(image, (long) i * CLUSTER, CLUSTER)).containsOnly(0);
            }
        }
        assertThat(warnings).hasSizeBetween(1, 20);
        assertThat(warnings.get(warnings.size() - 1).text()).contains("more", "not reported");
    }

    @Test
    void fileThatWasCutWhileOpenIsTruncatedAndNotZeros() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 1024L * CLUSTER).data(0, 1, 512).build();
        long l2 = L2Entry.offset(ByteBuffer.wrap(file).getLong(CLUSTER + 8));
        OpenOptions options = OpenOptions.defaults();

        try (DiskImage image = DiskImages.open(new ShortStorage(Qcow2Builder.storage(file), l2 + 8), options)) {
            assertTruncated(image, 513L * CLUSTER, "L2 table");
        }
        try (DiskImage image = DiskImages.open(new ShortStorage(Qcow2Builder.storage(file), 3 * CLUSTER), options)) {
            assertThatThrownBy(() -> read(image, 0, 2 * CLUSTER)).isInstanceOf(CorruptImageException.class);
        }
    }

    @Test
    void storageThatGivesLessThanItsSizeEndsInDiskImageException() throws IOException {
        byte[] file = new Qcow2Builder(3, 12, 1024L * CLUSTER)
                .data(0, 1, 512)
                .snapshot("1", "s", CLUSTER)
                .bitmap("b", 16, 0, new byte[8])
                .build();
        OpenOptions options = OpenOptions.builder().format("qcow2").build();
        for (int end = 0; end < file.length; end += 256) {
            try (DiskImage image = DiskImages.open(new ShortStorage(Qcow2Builder.storage(file), end), options)) {
                assertThat(image.size()).isEqualTo(1024L * CLUSTER);
                read(image, 0, 513 * CLUSTER);
            } catch (DiskImageException e) {
                assertThat(e).hasMessageContaining("test.qcow2");
            }
        }
    }

    /** An image whose clusters lie behind its tables, cut before the last of them. */
    private static byte[] withDataLast(int clusters) {
        int tables = 5 * CLUSTER;
        Qcow2Builder made = new Qcow2Builder(3, 12, (long) clusters * CLUSTER);
        for (int i = 0; i < clusters; i++) {
            made.entry(i, tables + (long) i * CLUSTER, 0);
        }
        int there = (clusters - 1) * CLUSTER;
        byte[] file = Arrays.copyOf(made.build(), tables + there);
        System.arraycopy(TestBytes.of(0, there), 0, file, tables, there);
        return file;
    }

    private DiskImage open(byte[] file, TruncatedFile treatment) throws IOException {
        return Qcow2Builder.open(
                file,
                OpenOptions.builder()
                        .truncatedFile(treatment)
                        .onWarning(warnings::add)
                        .build());
    }

    private static byte[] read(DiskImage image, long offset, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        image.read(offset, into);
        return into.array();
    }

    private static void assertTruncated(DiskImage image, long offset, String part) {
        assertThatThrownBy(() -> read(image, offset, 2))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining(part)
                .hasMessageContaining("truncated");
    }
}
