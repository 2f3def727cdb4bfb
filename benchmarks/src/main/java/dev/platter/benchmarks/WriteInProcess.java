package dev.platter.benchmarks;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.ImageInfo;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.qcow2.CreateOptions;
import dev.platter.qcow2.Qcow2;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Random;

/** What {@code dev/bench} runs in one JVM of the write side; see {@link InProcess}. */
public final class WriteInProcess {
    private static final int BLOCK = 4096;
    private static final int WARM_UPS = 3;
    private static final com.sun.management.ThreadMXBean THREADS =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final com.sun.management.OperatingSystemMXBean PROCESS =
            (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private WriteInProcess() {}

    /**
     * Runs one measurement.
     *
     * @param args its name, the number of rounds (of {@code write}, 0 for no warm-up), and what it needs: see the methods
     */
    public static void main(String[] args) throws IOException {
        int rounds = Integer.parseInt(args[1]);
        Path image = Path.of(args[2]);
        switch (args[0]) {
            case "write" -> {
                Requests requests = new Requests(
                        Integer.parseInt(args[3]),
                        Integer.parseInt(args[4]),
                        Long.parseLong(args[5]),
                        Integer.parseInt(args[6]));
                write(image, requests, rounds > 0);
            }
            case "random-write" -> randomWrite(rounds, image, Path.of(args[3]));
            default -> throw new IllegalArgumentException("no measurement " + args[0]);
        }
    }

    /**
     * Writes as {@code qemu-img bench -w} makes them.
     *
     * @param flush a flush after so many; 0 for one at the end
     */
    private record Requests(int count, int size, long step, int flush) {

        void to(BlockDevice disk) throws IOException {
            ByteBuffer bytes = ByteBuffer.allocateDirect(size);
            while (bytes.hasRemaining()) {
                bytes.put((byte) 0x5a);
            }
            long at = 0;
            for (int i = 1; i <= count; i++) {
                disk.write(at, bytes.clear(), Durability.NONE);
                if (flush > 0 && i % flush == 0) {
                    disk.flush();
                }
                at = (at + step) % disk.size();
            }
            disk.flush();
        }
    }

    /**
     * Wall and CPU seconds, of all threads, of writes to an image, once; warmed up on other images over the same backing
     * file, until the compilers have nothing left to do.
     */
    private static void write(Path image, Requests requests, boolean warm) throws IOException {
        OpenOptions options = OpenOptions.builder()
                .format("qcow2")
                .writable(true)
                .references(ReferencePolicy.all())
                .build();
        Path rehearsal = image.resolveSibling(image.getFileName() + ".warm-up");
        Requests few =
                new Requests(requests.size > 65536 ? 256 : 1024, requests.size, requests.step, requests.flush * 8);
        CreateOptions like = like(image, 64L << 20, options);
        if (warm) {
            WarmUp.with(() -> {
                Files.deleteIfExists(rehearsal);
                Qcow2.create(rehearsal, like);
                try (DiskImage disk = DiskImages.open(rehearsal, options)) {
                    few.to(disk);
                }
            });
        }
        Files.deleteIfExists(rehearsal);
        try (DiskImage disk = DiskImages.open(image, options)) {
            long cpu = PROCESS.getProcessCpuTime();
            long wall = System.nanoTime();
            requests.to(disk);
            InProcess.print(0, (System.nanoTime() - wall) / 1e9, (PROCESS.getProcessCpuTime() - cpu) / 1e9);
        }
    }

    private static CreateOptions like(Path image, long size, OpenOptions writable) throws IOException {
        OpenOptions readOnly = writable.toBuilder().writable(false).build();
        try (DiskImage disk = DiskImages.open(image, readOnly)) {
            ImageInfo info = disk.info();
            CreateOptions.Builder options = CreateOptions.builder(size);
            if (info.backingFilename() != null && info.backingFormat() != null) {
                options.backing(info.backingFilename(), info.backingFormat());
            }
            return options.build();
        }
    }

    private interface Writing {
        void write(long offset, ByteBuffer from) throws IOException;
    }

    /** CPU nanoseconds of a write to the image, to the bare channel, and bytes allocated for a write to the image. */
    private static void randomWrite(int rounds, Path image, Path raw) throws IOException {
        OpenOptions options =
                OpenOptions.builder().format("qcow2").writable(true).build();
        try (DiskImage disk = DiskImages.open(image, options);
                FileChannel bare = FileChannel.open(raw, StandardOpenOption.WRITE)) {
            Random random = new Random(11);
            long[] offsets = new long[100_000];
            for (int i = 0; i < offsets.length; i++) {
                offsets[i] = random.nextInt((int) (bare.size() / BLOCK)) * (long) BLOCK;
            }
            ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
            for (int round = -WARM_UPS; round < rounds; round++) {
                long allocated = THREADS.getCurrentThreadAllocatedBytes();
                double ours = cpuPerWrite((offset, from) -> disk.write(offset, from, Durability.NONE), offsets, buffer);
                double bytes = (THREADS.getCurrentThreadAllocatedBytes() - allocated) / (double) offsets.length;
                double theirs = cpuPerWrite((offset, from) -> bare.write(from, offset), offsets, buffer);
                InProcess.print(round, ours, theirs, bytes);
            }
        }
    }

    private static double cpuPerWrite(Writing writing, long[] offsets, ByteBuffer buffer) throws IOException {
        long start = THREADS.getCurrentThreadCpuTime();
        for (long offset : offsets) {
            writing.write(offset, buffer.clear());
        }
        return (THREADS.getCurrentThreadCpuTime() - start) / (double) offsets.length;
    }
}
