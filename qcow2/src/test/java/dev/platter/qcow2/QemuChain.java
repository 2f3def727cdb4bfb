package dev.platter.qcow2;

import dev.platter.testkit.Contents;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.TempImages;
import dev.platter.testkit.TestBytes;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;

/**
 * An image and what it stands on, made by qemu and written to at random. What qemu refuses to do is left out: two
 * compressed writes to one place, snapshots beside a data file, snapshots of images whose refcounts have one bit.
 */
final class QemuChain {
    private static final int SECTOR = 512;

    /** No power of two, so that what is a cluster too far differs: qemu repeats the pattern in longer writes. */
    private static final int PATTERN_BYTES = 600_000;

    private final Path folder;
    private final Random random;
    private final StringBuilder story = new StringBuilder();
    private Path top = Path.of("none");
    private String format = "";
    private long size;
    private boolean wholeSectors = true;
    private int largestCluster = SECTOR;

    private QemuChain(Path folder, Random random) {
        this.folder = folder;
        this.random = random;
    }

    static QemuChain make(Path folder, Random random) throws IOException {
        QemuChain chain = new QemuChain(folder, random);
        chain.size = chain.anySize(largest(random.nextInt(9, 22)));
        Files.write(folder.resolve("pattern"), TestBytes.of(random.nextLong() >>> 8 & -8L, PATTERN_BYTES));
        byte[] noise = new byte[PATTERN_BYTES];
        random.nextBytes(noise);
        Files.write(folder.resolve("noise"), noise);

        int layers = 1 + (random.nextBoolean() ? 0 : 1 + random.nextInt(3));
        if (layers > 1 && random.nextBoolean()) {
            chain.addRaw();
            layers--;
        }
        for (int i = 0; i < layers; i++) {
            chain.addQcow2(i);
        }
        return chain;
    }

    Path top() {
        return top;
    }

    /** Returns the bytes of the disk. */
    long size() {
        return size;
    }

    /** Returns whether the raw file at the bottom, if any, has no piece of a sector, to which qemu would add in its map. */
    boolean hasWholeSectors() {
        return wholeSectors;
    }

    /** Returns the options of all layers, from the bottom up. */
    @Override
    public String toString() {
        return story.toString();
    }

    /** Fills the holes of all files and their last clusters: qemu's map would show them. */
    void fillHoles() throws IOException {
        List<Path> files;
        try (Stream<Path> all = Files.list(folder)) {
            files = all.filter(file -> file.toString().matches(".*(\\.qcow2|/data.*|/base\\.raw)"))
                    .toList();
        }
        for (Path file : files) {
            byte[] bytes = Files.readAllBytes(file);
            Files.delete(file);
            boolean raw = file.toString().endsWith("base.raw");
            Files.write(file, raw ? bytes : Arrays.copyOf(bytes, (bytes.length + PATTERN_BYTES - 1) & -PATTERN_BYTES));
        }
    }

    /** Some clusters, so that their number is small and small ones need several tables. */
    private static long largest(int clusterBits) {
        return Math.max(1 << 20, 6L << clusterBits) + SECTOR;
    }

    private long anySize(long atMost) {
        return switch (random.nextInt(8)) {
            case 0 -> (long) SECTOR * random.nextInt(4);
            case 1 -> atMost;
            default -> SECTOR * random.nextLong(atMost / SECTOR + 1);
        };
    }

    private void addRaw() throws IOException {
        long bytes = Math.max(1, anySize(2 * size) - (random.nextInt(6) == 0 ? random.nextInt(SECTOR) : 0));
        wholeSectors = bytes % SECTOR == 0;
        Contents contents = random.nextBoolean() ? RandomImage.backing(bytes) : Contents.testBytes(bytes);
        top = TempImages.raw(folder, "base.raw", contents);
        format = "raw";
        story.append("raw of ").append(bytes);
    }

