package dev.platter.qcow2;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.qcow2.RandomImage.Compression;
import dev.platter.qcow2.RandomImage.Shape;
import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seed;
import dev.platter.testkit.ToolResult;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Images of random tables, read against the model that made them. */
final class Qcow2ModelTest {
    @TempDir
    private Path folder;

    static List<Shape> shapes() {
        List<Shape> shapes = new ArrayList<>();
        for (int clusterBits : new int[] {9, 12, 16}) {
            long size = 70L << clusterBits;
            shapes.add(Shape.of(2, clusterBits, false, Compression.DEFLATE, size + 512));
            shapes.add(Shape.of(3, clusterBits, false, Compression.NONE, size));
            shapes.add(Shape.of(3, clusterBits, false, Compression.ZSTD, size + 1024));
            shapes.add(
                    Shape.of(3, clusterBits, false, Compression.DEFLATE, size).over("raw", size - 1000));
            shapes.add(Shape.of(3, clusterBits, false, Compression.NONE, size).over("raw", size / 2 + 1));
            shapes.add(Shape.of(2, clusterBits, false, Compression.NONE, size).over("raw", size + 4096));
        }
        for (int clusterBits : new int[] {14, 16}) {
            long size = 40L << clusterBits;
            shapes.add(Shape.of(3, clusterBits, true, Compression.NONE, size + 512));
            shapes.add(Shape.of(3, clusterBits, true, Compression.ZSTD, size));
            shapes.add(Shape.of(3, clusterBits, true, Compression.DEFLATE, size).over("raw", size / 3));
        }
        shapes.add(Shape.of(3, 21, false, Compression.DEFLATE, (5L << 21) + 512));
        shapes.add(Shape.of(3, 21, true, Compression.ZSTD, (5L << 21) - 512));
        return shapes;
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void everyReadEqualsTheModel(Shape shape) throws Exception {
        Seed.run("model " + shape, random -> {
            RandomImage made = new RandomImage(shape, random);

            try (DiskImage image = open(made, shape)) {
                made.contents().assertAll(image);
                readAtAllBorders(made.contents(), image, 1 << shape.clusterBits());
                readAtRandom(made.contents(), image, random);
            }
        });
    }

    @ParameterizedTest
    @MethodSource("shapes")
    void qemuReadsTheSameAndFindsNothingWrong(Shape shape) throws Exception {
        ReferenceTools.assumeTool("qemu-img");
        RandomImage made = new RandomImage(shape, Seed.random("model " + shape));
        Path file = write(made, shape);
        Path raw = folder.resolve("guest.raw");

        ToolResult check = ReferenceTools.run("qemu-img", "check", file.toString());
        ReferenceTools.runOk("qemu-img", "convert", "-O", "raw", file.toString(), raw.toString());

        assertEquals(0, check.exit(), () -> check.stdout() + check.stderr());
        try (DiskImage theirs =
                DiskImages.open(raw, OpenOptions.builder().format("raw").build())) {
            made.contents().assertAll(theirs);
        }
    }

    private DiskImage open(RandomImage made, Shape shape) throws Exception {
        return DiskImages.open(
                write(made, shape),
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build());
    }

    private Path write(RandomImage made, Shape shape) throws Exception {
        if (shape.backing() != null) {
            byte[] base = RandomImage.backing(shape.backingSize()).bytes(0, (int) shape.backingSize());
            Files.write(folder.resolve(made.backingName()), base);
        }
        return Files.write(folder.resolve("test.qcow2"), made.builder().build());
    }

    private static void readAtAllBorders(Contents contents, DiskImage image, int clusterSize) throws Exception {
        for (long border = 0; border <= image.size(); border += clusterSize) {
            for (long from = Math.max(0, border - 1); from <= Math.min(border + 1, image.size() - 1); from++) {
                contents.assertRead(image, from, 1);
                contents.assertRead(image, from, (int) Math.min(clusterSize + 1, image.size() - from));
            }
        }
        contents.assertRead(image, image.size(), 0);
    }

    private static void readAtRandom(Contents contents, DiskImage image, Random random) throws Exception {
        for (int i = 0; i < 300; i++) {
            int length = random.nextInt(1 << random.nextInt(1, 19));
            int fits = (int) Math.min(length, image.size());
            long offset = random.nextLong(image.size() - fits + 1);
            ByteBuffer into = ByteBuffer.allocateDirect(fits);
            image.read(offset, into);
            contents.assertMatch(offset, into, "read of " + fits + " at " + offset);
        }
    }
}
