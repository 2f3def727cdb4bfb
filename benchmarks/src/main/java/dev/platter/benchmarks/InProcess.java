package dev.platter.benchmarks;

import dev.platter.core.CheckListener;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.inspect.ImageInspector;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.WritableByteChannel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/**
 * What {@code dev/bench} runs in one JVM. After a warm-up, prints a line for each round: columns of numbers, separated by
 * tabs, as each method says.
 */
public final class InProcess {
    private static final int BLOCK = 4096;
    private static final com.sun.management.ThreadMXBean THREADS =
            (com.sun.management.ThreadMXBean) ManagementFactory.getThreadMXBean();
    private static final com.sun.management.OperatingSystemMXBean PROCESS =
            (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private InProcess() {}

    /**
     * Runs one measurement.
     *
     * @param args its name, the number of rounds, and what it needs: see the methods
     */
    public static void main(String[] args) throws Exception {
        int rounds = Integer.parseInt(args[1]);
        Path image = Path.of(args[2]);
        switch (args[0]) {
            case "random-read" -> randomRead(rounds, image, Path.of(args[3]));
            case "threads" -> threads(rounds, image, Path.of(args[3]), Integer.parseInt(args[4]));
            case "stride" -> stride(rounds, image, Long.parseLong(args[3]), Integer.parseInt(args[4]));
            case "open" -> open(rounds, image);
            case "check" -> check(rounds, image);
            case "copy" -> copy(rounds, image, Integer.parseInt(args[3]), 0);
            case "copy-chunks" -> copy(rounds, image, Integer.parseInt(args[3]), Integer.parseInt(args[4]));
            default -> throw new IllegalArgumentException("no measurement " + args[0]);
        }
    }

    private interface Reading {
        void read(long offset, ByteBuffer into) throws IOException;
    }

    /** CPU nanoseconds of a read of the image, of the bare channel, and bytes allocated for a read of the image. */
    private static void randomRead(int rounds, Path image, Path raw) throws IOException {
        try (DiskImage disk = DiskImages.open(image);
                FileChannel bare = FileChannel.open(raw)) {
            long[] offsets = randomOffsets(bare.size());
            ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
            for (int round = -3; round < rounds; round++) {
                long allocated = THREADS.getCurrentThreadAllocatedBytes();
                double ours = cpuPerRead(disk::read, offsets, buffer);
                double bytes = (THREADS.getCurrentThreadAllocatedBytes() - allocated) / (double) offsets.length;
                double theirs = cpuPerRead((offset, into) -> bare.read(into, offset), offsets, buffer);
                print(round, ours, theirs, bytes);
            }
        }
    }

    private static double cpuPerRead(Reading reading, long[] offsets, ByteBuffer buffer) throws IOException {
        long start = THREADS.getCurrentThreadCpuTime();
        for (long offset : offsets) {
            reading.read(offset, buffer.clear());
        }
        return (THREADS.getCurrentThreadCpuTime() - start) / (double) offsets.length;
    }

    private static long[] randomOffsets(long size) {
        Random random = new Random(11);
        long[] offsets = new long[200_000];
        for (int i = 0; i < offsets.length; i++) {
            offsets[i] = random.nextInt((int) (size / BLOCK)) * (long) BLOCK;
        }
        return offsets;
    }

    /** Wall nanoseconds of a read of the image and of the bare channel, over all threads together. */
    private static void threads(int rounds, Path image, Path raw, int count) throws Exception {
        ExecutorService pool = Executors.newFixedThreadPool(count);
        try (DiskImage disk = DiskImages.open(image);
                FileChannel bare = FileChannel.open(raw)) {
            long[] offsets = randomOffsets(bare.size());
            for (int round = -3; round < rounds; round++) {
                double ours = wallPerRead(pool, count, disk::read, offsets);
                double theirs = wallPerRead(pool, count, (offset, into) -> bare.read(into, offset), offsets);
                print(round, ours, theirs);
            }
        } finally {
            pool.shutdown();
        }
    }

    private static double wallPerRead(ExecutorService pool, int count, Reading reading, long[] offsets)
            throws Exception {
        List<Callable<Double>> tasks = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            tasks.add(() -> cpuPerRead(reading, offsets, ByteBuffer.allocateDirect(BLOCK)));
        }
        long start = System.nanoTime();
        for (Future<Double> done : pool.invokeAll(tasks)) {
            done.get();
        }
        return (System.nanoTime() - start) / ((double) offsets.length * count);
    }

