package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seed;
import dev.platter.testkit.TempImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** The check against qemu-img check, on images that qemu made and on the same images with damaged tables. */
final class Qcow2CheckDifferentialTest {
    private static final int DAMAGED_IMAGES = 10;
    private static final long OFFSET_MASK = L2Entry.OFFSET_MASK;

    @TempDir
    Path folder;

    /** What images are made: their options, and what is done to them. */
    enum Shape {
        V2("compat=0.10", 16, 4 << 20, true),
        V2_SMALL_CLUSTERS("compat=0.10,cluster_size=512", 9, 300_000, true),
        CLUSTERS_OF_2M("cluster_size=2M", 21, 40 << 20, false),
        REFCOUNTS_OF_1_BIT("refcount_bits=1,cluster_size=4k", 12, 2 << 20, false),
        REFCOUNTS_OF_2_BITS("refcount_bits=2,cluster_size=1k", 10, 1 << 20, false),
        REFCOUNTS_OF_4_BITS("refcount_bits=4,cluster_size=4k", 12, 2 << 20, true),
        REFCOUNTS_OF_8_BITS("refcount_bits=8,cluster_size=512", 9, 200_000, true),
        REFCOUNTS_OF_32_BITS("refcount_bits=32,cluster_size=4k", 12, 2 << 20, true),
        REFCOUNTS_OF_64_BITS("refcount_bits=64,cluster_size=512", 9, 200_000, true),
        SUBCLUSTERS("extended_l2=on,cluster_size=16k", 14, 3 << 20, true),
        PREALLOCATED("preallocation=metadata,cluster_size=4k", 12, 2 << 20, true),
        ZSTD("compression_type=zstd,cluster_size=4k", 12, 2 << 20, true),
        DATA_FILE("data_file=outside.data,cluster_size=4k", 12, 2 << 20, false);

        private final String options;
        private final int clusterBits;
        private final long size;
        private final boolean snapshots;

        Shape(String options, int clusterBits, long size, boolean snapshots) {
            this.options = options;
            this.clusterBits = clusterBits;
            this.size = size / 512 * 512;
            this.snapshots = snapshots;
        }
    }

    @ParameterizedTest
    @EnumSource
    void checkAgreesWithQemuOnGoodAndDamagedImages(Shape shape) throws Exception {
        ReferenceTools.assumeTool("qemu-io");
        byte[] original = Files.readAllBytes(makeImage(shape));

        assertThat(CheckOutcome.ours(folder.resolve("good.qcow2")))
                .isEqualTo(CheckOutcome.qemu(folder, "good.qcow2"))
                .extracting(CheckOutcome::exit)
                .isEqualTo(0);

        Seed.run("check " + shape, random -> {
            for (int i = 0; i < DAMAGED_IMAGES; i++) {
                byte[] damaged = original.clone();
                List<String> changes = damage(ByteBuffer.wrap(damaged), shape, random);
                Path file = Files.write(folder.resolve("damaged.qcow2"), damaged);

                assertThat(CheckOutcome.ours(file))
                        .as(changes.toString())
                        .isEqualTo(CheckOutcome.qemu(folder, "damaged.qcow2"));
            }
        });
    }

