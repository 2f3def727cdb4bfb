package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.testkit.Corpus;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.Mutations;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class Qcow2CheckTest {
    private static final long COPIED = L2Entry.COPIED;
    private static final int SMALLEST_WINDOW = 256;

    private final Findings findings = new Findings();

    /** Keeps what a check finds, and how it progressed. */
    private static final class Findings implements CheckListener {
        private final List<String> texts = new ArrayList<>();
        private final List<Long> done = new ArrayList<>();
        private final List<Long> totals = new ArrayList<>();
        private int callsAllowed = Integer.MAX_VALUE;

        @Override
        public void finding(Kind kind, long offset, String text) {
            texts.add(kind + " " + offset + " " + text);
        }

        @Override
        public boolean progress(long units, long total) {
            done.add(units);
            totals.add(total);
            return --callsAllowed >= 0;
        }
    }

    /** One L2 table in cluster 4, one data cluster in 5, all refcounts right. */
    private static CheckImage goodImage() {
        CheckImage image = new CheckImage(9, 4, 6, 1);
        image.l1(0, COPIED | image.at(4)).put(4, 0, COPIED | image.at(5));
        for (int i = 0; i < 6; i++) {
            image.refcount(i, 1);
        }
        return image;
    }

    @Test
    void goodImageHasNoFindings() throws IOException {
        CheckReport report = goodImage().check(findings);

        assertThat(report).isEqualTo(new CheckReport(0, 0, 0, 64, 1, 0, 0, 6 * 512));
        assertThat(findings.texts).isEmpty();
    }

    @Test
    void unusedClusterWithRefcountIsLeaked() throws IOException {
        CheckImage image = goodImage().put(4, 0, 0);

        CheckReport report = image.check(findings);

        assertThat(report.leaks()).isEqualTo(1);
        assertThat(findings.texts).containsExactly("LEAK 2560 Leaked cluster 5 refcount=1 reference=0");
    }

    @Test
    void usedClusterWithoutRefcountIsCorruptTwice() throws IOException {
        CheckImage image = goodImage().refcount(5, 0);

        CheckReport report = image.check(findings);

        assertThat(report.corruptions()).isEqualTo(2);
        assertThat(findings.texts)
                .containsExactlyInAnyOrder(
                        "CORRUPTION 2560 ERROR cluster 5 refcount=0 reference=1",
                        "CORRUPTION 2048 ERROR OFLAG_COPIED data cluster: l2_entry=8000000000000a00 refcount=0");
    }

    @Test
    void metadataUsedAsDataIsFound() throws IOException {
        CheckImage image = goodImage().put(4, 1, COPIED | 2 * 512);

        CheckReport report = image.check(findings);

        assertThat(report.corruptions()).isEqualTo(2);
        assertThat(findings.texts)
                .contains(
                        "CORRUPTION 512 ERROR refcount block 0 refcount=2",
                        "CORRUPTION 1024 ERROR cluster 2 refcount=1 reference=2");
    }

    @Test
    void moreReferencesThanRefcountsCanHoldAreCorruptionsEach() throws IOException {
        // refcounts of one bit: the data cluster of four entries is counted once, and too much three times
        CheckImage image = new CheckImage(9, 0, 6, 1);
        image.l1(0, COPIED | image.at(4)).put(2, 0, 0b111111L << 56);
        for (int i = 0; i < 4; i++) {
            image.put(4, i, COPIED | image.at(5));
        }

        CheckReport report = image.check(findings);

        assertThat(report.corruptions()).isEqualTo(3);
        assertThat(findings.texts).containsExactly("CORRUPTION 2560 ERROR: overflow cluster offset=0xa00");
    }

    @Test
    void countersThatOutgrowTheSideTableAreCountedAgain() throws IOException {
        int tables = 780;
        int rounds = 256;
        int firstData = 3 + tables * rounds / 64 + tables;
        CheckImage image = new CheckImage(9, 4, firstData + tables * 64, tables * rounds);
        int firstTable = 3 + tables * rounds / 64;
        for (int i = 0; i < tables * rounds; i++) {
            image.l1(i, image.at(firstTable + i % tables));
        }
        for (int i = 0; i < tables * 64; i++) {
            image.put(firstTable + i / 64, i % 64, image.at(firstData + i));
        }
        for (int i = 0; i < 256; i++) {
            image.refcount(i, 1);
        }

        CheckReport report = image.check(findings, 15 << 20);

        long stored = 256;
        long referenced = firstData + tables * 64L;
        assertThat(report.corruptions()).isEqualTo(referenced - stored);
        assertThat(report.allocatedClusters()).isEqualTo((long) tables * 64 * rounds);
        assertThat(findings.texts)
                .hasSize((int) (referenced - stored))
                .contains("CORRUPTION " + image.at(firstData) + " ERROR cluster " + firstData
                        + " refcount=0 reference=256");
    }

    @ParameterizedTest
    @ValueSource(strings = {"q-c512.qcow2", "q-zlib-4k.qcow2", "q-v2-c1k.qcow2", "q-rb1.qcow2", "q-bitmaps.qcow2"})
    void windowsDoNotChangeTheReport(String file) throws IOException {
        byte[] original = Files.readAllBytes(Corpus.assumeCorpus().unpack(file));

        Mutations.of("windows " + file, original).rounds(60).truncating().run(image -> {
            Findings whole = new Findings();
            Findings parts = new Findings();
            CheckReport expected = CheckImage.check(image, whole, Limits.defaults(), 15 << 20);
            CheckReport report = CheckImage.check(image, parts, Limits.defaults(), SMALLEST_WINDOW);

            assertThat(report).isEqualTo(expected);
            assertThat(parts.texts).containsExactlyInAnyOrderElementsOf(whole.texts);
        });
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"q-c512.qcow2", "q-zlib-4k.qcow2", "q-extl2-zstd.qcow2", "q-bitmaps.qcow2", "q-snapshots.qcow2"})
    void damagedImageEndsInAReportOrAnImageException(String file) throws IOException {
        byte[] original = Files.readAllBytes(Corpus.assumeCorpus().unpack(file));

        Mutations.of("check " + file, original)
                .within(0, 8 * 65536)
                .rounds(300)
                .truncating()
                .allocatingAtMost(64 << 20)
                .run(image -> CheckImage.check(image, CheckOutcome.SILENT, Limits.defaults(), SMALLEST_WINDOW * 4096));
    }

    @Test
    void tablesThatAliasEachOtherHitTheLimit() {
        CheckImage image = new CheckImage(16, 4, 6, 8192);
        for (int i = 0; i < 8192; i++) {
            image.l1(i, image.at(4));
        }

        assertThatThrownBy(() -> image.check(findings))
                .isInstanceOf(LimitExceededException.class)
                .hasMessageContaining("check.qcow2")
                .hasMessageContaining("alias each other");
    }

    @Test
    void refcountTableBeyondItsLimitCannotBeChecked() {
        CheckImage image = goodImage();
        image.bytes().putInt(56, (8 << 20) / 512 + 1);

        assertThatThrownBy(() -> image.check(findings))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("refcount table");
    }

    /** What lies beyond the end of the file is zeros to a check; beyond 2^63 there is nothing. */
    @Test
    void snapshotTableThatGoesBeyondTheLastOffsetIsRefused() {
        CheckImage image = goodImage();
        image.bytes().putInt(60, 60000).putLong(64, Long.MAX_VALUE & -512);

        assertThatThrownBy(() -> image.check(findings))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("snapshot table at 9223372036854775296 goes beyond 2^63");
    }

    @Test
    void unalignedRefcountBlockLeavesItsClustersUnchecked() throws IOException {
        CheckImage image = new CheckImage(10, 4, 6, 1);
        image.l1(0, COPIED | image.at(4)).put(1, 0, image.at(2) + 512);

        CheckReport report = image.check(findings);

        assertThat(report.checkErrors()).isEqualTo(6);
        assertThat(report.corruptions()).isEqualTo(1);
        assertThat(findings.texts)
                .contains(
                        "CORRUPTION 1024 ERROR refcount block 0 is not cluster aligned; refcount table entry corrupted");
    }

    @Test
    void reservedBitsInTheRefcountTableAreCorruption() throws IOException {
        CheckReport report = goodImage().put(1, 1, 1).check(findings);

        assertThat(report.corruptions()).isEqualTo(1);
        assertThat(findings.texts).containsExactly("CORRUPTION 520 ERROR refcount table entry 1 has reserved bits set");
    }

    @Test
    void listenerThatRefusesEndsTheCheck() {
        findings.callsAllowed = 0;

        assertThatThrownBy(() -> goodImage().check(findings)).isInstanceOf(CancellationException.class);
    }

    @Test
    void listenerIsAskedWhileTablesAreWalked() {
        CheckImage image = new CheckImage(16, 4, 6, 64);
        for (int i = 0; i < 64; i++) {
            image.l1(i, image.at(4));
        }
        findings.callsAllowed = 2;

        assertThatThrownBy(() -> image.check(findings)).isInstanceOf(CancellationException.class);
        assertThat(findings.done).hasSize(3).isSorted();
    }

    @Test
    void progressRisesToItsTotal() throws IOException {
        CheckImage image = new CheckImage(9, 4, 1000, 4);
        image.l1(0, image.at(4)).put(4, 0, image.at(300)).put(4, 1, image.at(999));

        image.check(findings, SMALLEST_WINDOW);

        assertThat(findings.done).isSorted().last().isEqualTo(findings.totals.get(0));
        assertThat(findings.totals).containsOnly(findings.totals.get(0));
    }

    @Test
    void memoryDoesNotGrowWithTheFile(@TempDir Path folder) throws Exception {
        long size = 8L << 40;
        Path file = TempImages.sparse(folder, "sparse.qcow2", size);
        CheckImage image = new CheckImage(16, 4, 6, 1);
        image.l1(0, image.at(4)).put(4, 0, size - image.at(1));
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.WRITE)) {
            ByteBuffer bytes = image.bytes().duplicate();
            channel.write(bytes, 0);
        }

        try (Storage storage = Storages.open(file, false)) {
            long allocated =
                    CountingAllocation.of(() -> CheckImage.check(storage, findings, Limits.defaults(), 15 << 20));

            assertThat(allocated).isLessThan(64 << 20);
        }
        assertThat(findings.texts)
                .contains("CORRUPTION " + (size - 65536) + " ERROR cluster " + ((size >>> 16) - 1)
                        + " refcount=0 reference=1");
    }
}