    /** CPU nanoseconds of a read, as {@code qemu-img bench -S} chooses the offsets, with an L2 cache of so many bytes. */
    private static void stride(int rounds, Path image, long step, int cacheBytes) throws IOException {
        OpenOptions options =
                OpenOptions.builder().format("qcow2").cacheBytes(cacheBytes).build();
        try (DiskImage disk = DiskImages.open(image, options)) {
            long[] offsets = new long[200_000];
            for (int i = 0; i < offsets.length; i++) {
                offsets[i] = i * step % (disk.size() - BLOCK);
            }
            ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
            for (int round = -3; round < rounds; round++) {
                print(round, cpuPerRead(disk::read, offsets, buffer));
            }
        }
    }

    /** Wall and CPU nanoseconds, and bytes allocated, of opening an image and finding all that is in it. */
    private static void open(int rounds, Path image) throws IOException {
        int times = 500;
        WarmUp.with(() -> inspect(image, times));
        for (int round = 0; round < rounds; round++) {
            long allocated = THREADS.getCurrentThreadAllocatedBytes();
            long cpu = THREADS.getCurrentThreadCpuTime();
            long wall = System.nanoTime();
            inspect(image, times);
            print(
                    round,
                    (System.nanoTime() - wall) / (double) times,
                    (THREADS.getCurrentThreadCpuTime() - cpu) / (double) times,
                    (THREADS.getCurrentThreadAllocatedBytes() - allocated) / (double) times);
        }
    }

    private static void inspect(Path image, int times) throws IOException {
        for (int i = 0; i < times; i++) {
            try (ImageInspector inspector = ImageInspector.open(image)) {
                inspector.partitions();
                inspector.volumeGroups();
                inspector.fileSystems();
            }
        }
    }

    /** Wall and CPU seconds of a check, of all threads. */
    private static void check(int rounds, Path image) throws IOException {
        for (int round = -2; round < rounds; round++) {
            try (DiskImage disk = DiskImages.open(image)) {
                long cpu = PROCESS.getProcessCpuTime();
                long wall = System.nanoTime();
                disk.check(new CheckListener() {});
                print(round, (System.nanoTime() - wall) / 1e9, (PROCESS.getProcessCpuTime() - cpu) / 1e9);
            }
        }
    }

    /**
     * Wall and CPU seconds, of all threads, of copying all bytes to nowhere; with 0 threads and chunks of 0 bytes, as the
     * copier chooses.
     */
    private static void copy(int rounds, Path image, int threads, int chunkBytes) throws IOException {
        for (int round = -2; round < rounds; round++) {
            try (DiskImage disk = DiskImages.open(image)) {
                long cpu = PROCESS.getProcessCpuTime();
                long wall = System.nanoTime();
                Copier copier = Copier.of(disk);
                if (threads > 0) {
                    copier.threads(threads);
                }
                if (chunkBytes > 0) {
                    copier.chunkSize(chunkBytes);
                }
                copier.to(new Nowhere());
                print(round, (System.nanoTime() - wall) / 1e9, (PROCESS.getProcessCpuTime() - cpu) / 1e9);
            }
        }
    }

    /** Takes everything. */
    private static final class Nowhere implements WritableByteChannel {

        @Override
        public int write(ByteBuffer bytes) {
            int length = bytes.remaining();
            bytes.position(bytes.limit());
            return length;
        }

        @Override
        public boolean isOpen() {
            return true;
        }

        @Override
        public void close() {
            // nothing is held
        }
    }

    static void print(int round, double... numbers) {
        if (round < 0) {
            return;
        }
        StringBuilder line = new StringBuilder();
        for (double number : numbers) {
            line.append(line.isEmpty() ? "" : "\t").append(String.format(Locale.ROOT, "%.6g", number));
        }
        System.out.println(line);
    }
}
