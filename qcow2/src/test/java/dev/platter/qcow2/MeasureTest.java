package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import dev.platter.testkit.ToolResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Sizes of images that are not there yet, as {@code qemu-img measure} computes them. */
final class MeasureTest {
    @TempDir
    private Path folder;

    @BeforeEach
    void requireQemu() {
        ReferenceTools.assumeTool("qemu-img");
    }

    @Test
    void emptyImageIsAsLargeAsQemuSays() throws Exception {
        Seeds.run(getClass(), 150, random -> {
            CreateOptions options = options(random, size(random));
            ToolResult theirs = ReferenceTools.run(
                    "qemu-img",
                    "measure",
                    "--output=json",
                    "-O",
                    "qcow2",
                    "-o",
                    text(options),
                    "--size",
                    Long.toString(options.size()));
            if (theirs.exit() != 0) {
                assertThatThrownBy(() -> Qcow2.measure(options)).isInstanceOf(BlockIOException.class);
                return;
            }
            assertSame(Qcow2.measure(options), theirs.json());
        });
    }

    @Test
    void copyOfAnImageIsAsLargeAsQemuSays() throws Exception {
        Seeds.run(getClass(), 60, random -> {
            Path file = Files.createTempFile(folder, "source", ".qcow2");
            Files.write(file, StartImage.random(random));
            CreateOptions options = options(random, 0);
            JsonNode theirs = ReferenceTools.runOk(
                            "qemu-img", "measure", "--output=json", "-O", "qcow2", "-o", text(options), file.toString())
                    .json();
            try (DiskImage source = DiskImages.open(file, OpenOptions.defaults())) {
                assertSame(Qcow2.measure(options, source, null), theirs);
            }
        });
    }

    @Test
    void bitmapsOfTheSourceAreCounted() throws IOException {
        Path file = folder.resolve("bitmaps.qcow2");
        ReferenceTools.runOk("qemu-img", "create", "-q", "-f", "qcow2", file.toString(), "5G");
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", file.toString(), "first");
        ReferenceTools.runOk("qemu-img", "bitmap", "--add", "-g", "4k", file.toString(), "second");
        JsonNode theirs = ReferenceTools.runOk(
                        "qemu-img", "measure", "--output=json", "-O", "qcow2", "-o", "cluster_size=4k", file.toString())
                .json();

        try (DiskImage source = DiskImages.open(file, OpenOptions.defaults())) {
            CreateOptions options = CreateOptions.builder(0).clusterSize(4096).build();
            assertSame(Qcow2.measure(options, source, null), theirs);
        }
    }

    private static void assertSame(Measurement ours, JsonNode theirs) {
        assertThat(ours.required()).isEqualTo(theirs.path("required").asLong());
        assertThat(ours.fullyAllocated())
                .isEqualTo(theirs.path("fully-allocated").asLong());
        assertThat(ours.bitmaps())
                .isEqualTo(theirs.has("bitmaps") ? theirs.path("bitmaps").asLong() : null);
    }

    private static long size(Random random) {
        return (random.nextLong() & Long.MAX_VALUE) >>> (random.nextInt(60) + 3);
    }

    private static CreateOptions options(Random random, long size) {
        boolean extended = random.nextInt(4) == 0;
        boolean old = !extended && random.nextInt(4) == 0;
        CreateOptions.Preallocation[] all = CreateOptions.Preallocation.values();
        return CreateOptions.builder(size)
                .version(old ? 2 : 3)
                .extendedL2(extended)
                .clusterSize(extended ? 16384 << random.nextInt(8) : 512 << random.nextInt(13))
                .refcountBits(old ? 16 : 1 << random.nextInt(7))
                .preallocation(all[random.nextInt(all.length)])
                .build();
    }

    private static String text(CreateOptions options) {
        return "compat=" + (options.version() == 2 ? "0.10" : "1.1") + ",cluster_size=" + options.clusterSize()
                + ",refcount_bits=" + options.refcountBits() + ",extended_l2="
                + (options.extendedL2() ? "on" : "off") + ",preallocation="
                + options.preallocation().name().toLowerCase(java.util.Locale.ROOT);
    }
}