    private void addQcow2(int number) throws IOException {
        int clusterBits = random.nextInt(9, 22);
        boolean old = random.nextInt(5) == 0;
        boolean extended = !old && clusterBits >= 14 && random.nextInt(3) == 0;
        boolean dataFile = !old && random.nextInt(6) == 0;
        boolean rawData = dataFile && format.isEmpty() && random.nextBoolean();
        List<String> options =
                new ArrayList<>(List.of("compat=" + (old ? "0.10" : "1.1"), "cluster_size=" + (1 << clusterBits)));
        if (!old) {
            boolean lazy = random.nextInt(5) == 0;
            options.add("lazy_refcounts=" + (lazy ? "on" : "off"));
            options.add("refcount_bits=" + (1 << (random.nextBoolean() ? 4 : random.nextInt(7))));
            options.add("compression_type=" + (random.nextBoolean() ? "zstd" : "zlib"));
            options.add("extended_l2=" + (extended ? "on" : "off"));
        }
        if (dataFile) {
            options.add("data_file=data" + number);
            options.add("data_file_raw=" + (rawData ? "on" : "off"));
        }
        if ((format.isEmpty() || extended) && random.nextInt(6) == 0) {
            options.add("preallocation=metadata");
        }
        largestCluster = Math.max(largestCluster, 1 << clusterBits);
        create(number, String.join(",", options), clusterBits);
        boolean compressible = !dataFile;
        write(clusterBits, compressible);
        for (int i = random.nextInt(6); i > 3 && !dataFile; i--) {
            snapshotOrResize(i);
            write(clusterBits, random.nextBoolean());
        }
    }

    private void create(int number, String options, int clusterBits) throws IOException {
        List<String> arguments = new ArrayList<>(List.of("-o", options));
        if (!format.isEmpty()) {
            arguments.addAll(List.of("-b", top.getFileName().toString(), "-F", format));
            long limit = largest(clusterBits);
            size = random.nextBoolean() ? Math.min(size, limit) : anySize(limit);
        }
        top = TempImages.qemu(folder, "layer" + number + ".qcow2", "qcow2", size, arguments.toArray(new String[0]));
        format = "qcow2";
        story.append(story.isEmpty() ? "" : " <- ")
                .append(options)
                .append(" of ")
                .append(size);
    }

    private void snapshotOrResize(int number) throws IOException {
        if (random.nextInt(3) > 0) {
            qemu("qemu-img", "snapshot", "-c", "snap" + number, top.toString());
        } else if (random.nextBoolean()) {
            qemu("qemu-img", "snapshot", "-a", "1", top.toString());
        } else {
            long other = anySize(2 * size + (1 << 20));
            if (qemu("qemu-img", "resize", "-q", "-f", "qcow2", "--shrink", top.toString(), Long.toString(other))) {
                size = other;
            }
        }
    }

    /** Writes data, compressed clusters and zeros, and discards. */
    private void write(int clusterBits, boolean compressed) throws IOException {
        List<String> command = new ArrayList<>(List.of("qemu-io", "-f", "qcow2", "-d", "unmap"));
        long cluster = 1L << clusterBits;
        for (int i = random.nextInt(12); i > 0 && compressed && size >= cluster; i--) {
            // before the others: qemu refuses to compress over what is there. One cluster at a time: of several it
            // leaves
            // those unwritten that it has given a place when it refuses another
            long first = random.nextLong(size / cluster);
            long end = Math.min(size / cluster, first + 1 + random.nextInt(8));
            for (long at = first; at < end; at++) {
                add(command, "write -c -s " + pattern() + " " + at * cluster + " " + cluster);
            }
        }
        for (int i = random.nextInt(30); i > 0 && size > 0; i--) {
            long length = SECTOR * (1 + random.nextLong(Math.min(size / SECTOR, 1 << random.nextInt(1, 12))));
            long offset = SECTOR * random.nextLong((size - length) / SECTOR + 1);
            if (random.nextInt(3) == 0) {
                long end = Math.min(size, (offset + length + cluster - 1) & -cluster);
                offset &= -cluster;
                length = end - offset;
            }
            String range = " " + offset + " " + length;
            add(
                    command,
                    switch (random.nextInt(8)) {
                        case 0 -> "write -z" + range;
                        case 1 -> "write -z -u" + range;
                        case 2 -> "discard" + range;
                        case 3 -> "write -P 0" + range;
                        default -> "write -s " + pattern() + range;
                    });
        }
        command.add(top.toString());
        qemu(command.toArray(new String[0]));
    }

    private String pattern() {
        return folder.resolve(random.nextInt(4) == 0 ? "noise" : "pattern").toString();
    }

    private static void add(List<String> command, String action) {
        command.add("-c");
        command.add(action);
    }

    private boolean qemu(String... command) throws IOException {
        return ReferenceTools.runIn(folder, command).exit() == 0;
    }
}
