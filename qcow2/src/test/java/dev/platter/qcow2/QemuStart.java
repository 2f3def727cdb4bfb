package dev.platter.qcow2;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;

/**
 * An empty image of some layout, made by qemu-img, perhaps over a backing file.
 *
 * @param command what made it
 * @param size bytes of its disk
 */
record QemuStart(
        String command, long size, int clusterSize, boolean extendedL2, int refcountBits, boolean hasDataFile) {
    static final int SECTOR = 512;

    private static final long MOST = 3 << 20;

    /** Skips the test if qemu is missing. */
    static void assumeQemu() {
        ReferenceTools.assumeTool("qemu-img");
        ReferenceTools.assumeTool("qemu-io");
    }

    /**
     * Makes an image.
     *
     * @param folder where it and what it refers to will lie
     * @param dataFile whether it may have an external data file
     */
    static QemuStart create(Path folder, String name, Random random, boolean dataFile) throws IOException {
        boolean old = random.nextInt(6) == 0;
        boolean extended = !old && random.nextInt(3) == 0;
        int bits = extended ? 14 + random.nextInt(4) : 9 + random.nextInt(9);
        int refcountBits = old ? 16 : 1 << random.nextInt(7);
        long size = Math.min(MOST, (1L + random.nextInt(60)) << bits);
        size += random.nextInt(3) == 0 ? (long) SECTOR * random.nextInt(1 << (bits - 9)) : 0;
        String layout = "cluster_size=" + (1 << bits) + (old ? ",compat=0.10" : ",compat=1.1");
        layout += old ? "" : ",refcount_bits=" + refcountBits;
        layout += extended ? ",extended_l2=on" : "";
        layout += !old && random.nextBoolean() ? ",compression_type=zstd" : "";
        layout += !old && random.nextInt(4) == 0 ? ",lazy_refcounts=on" : "";
        List<String> command = new ArrayList<>(List.of("qemu-img", "create", "-q", "-f", "qcow2"));
        boolean external = dataFile && !old && random.nextInt(5) == 0;
        if (external) {
            layout += ",data_file=image.data,data_file_raw=" + (random.nextBoolean() ? "on" : "off");
        } else if (random.nextInt(3) == 0) {
            command.addAll(List.of("-b", "base", "-F", base(folder, size + (1 << bits), random)));
        }
        command.addAll(List.of("-o", layout, name, Long.toString(size)));
        ReferenceTools.run(folder, command, 60).assertSuccess();
        return new QemuStart(String.join(" ", command), size, 1 << bits, extended, refcountBits, external);
    }

    /** Makes a backing file; returns its format. */
    private static String base(Path folder, long most, Random random) throws IOException {
        byte[] bytes = new byte[(int) Math.min(most, SECTOR * (1L + random.nextInt(300)))];
        random.nextBytes(bytes);
        Path raw = Files.write(folder.resolve("base"), bytes);
        if (random.nextBoolean()) {
            return "raw";
        }
        Path plain = Files.move(raw, folder.resolve("plain"));
        ReferenceTools.runOk("qemu-img", "convert", "-f", "raw", "-O", "qcow2", plain.toString(), raw.toString());
        return "qcow2";
    }
}
