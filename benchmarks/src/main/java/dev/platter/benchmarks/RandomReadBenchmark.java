package dev.platter.benchmarks;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** 4 KiB reads at random offsets of 256 MiB of data: a qcow2 image beside the bare channel of the same bytes as raw. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class RandomReadBenchmark {
    private static final int DATA_CLUSTERS = 4096;
    private static final int BLOCK = 4096;

    /** Whether the clusters lie in the file in random order. */
    @Param({"false", "true"})
    public boolean fragmented;

    private MappedImage files;
    private DiskImage image;
    private FileChannel raw;

    /** What each thread needs for itself. */
    @State(Scope.Thread)
    public static class Reader {
        final ByteBuffer buffer = ByteBuffer.allocateDirect(BLOCK);
        final long[] offsets = new long[4096];
        int next;

        @Setup(Level.Trial)
        public void choose() {
            Random random = new Random(Thread.currentThread().getId());
            for (int i = 0; i < offsets.length; i++) {
                offsets[i] = (long) random.nextInt(DATA_CLUSTERS * 16) * BLOCK;
            }
        }

        long offset() {
            next = next + 1 & offsets.length - 1;
            return offsets[next];
        }
    }

    @Setup(Level.Trial)
    public void open() throws IOException {
        files = MappedImage.create(1, fragmented, DATA_CLUSTERS);
        image = DiskImages.open(files.qcow2());
        raw = FileChannel.open(files.raw());
    }

    @TearDown(Level.Trial)
    public void close() throws IOException {
        raw.close();
        image.close();
        files.close();
    }

    @Benchmark
    public ByteBuffer qcow2(Reader reader) throws IOException {
        image.read(reader.offset(), reader.buffer.clear());
        return reader.buffer;
    }

    @Benchmark
    public ByteBuffer bareChannel(Reader reader) throws IOException {
        raw.read(reader.buffer.clear(), reader.offset());
        return reader.buffer;
    }
}
