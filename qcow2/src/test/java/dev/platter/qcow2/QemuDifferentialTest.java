package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Extent;
import dev.platter.core.ImageInfo;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.SnapshotInfo;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.DirectoryStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Images that qemu made and wrote to at random, against what qemu says of them. */
final class QemuDifferentialTest {
    private static final int SEEDS = 200;

    /** What the images of all seeds together have to have, so that the comparison is not of empty images. */
    private static final List<String> TURNS = List.of(
            "backing raw",
            "backing qcow2",
            "depth 3",
            "compat 0.10",
            "extended",
            "data file",
            "raw data file",
            "zstd",
            "compressed",
            "zeros",
            "subclusters",
            "snapshot",
            "snapshot of another size",
            "unaligned end",
            "backing shorter",
            "backing longer",
            "prepared space",
            "nothing");

    @TempDir
    private Path folder;

    private final Set<String> met = ConcurrentHashMap.newKeySet();

    @BeforeEach
    void requireQemu() {
        ReferenceTools.assumeTool("qemu-img");
        ReferenceTools.assumeTool("qemu-io");
    }

    @Test
    void bytesMapInfoAndSnapshotsAreThoseOfQemu() throws Exception {
        int seeds = Seeds.run(QemuDifferentialTest.class, SEEDS, random -> {
            Path own = Files.createTempDirectory(folder, "seed");
            QemuChain made = QemuChain.make(own, random);
            try {
                compare(made.top(), random);
                if (made.size() > 0 && made.hasWholeSectors()) {
                    made.fillHoles();
                    compareMap(made.top(), random);
                }
            } catch (IOException | RuntimeException | AssertionError e) {
                throw new AssertionError(e + "\n  image: " + made, e);
            } finally {
                deleteAll(own);
            }
        });

        if (seeds >= SEEDS) {
            assertThat(met).containsAll(TURNS);
        }
    }

    @Test
    void bitmapsAreThoseOfQemu() throws Exception {
        Path file = TempImages.qemu(folder, "test.qcow2", "qcow2", 3 << 20);
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", "-g", "4096", file.toString(), "fine");
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", "--disable", file.toString(), "coarse");
        ReferenceTools.runOk("qemu-io", "-c", "write 12k 1k", "-c", "write 1M 70k", file.toString());

        try (DiskImage image = open(file)) {
            List<String> ranges = new ArrayList<>();
            image.dirtyRanges("fine", (offset, length) -> ranges.add(offset + "+" + length));
            assertThat(ranges).containsExactly("12288+4096", "1048576+73728");
            image.dirtyRanges("coarse", (offset, length) -> {
                throw new AssertionError("dirty at " + offset);
            });
            assertInfo(
                    image.info(),
                    ReferenceTools.runOk("qemu-img", "info", "--output=json", file.toString())
                            .json());
        }
    }

    private void compare(Path file, Random random) throws IOException {
        try (DiskImage image = open(file)) {
            assertThat(image.problems()).isEmpty();
            assertInfo(
                    image.info(),
                    qemu(file, "qemu-img", "info", "--output=json", file.toString())
                            .json());
            Contents guest = guest(file);
            readAtRandom(image, guest, random);
            guest.assertAll(image);
            for (SnapshotInfo snapshot : image.snapshots()) {
                compareSnapshot(image, snapshot, file, random);
            }
            noteForm(image);
        }
    }

    private void compareSnapshot(DiskImage image, SnapshotInfo snapshot, Path file, Random random) throws IOException {
        Path copy = Files.copy(file, file.resolveSibling("copy"), StandardCopyOption.REPLACE_EXISTING);
        if (ReferenceTools.run("qemu-img", "snapshot", "-a", snapshot.id(), copy.toString())
                        .exit()
                != 0) {
            // refcounts of few bits have no room for a third use
            return;
        }
        try (BlockDevice device = image.openSnapshot(snapshot.id())) {
            Contents guest = guest(copy);
            readAtRandom(device, guest, random);
            guest.assertAll(device);
            met.add(device.size() == image.size() ? "snapshot" : "snapshot of another size");
        }
    }

    private void compareMap(Path file, Random random) throws IOException {
        JsonNode map = qemu(file, "qemu-img", "map", "--output=json", file.toString())
                .assertSuccess()
                .json();
        List<QemuMap.Line> expected = QemuMap.of(map);
        try (DiskImage image = open(file)) {
            for (int i = 0; i < 20; i++) {
                long length = random.nextLong(image.size() + 1);
                long offset = random.nextLong(image.size() - length + 1);
                assertThat(QemuMap.of(image, offset, length))
                        .as("map of %d at %d", length, offset)
                        .isEqualTo(QemuMap.part(expected, offset, length));
            }
            assertThat(QemuMap.of(image)).isEqualTo(expected);
        }
    }

