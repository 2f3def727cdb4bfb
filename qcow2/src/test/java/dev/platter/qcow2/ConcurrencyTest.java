package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.qcow2.RandomImage.Compression;
import dev.platter.qcow2.RandomImage.Shape;
import dev.platter.testkit.Contents;
import dev.platter.testkit.Seed;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** Many threads at one image whose tables do not fit into its cache. */
final class ConcurrencyTest {
    private static final int THREADS = 8;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"9, NONE, 70000", "9, DEFLATE, 60000", "12, NONE, 3000", "12, ZSTD, 2000"})
    void threadsThatEvictEachOthersTablesReadTheRightBytes(int clusterBits, Compression compression, int clusters)
            throws Exception {
        Shape shape = Shape.of(3, clusterBits, false, compression, (long) clusters << clusterBits);
        RandomImage made = new RandomImage(shape, Seed.random("threads " + shape));
        Path file = Files.write(folder.resolve("test.qcow2"), made.builder().build());
        Contents contents = made.contents();

        try (DiskImage image =
                DiskImages.open(file, OpenOptions.builder().cacheBytes(1 << 20).build())) {
            run(thread -> {
                Random random = Seed.random("thread " + thread);
                for (int i = 0; i < 3000; i++) {
                    int length = 1 + random.nextInt(3 << clusterBits);
                    contents.assertRead(image, random.nextLong(image.size() - length), length);
                }
            });
        }
    }

    @ParameterizedTest
    @EnumSource(Compression.class)
    void closingWhileOthersReadEndsThemWithClosedChannelAndNothingElse(Compression compression) throws Exception {
        Shape shape = Shape.of(3, 12, false, compression, 400L << 12);
        RandomImage made = new RandomImage(shape, Seed.random("closing " + shape));
        Path file = Files.write(folder.resolve("test.qcow2"), made.builder().build());
        Contents contents = made.contents();
        for (int round = 0; round < 20; round++) {
            DiskImage image = DiskImages.open(file, OpenOptions.defaults());
            CountDownLatch reading = new CountDownLatch(THREADS);
            run(thread -> {
                if (thread == THREADS) {
                    reading.await();
                    image.close();
                } else {
                    readUntilClosed(image, contents, Seed.random("closing " + thread), reading);
                }
            });
        }
    }

    private static void readUntilClosed(DiskImage image, Contents contents, Random random, CountDownLatch reading)
            throws IOException {
        ByteBuffer into = ByteBuffer.allocateDirect(4096);
        while (true) {
            long offset = random.nextLong((image.size() - 4096) / 4096) * 4096;
            try {
                image.read(offset, into.clear());
            } catch (ClosedChannelException e) {
                reading.countDown();
                return;
            }
            contents.assertMatch(offset, into, "read at " + offset);
            reading.countDown();
        }
    }

    private interface Work {
        void run(int thread) throws Exception;
    }

    /** Runs one more thread than {@link #THREADS}. */
    private static void run(Work work) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(THREADS + 1);
        try {
            List<Future<Boolean>> all = new ArrayList<>();
            for (int i = 0; i <= THREADS; i++) {
                int thread = i;
                Callable<Boolean> one = () -> {
                    work.run(thread);
                    return true;
                };
                all.add(threads.submit(one));
            }
            for (Future<Boolean> one : all) {
                assertThat(one.get()).isTrue();
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