    private Path makeImage(Shape shape) throws IOException {
        Path file = TempImages.qemu(folder, "good.qcow2", "qcow2", shape.size, "-o", shape.options);
        int cluster = 1 << shape.clusterBits;
        long middle = shape.size / 2 / cluster * cluster;
        qemuIo("write -P 1 0 " + 3 * cluster, "write -P 2 " + (middle + 512) + " 1024", "write -z 0 512");
        if (shape != Shape.DATA_FILE && shape != Shape.PREALLOCATED) {
            qemuIo(
                    "write -c -P 3 " + (middle + 4L * cluster) + " " + cluster,
                    "write -c -P 4 " + (middle + 6L * cluster) + " " + cluster,
                    "write -c -P 5 " + 8L * cluster + " " + cluster);
        }
        if (shape.snapshots) {
            ReferenceTools.runIn(folder, "qemu-img", "snapshot", "-c", "first", "good.qcow2")
                    .assertSuccess();
            qemuIo("write -P 6 " + cluster + " " + cluster, "discard " + 2L * cluster + " " + cluster);
            ReferenceTools.runIn(folder, "qemu-img", "snapshot", "-c", "second", "good.qcow2")
                    .assertSuccess();
        }
        if (!shape.options.contains("0.10")) {
            ReferenceTools.runIn(folder, "qemu-img", "bitmap", "--add", "-f", "qcow2", "good.qcow2", "dirty")
                    .assertSuccess();
        }
        qemuIo("write -P 7 " + (middle + cluster) + " 512", "write -z " + 5L * cluster + " " + cluster);
        return file;
    }

    private void qemuIo(String... commands) throws IOException {
        List<String> line = new ArrayList<>(List.of("qemu-io", "-f", "qcow2"));
        for (String command : commands) {
            line.add("-c");
            line.add(command);
        }
        line.add("good.qcow2");
        ReferenceTools.runIn(folder, line.toArray(new String[0])).assertSuccess();
    }

    /** Changes entries of L1 and L2 tables and bytes of refcount blocks; returns what was changed. */
    private static List<String> damage(ByteBuffer image, Shape shape, Random random) {
        List<String> changes = new ArrayList<>();
        int l1Table = (int) image.getLong(40);
        int refcountTable = (int) image.getLong(48);
        List<Integer> blocks = offsets(image, refcountTable, 8);
        List<Integer> l2Tables = offsets(image, l1Table, image.getInt(36));
        for (int i = 1 + random.nextInt(3); i > 0; i--) {
            switch (random.nextInt(4)) {
                case 0 -> changeByte(image, blocks.get(random.nextInt(blocks.size())), random, changes);
                case 1 -> changeEntry(image, l1Table + 8 * random.nextInt(image.getInt(36)), shape, random, changes);
                default -> {
                    int table = l2Tables.get(random.nextInt(l2Tables.size()));
                    int entries = Math.min(1 << (shape.clusterBits - 4), 8);
                    changeEntry(image, table + 8 * random.nextInt(2 * entries), shape, random, changes);
                }
            }
        }
        return changes;
    }

    private static void changeByte(ByteBuffer image, int block, Random random, List<String> changes) {
        int at = block + random.nextInt(64);
        byte value = (byte) (random.nextBoolean() ? random.nextInt(3) : random.nextInt());
        if (at < image.limit()) {
            image.put(at, value);
            changes.add("refcount byte " + at + "=" + value);
        }
    }

    private static void changeEntry(ByteBuffer image, int at, Shape shape, Random random, List<String> changes) {
        if (at > image.limit() - Long.BYTES) {
            return;
        }
        long old = image.getLong(at);
        long somewhere = (long) random.nextInt((image.limit() >>> shape.clusterBits) + 2) << shape.clusterBits;
        long value = switch (random.nextInt(6)) {
            case 0 -> 0;
            case 1 -> old ^ L2Entry.COPIED;
            case 2 -> old ^ (1L << random.nextInt(64));
            case 3 -> somewhere | L2Entry.COPIED;
            case 4 -> somewhere | (old & ~OFFSET_MASK);
            default -> random.nextLong();
        };
        image.putLong(at, value);
        changes.add(String.format("entry at %d=%x, was %x", at, value, old));
    }

    private static List<Integer> offsets(ByteBuffer image, int table, int entries) {
        List<Integer> offsets = new ArrayList<>();
        for (int i = 0; i < entries; i++) {
            long offset = image.getLong(table + i * Long.BYTES) & OFFSET_MASK;
            if (offset != 0 && offset < image.limit()) {
                offsets.add((int) offset);
            }
        }
        return offsets;
    }
}
