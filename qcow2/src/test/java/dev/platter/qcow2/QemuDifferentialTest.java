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
import dev.platter.testkit.Seed;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Images that qemu made and wrote to at random, against what qemu says of them. */
final class QemuDifferentialTest {
    private static final long SIZE = (3 << 20) + 1536;

    @TempDir
    private Path folder;

    /** Options of {@code qemu-img create}, whether clusters are also written compressed, and the backing file. */
    record Made(String options, boolean compressed, String backing) {
        /** Bytes of the disk: some clusters and a piece of one. */
        long size() {
            return isLarge() ? (24L << 20) + 1536 : SIZE;
        }

        /** Bytes of a compressed write, whole clusters. */
        long unit() {
            return isLarge() ? 2 << 20 : 64 << 10;
        }

        private boolean isLarge() {
            return options.endsWith("2M");
        }

        @Override
        public String toString() {
            return options + (compressed ? ", some compressed" : "") + (backing.isEmpty() ? "" : " over " + backing);
        }
    }

    static List<Made> grid() {
        List<Made> grid = new ArrayList<>();
        for (String size : List.of("512", "4k", "64k", "2M")) {
            grid.add(new Made("compat=0.10,cluster_size=" + size, false, ""));
            grid.add(new Made("compat=0.10,cluster_size=" + size, true, "base.raw"));
            grid.add(new Made("cluster_size=" + size, true, "short.raw"));
            grid.add(new Made("compression_type=zstd,cluster_size=" + size, true, "long.qcow2"));
        }
        for (String size : List.of("16k", "64k", "2M")) {
            grid.add(new Made("extended_l2=on,cluster_size=" + size, false, ""));
            grid.add(new Made("extended_l2=on,cluster_size=" + size, true, "base.raw"));
            grid.add(new Made("extended_l2=on,compression_type=zstd,cluster_size=" + size, true, "short.raw"));
        }
        grid.add(new Made("data_file=DATA,cluster_size=64k", false, ""));
        grid.add(new Made("data_file=DATA,cluster_size=4k", false, "base.raw"));
        grid.add(new Made("data_file=DATA,extended_l2=on,cluster_size=64k", false, "long.qcow2"));
        grid.add(new Made("data_file=DATA,data_file_raw=on,cluster_size=64k", false, ""));
        grid.add(new Made("preallocation=metadata,cluster_size=64k", false, ""));
        grid.add(new Made("refcount_bits=1,lazy_refcounts=off,cluster_size=4k", false, ""));
        return grid;
    }

    @BeforeEach
    void requireQemu() {
        ReferenceTools.assumeTool("qemu-img");
        ReferenceTools.assumeTool("qemu-io");
    }

    @ParameterizedTest
    @MethodSource("grid")
    void bytesMapAndInfoAreThoseOfQemu(Made made) throws Exception {
        Path file = make(made);

        try (DiskImage image = open(file)) {
            assertThat(image.problems()).isEmpty();
            assertSame(image, file);
            assertThat(isCompressedSomewhere(image)).isEqualTo(made.compressed);
            assertInfo(
                    image.info(),
                    ReferenceTools.runIn(folder, "qemu-img", "info", "--output=json", file.toString())
                            .json());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"compat=0.10", "compat=1.1", "extended_l2=on"})
    void snapshotsOfOtherDiskSizesAreThoseOfQemu(String options) throws Exception {
        Path file = make(new Made(options + ",cluster_size=64k", true, ""));
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "first", file.toString());
        if (!options.equals("compat=0.10")) {
            ReferenceTools.runOk("qemu-img", "resize", "-q", file.toString(), Long.toString(2 * SIZE));
        }
        write(file, Seed.random("after the snapshot"), true, SIZE, 65536);
        ReferenceTools.runOk("qemu-img", "snapshot", "-c", "second", file.toString());
        write(file, Seed.random("after both"), false, SIZE, 65536);
        dense(file);

