package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.ReferenceRefusedException;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** What is below an image: names, sizes, formats, and what cannot be opened. */
final class BackingChainTest {
    private static final int CLUSTER = 4096;

    @TempDir
    private Path folder;

    private OpenOptions options;

    @BeforeEach
    void allowTheFolder() {
        options =
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build();
    }

    @ParameterizedTest
    @CsvSource({"40960, 4096", "40960, 4097", "40960, 40960", "40960, 40961", "40960, 80000", "40960, 0", "512, 40960"})
    void baseOfAnySizeIsSeenAsFarAsItGoes(int size, int baseSize) throws Exception {
        Files.write(folder.resolve("base.raw"), RandomImage.backing(baseSize).bytes(0, baseSize));
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, size).backing("base.raw", "raw"));

        try (DiskImage image = DiskImages.open(file, options)) {
            RandomImage.backing(Math.min(size, baseSize))
                    .then(Contents.zeros(Math.max(0, size - baseSize)))
                    .assertAll(image);
            if (baseSize % 512 == 0) {
                // qemu rounds a raw file up to whole sectors
                assertMapIsThatOfQemu(image, file);
            }
        }
    }

    @Test
    void chainOfFiveWithOtherClusterSizesShowsTheTopmost() throws Exception {
        int size = 1 << 20;
        Files.write(folder.resolve("0.raw"), RandomImage.backing(size).bytes(0, size));
        String below = "0.raw";
        for (int i = 1; i <= 4; i++) {
            Qcow2Builder made = new Qcow2Builder(3, 18 - 2 * i, size).backing(below, i == 1 ? "raw" : "qcow2");
            // layer i holds the i-th 64 KiB and nothing else
            int clusters = 1 << (2 * i - 2);
            for (int n = 0; n < clusters; n++) {
                made.data((long) i * clusters + n);
            }
            below = i + ".qcow2";
            write(below, made);
        }

        try (DiskImage image = DiskImages.open(folder.resolve(below), options)) {
            RandomImage.backing(1 << 16).assertRead(image, 0, 1 << 16);
            Contents.testBytes(size).assertRead(image, 1 << 17, 3 << 16);
            RandomImage.backing(size).assertRead(image, 5 << 16, size - (5 << 16));
            assertThat(Extents.at(image, size - 1).depth()).isEqualTo(4);
            assertThat(Extents.at(image, 4 << 16).depth()).isZero();
            assertMapIsThatOfQemu(image, folder.resolve(below));
            assertBytesAreThoseOfQemu(image, folder.resolve(below));
        }
    }

    @Test
    void relativeNameIsSoughtBesideTheOverlayAsItWasOpened() throws Exception {
        Path left = Files.createDirectory(folder.resolve("left"));
        Path right = Files.createDirectory(folder.resolve("right"));
        Files.write(left.resolve("base.raw"), TestBytes.of(0, CLUSTER));
        Files.write(right.resolve("base.raw"), RandomImage.backing(CLUSTER).bytes(0, CLUSTER));
        Path file = write("left/top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("base.raw", "raw"));
        Path link = Files.createSymbolicLink(right.resolve("top.qcow2"), file);

        try (DiskImage direct = DiskImages.open(file, options);
                DiskImage linked = DiskImages.open(link, options)) {
            Contents.testBytes(CLUSTER).assertAll(direct);
            RandomImage.backing(CLUSTER).assertAll(linked);
            assertBytesAreThoseOfQemu(linked, link);
        }
    }

    @Test
    void baseWithoutStatedFormatIsRefusedUnlessProbingIsAllowed() throws Exception {
        Files.write(
                folder.resolve("base"), new Qcow2Builder(3, 12, CLUSTER).data(0).build());
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("base", null));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(image, 0, ReferenceRefusedException.class, "\"base\"", "--allow-probing");
        }
        try (DiskImage image = DiskImages.open(
                file, options.toBuilder().probeBackingFormat(true).build())) {
            Contents.testBytes(CLUSTER).assertAll(image);
        }
    }

    @Test
    void statedRawIsNeverProbed() throws Exception {
        byte[] base = new Qcow2Builder(3, 12, CLUSTER).data(0).build();
        Files.write(folder.resolve("base"), base);
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, base.length).backing("base", "raw"));

        try (DiskImage image = DiskImages.open(
                file, options.toBuilder().probeBackingFormat(true).build())) {
            Contents.of(base).assertAll(image);
        }
    }

    @Test
    void missingBaseLeavesReadableWhatDoesNotNeedIt() throws Exception {
        Path file = write(
                "top.qcow2",
                new Qcow2Builder(3, 12, 3 * CLUSTER)
                        .backing("gone.raw", "raw")
                        .data(0)
                        .zero(2));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(
                    image, CLUSTER, DiskImageException.class, "top.qcow2: backing file \"gone.raw\" does not exist");
            Contents.testBytes(CLUSTER).assertRead(image, 0, CLUSTER);
            Contents.zeros(3 * CLUSTER).assertRead(image, 2 * CLUSTER, CLUSTER);
            assertThatThrownBy(() -> image.read(CLUSTER - 1, ByteBuffer.allocate(2)))
                    .isInstanceOf(DiskImageException.class)
                    .hasMessageContaining("gone.raw");
            Extent missing = Extents.at(image, CLUSTER);
            assertThat(missing.unreadable()).isTrue();
            assertThat(missing.length()).isEqualTo(CLUSTER);
            assertThat(image.backing()).isNull();
            assertThat(image.info().backingFilename()).isEqualTo("gone.raw");
            assertThat(image.info().fullBackingFilename())
                    .isEqualTo(folder.resolve("gone.raw").toString());
        }
    }

    @Test
    void refusedBaseIsNamedWithTheOptionThatAllowsIt() throws Exception {
        Files.write(folder.resolve("base.raw"), new byte[CLUSTER]);
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("base.raw", "raw"));

        try (DiskImage image = DiskImages.open(file)) {
            assertProblem(image, 0, ReferenceRefusedException.class, "\"base.raw\"", "--allow-references " + folder);
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"json:{\"driver\":\"file\"}", "nbd://localhost/x", "file:/etc/hostname", "/dev/zero", "../up.raw"
            })
    void whatIsNotInTheFolderIsRefused(String name) throws Exception {
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing(name, "raw"));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(image, 0, ReferenceRefusedException.class, "may not be opened");
        }
    }

    @Test
    void folderAsBaseIsAProblem() throws Exception {
        Files.createDirectory(folder.resolve("base"));
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("base", "raw"));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(image, 0, DiskImageException.class, "\"base\"");
        }
        try (DiskImage image = DiskImages.open(
                file, options.toBuilder().references(ReferencePolicy.all()).build())) {
            assertProblem(image, 0, DiskImageException.class, "is a directory");
        }
    }

    @Test
    void unknownFormatOfTheBaseIsAProblem() throws Exception {
        Files.write(folder.resolve("base"), new byte[CLUSTER]);
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("base", "floppy\033[m"));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(image, 0, DiskImageException.class, "\"floppy\\x1b[m\"");
        }
    }

    @Test
    void imageThatBacksItselfIsCorruptWhereItIsNeeded() throws Exception {
        Path file = write(
                "top.qcow2",
                new Qcow2Builder(3, 12, 2 * CLUSTER)
                        .backing("top.qcow2", "qcow2")
                        .data(0));

        try (DiskImage image = DiskImages.open(file, options)) {
            Contents.testBytes(CLUSTER).assertRead(image, 0, CLUSTER);
            assertProblem(image, CLUSTER, CorruptImageException.class, "the image itself");
        }
    }

    @Test
    void cycleThroughLinksIsFound() throws Exception {
        write("a.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("b-link.qcow2", "qcow2"));
        Path file = write("b.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("a.qcow2", "qcow2"));
        Files.createSymbolicLink(folder.resolve("b-link.qcow2"), file);

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(
                    image, 0, CorruptImageException.class, "a.qcow2: backing file \"b-link.qcow2\"", "never ends");
        }
    }

    @Test
    void chainDeeperThanTheLimitIsAProblemNamedByTheDeepest() throws Exception {
        write("0.qcow2", new Qcow2Builder(3, 12, CLUSTER).data(0));
        for (int i = 1; i < 64; i++) {
            write(i + ".qcow2", new Qcow2Builder(3, 12, CLUSTER).backing((i - 1) + ".qcow2", "qcow2"));
        }
        Path file = write("64.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("63.qcow2", "qcow2"));

        try (DiskImage deepest = DiskImages.open(folder.resolve("63.qcow2"), options);
                DiskImage image = DiskImages.open(file, options);
                DiskImage allowed = DiskImages.open(
                        file,
                        options.toBuilder()
                                .limits(Limits.defaults().withChainDepth(65))
                                .build())) {
            Contents.testBytes(CLUSTER).assertAll(deepest);
            Contents.testBytes(CLUSTER).assertAll(allowed);
            assertProblem(image, 0, LimitExceededException.class, "1.qcow2: backing file \"0.qcow2\"", "64 images");
        }
    }

    @Test
    void closingAnImageClosesItsChain() throws Exception {
        Files.write(folder.resolve("base.raw"), TestBytes.of(0, CLUSTER));
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("base.raw", "raw"));
        DiskImage image = DiskImages.open(file, options);
        DiskImage base = Objects.requireNonNull(image.backing());

        image.close();

        assertThatThrownBy(() -> base.read(0, ByteBuffer.allocate(1))).isInstanceOf(ClosedChannelException.class);
    }

    @Test
    void dataFileThatIsMissingIsAProblemOfTheRangesThatNeedIt() throws Exception {
        Path file = write(
                "top.qcow2",
                new Qcow2Builder(3, 12, 3 * CLUSTER)
                        .dataFile("gone.raw")
                        .data(0)
                        .zero(1));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(image, 0, DiskImageException.class, "top.qcow2: data file \"gone.raw\" does not exist");
            Contents.zeros(3 * CLUSTER).assertRead(image, CLUSTER, 2 * CLUSTER);
            assertThat(Extents.at(image, 0).unreadable()).isTrue();
        }
    }

    @Test
    void dataFileIsReadAtTheOffsetsOfTheGuest() throws Exception {
        Files.write(folder.resolve("data.raw"), TestBytes.of(0, 3 * CLUSTER));
        Path file = write(
                "top.qcow2",
                new Qcow2Builder(3, 12, 3 * CLUSTER).dataFile("data.raw").data(0, 2));

        try (DiskImage image = DiskImages.open(file, options)) {
            Contents expected = Contents.testBytes(CLUSTER)
                    .then(Contents.zeros(CLUSTER))
                    .then(Contents.testBytes(3 * CLUSTER).slice(2 * CLUSTER, CLUSTER));
            expected.assertAll(image);
            assertThat(Extents.at(image, 0).below()).isNotNull();
        }
    }

    @Test
    void dataFileExcludesCompressedClustersAndRawOnesABackingFile() throws Exception {
        Files.write(folder.resolve("data.raw"), TestBytes.of(0, CLUSTER));
        Path compressed = write(
                "c.qcow2", new Qcow2Builder(3, 12, CLUSTER).dataFile("data.raw").compressed(0));
        Path both = write(
                "b.qcow2",
                new Qcow2Builder(3, 12, CLUSTER)
                        .dataFile("data.raw")
                        .autoclear(Qcow2Header.AUTOCLEAR_DATA_FILE_RAW)
                        .backing("c.qcow2", "qcow2"));
        Path unnamed = write("u.qcow2", new Qcow2Builder(3, 12, CLUSTER).incompatible(Qcow2Header.INCOMPAT_DATA_FILE));

        try (DiskImage image = DiskImages.open(compressed, options)) {
            assertThatThrownBy(() -> image.read(0, ByteBuffer.allocate(1))).isInstanceOf(CorruptImageException.class);
        }
        assertThatThrownBy(() -> DiskImages.open(both, options))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("exclude each other");
        assertThatThrownBy(() -> DiskImages.open(unnamed, options))
                .isInstanceOf(CorruptImageException.class)
                .hasMessageContaining("does not name it");
    }

    @Test
    void nameThatTheSystemCannotTakeIsAProblem() throws Exception {
        Path file = write("top.qcow2", new Qcow2Builder(3, 12, CLUSTER).backing("x".repeat(1000), "raw"));

        try (DiskImage image = DiskImages.open(file, options)) {
            assertProblem(image, 0, DiskImageException.class, "xxx");
        }
    }

    /** Asserts that the image says what it lacks, and that reading there says the same. */
    private static void assertProblem(
            DiskImage image, long offset, Class<? extends DiskImageException> type, String... parts) {
        assertThat(image.problems()).singleElement().isInstanceOf(type);
        assertThat(image.problems().get(0)).message().contains(parts);
        assertThatThrownBy(() -> image.read(offset, ByteBuffer.allocate(1)))
                .isInstanceOf(type)
                .message()
                .contains(parts);
    }

    private static void assertMapIsThatOfQemu(DiskImage image, Path file) throws IOException {
        if (ReferenceTools.isInstalled("qemu-img")) {
            JsonNode map = ReferenceTools.runOk("qemu-img", "map", "--output=json", file.toString())
                    .json();
            assertThat(QemuMap.of(image)).isEqualTo(QemuMap.of(map));
        }
    }

    private void assertBytesAreThoseOfQemu(DiskImage image, Path file) throws IOException {
        if (ReferenceTools.isInstalled("qemu-img")) {
            Path raw = folder.resolve("qemu.raw");
            ReferenceTools.runOk("qemu-img", "convert", "-O", "raw", file.toString(), raw.toString());
            Contents.ofFile(raw).assertAll(image);
        }
    }

    private Path write(String name, Qcow2Builder made) throws IOException {
        return Files.write(folder.resolve(name), made.build());
    }
}