    private static void readAtRandom(BlockDevice device, Contents guest, Random random) throws IOException {
        for (int i = 0; i < 60 && device.size() > 0; i++) {
            int length = (int) Math.min(device.size(), random.nextInt(2 << random.nextInt(21)));
            long offset = random.nextLong(device.size() - length + 1);
            ByteBuffer into = random.nextBoolean() ? ByteBuffer.allocateDirect(length) : ByteBuffer.allocate(length);
            device.read(offset, into);
            guest.assertMatch(offset, into, "read of " + length + " at " + offset);
        }
    }

    /** Notes what kind of image this is. */
    private void noteForm(DiskImage image) throws IOException {
        String text = image.info().formatSpecific().toString();
        Map.of(
                        "compat=0.10",
                        "compat 0.10",
                        "extended-l2=true",
                        "extended",
                        "data-file=",
                        "data file",
                        "data-file-raw=true",
                        "raw data file",
                        "compression-type=zstd",
                        "zstd")
                .forEach((fact, name) -> note(name, text.contains(fact)));
        DiskImage below = image.backing();
        if (below != null) {
            met.add("backing " + below.info().format());
            note("backing shorter", below.size() < image.size());
            note("backing longer", below.size() > image.size());
        }
        note("nothing", image.size() == 0);
        long cluster = Objects.requireNonNull(image.info().clusterSize());
        note("unaligned end", image.size() % cluster != 0);
        boolean extended = text.contains("extended-l2=true");
        image.extents(0, image.size(), (offset, length, facts, depth, holder, holderOffset) -> {
            note("compressed", (facts & Extent.COMPRESSED) != 0);
            note("zeros", facts == (Extent.ALLOCATED | Extent.READS_AS_ZERO));
            note("depth 3", depth == 3);
            note("prepared space", (facts & Extent.READS_AS_ZERO) != 0 && holder != null);
            note("subclusters", extended && depth == 0 && offset % cluster != 0 && facts == Extent.ALLOCATED);
            return true;
        });
    }

    private void note(String name, boolean isSo) {
        if (isSo) {
            met.add(name);
        }
    }

    private static Contents guest(Path file) throws IOException {
        Path raw = file.resolveSibling("guest.raw");
        qemu(file, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", file.toString(), raw.toString())
                .assertSuccess();
        return Contents.of(Files.readAllBytes(raw));
    }

    /** Runs a program in the folder of an image: the names of data files start there. */
    private static ToolResult qemu(Path file, String... command) throws IOException {
        return ReferenceTools.runIn(Objects.requireNonNull(file.getParent()), command)
                .assertSuccess();
    }

    private static void deleteAll(Path folder) throws IOException {
        try (DirectoryStream<Path> files = Files.newDirectoryStream(folder)) {
            for (Path file : files) {
                Files.delete(file);
            }
        }
        Files.delete(folder);
    }

    private static void assertInfo(ImageInfo ours, JsonNode theirs) throws IOException {
        assertThat(ours.format()).isEqualTo(theirs.path("format").asText());
        assertThat(ours.virtualSize()).isEqualTo(theirs.path("virtual-size").asLong());
        assertThat(ours.clusterSize()).isEqualTo(theirs.path("cluster-size").asLong());
        assertThat(ours.dirty()).isEqualTo(theirs.path("dirty-flag").asBoolean());
        assertThat(ours.encrypted()).isEqualTo(theirs.path("encrypted").asBoolean());
        assertThat(ours.backingFilename()).isEqualTo(text(theirs.path("backing-filename")));
        assertThat(ours.fullBackingFilename()).isEqualTo(text(theirs.path("full-backing-filename")));
        assertThat(ours.backingFormat()).isEqualTo(text(theirs.path("backing-filename-format")));
        ObjectMapper mapper = new ObjectMapper();
        assertThat(mapper.readTree(mapper.writeValueAsString(new TreeMap<>(ours.formatSpecific()))))
                .isEqualTo(mapper.readTree(
                        theirs.path("format-specific").path("data").toString()));
    }

    private static @Nullable String text(JsonNode node) {
        return node.isMissingNode() ? null : node.asText();
    }

    private DiskImage open(Path file) throws IOException {
        return DiskImages.open(
                file,
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build());
    }
}