        try (DiskImage image = open(file)) {
            assertSame(image, file);
            assertThat(image.snapshots()).extracting(SnapshotInfo::name).containsExactly("first", "second");
            for (SnapshotInfo snapshot : image.snapshots()) {
                Path copy = Files.copy(file, folder.resolve("copy-" + snapshot.id()));
                ReferenceTools.runOk("qemu-img", "snapshot", "-a", snapshot.id(), copy.toString());
                try (BlockDevice device = image.openSnapshot(snapshot.id())) {
                    guest(copy).assertAll(device);
                }
            }
        }
    }

    @Test
    void bitmapsAreThoseOfQemu() throws Exception {
        Path file = TempImages.qemu(folder, "test.qcow2", "qcow2", SIZE);
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

    private void assertSame(DiskImage image, Path file) throws IOException {
        guest(file).assertAll(image);
        JsonNode map = ReferenceTools.runIn(folder, "qemu-img", "map", "--output=json", file.toString())
                .assertSuccess()
                .json();
        assertThat(QemuMap.of(image)).isEqualTo(QemuMap.of(map));
    }

    private static boolean isCompressedSomewhere(DiskImage image) throws IOException {
        boolean[] found = {false};
        image.extents(0, image.size(), (offset, length, facts, depth, below, belowOffset) -> {
            found[0] |= (facts & Extent.COMPRESSED) != 0 && depth == 0;
            return true;
        });
        return found[0];
    }

    private Contents guest(Path file) throws IOException {
        Path raw = folder.resolve("guest.raw");
        ReferenceTools.runIn(folder, "qemu-img", "convert", "-O", "raw", file.toString(), raw.toString())
                .assertSuccess();
        return Contents.ofFile(raw);
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

    private Path make(Made made) throws Exception {
        List<String> arguments = new ArrayList<>(List.of("-o", made.options.replace("DATA", "data.raw")));
        if (!made.backing.isEmpty()) {
            makeBacking(made.backing, made.size());
            String format = made.backing.substring(made.backing.indexOf('.') + 1);
            arguments.addAll(List.of("-b", made.backing, "-F", format));
        }
        Path file = TempImages.qemu(folder, "test.qcow2", "qcow2", made.size(), arguments.toArray(new String[0]));
        write(file, Seed.random("written " + made), made.compressed, made.size(), made.unit());
        dense(file);
        if (Files.exists(folder.resolve("data.raw"))) {
            dense(folder.resolve("data.raw"));
        }
        return file;
    }

    private void makeBacking(String name, long overlay) throws IOException {
        long other = name.startsWith("short") ? overlay / 2 / 512 * 512 : overlay + (1 << 20);
        long size = name.startsWith("base") ? overlay : other;
        Path raw = TempImages.raw(folder, name.replace("qcow2", "raw"), RandomImage.backing(size));
        if (name.endsWith(".qcow2")) {
            dense(TempImages.qemuConvert(raw, name, "qcow2", "-o", "cluster_size=32k"));
        }
    }

    /** Writes data, compressed clusters and zeros, and discards; what qemu refuses is left out. */
    private void write(Path file, Random random, boolean compressed, long size, long unit) throws IOException {
        Path pattern = folder.resolve("pattern");
        Files.write(pattern, TestBytes.of(random.nextLong() >>> 8 & -8L, 2 << 20));
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2", "-d", "unmap"));
        for (int i = 0; i < 12 && compressed; i++) {
            // the first ones find room; qemu refuses to compress over what is there
            command.add("-c");
            command.add("write -c -s " + pattern + " " + unit * random.nextInt((int) (size / unit)) + " " + unit);
        }
        for (long i = unit >> 16; i < 35; i++) {
            long length = 512L * (1 + random.nextInt(1 << random.nextInt(1, 9)));
            long offset = 512 * random.nextLong((size - length) / 512 + 1);
            String range = " " + offset + " " + length;
            command.add("-c");
            command.add(
                    switch (random.nextInt(6)) {
                        case 0 -> "write -z" + range;
                        case 1 -> "write -z -u" + range;
                        case 2 -> "discard" + range;
                        default -> "write -s " + pattern + range;
                    });
        }
        command.add(file.toString());
        ReferenceTools.run(folder, command, 120);
    }

    /** Fills the holes of a file and its last cluster: qemu's map would show them. */
    private static void dense(Path file) throws IOException {
        byte[] bytes = Files.readAllBytes(file);
        Files.delete(file);
        Files.write(file, Arrays.copyOf(bytes, (bytes.length + (2 << 20) - 1) & -(2 << 20)));
    }

    private DiskImage open(Path file) throws IOException {
        return DiskImages.open(
                file,
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build());
    }
}
