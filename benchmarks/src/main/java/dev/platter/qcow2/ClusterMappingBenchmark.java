package dev.platter.qcow2;

import dev.platter.benchmarks.MappedImage;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import java.io.IOException;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OperationsPerInvocation;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Guest offset to cluster, with a cache that holds all L2 tables. In the mapper's package, which does not export it. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
@SuppressWarnings("NullAway.Init") // @Setup is the constructor of a benchmark
public class ClusterMappingBenchmark {
    private static final int OPERATIONS = 8192;

    /** L2 tables of the image; each maps 512 MiB. */
    @Param({"1", "512"})
    public int tables;

    private MappedImage image;
    private Storage storage;
    private ClusterMapper mapper;
    private final long[] offsets = new long[OPERATIONS];

    @Setup(Level.Trial)
    public void open() throws IOException {
        image = MappedImage.create(tables, false, 0);
        storage = Storages.open(image.qcow2(), false);
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), OpenOptions.defaults());
        mapper = new ClusterMapper(
                header,
                file,
                file,
                header.l1TableOffset(),
                header.l1EntriesFor(header.size()),
                64 << 20,
                Long.MAX_VALUE,
                warning -> {});
        Random random = new Random(7);
        for (int i = 0; i < OPERATIONS; i++) {
            offsets[i] = (random.nextLong() >>> 1) % image.diskSize();
        }
    }

    @TearDown(Level.Trial)
    public void close() throws IOException {
        storage.close();
        image.close();
    }

    @Benchmark
    @OperationsPerInvocation(OPERATIONS)
    public long random() throws IOException {
        long sum = 0;
        for (long offset : offsets) {
            sum += mapper.lookup(offset);
        }
        return sum;
    }

    @Benchmark
    @OperationsPerInvocation(OPERATIONS)
    public long sequential() throws IOException {
        long sum = 0;
        for (long i = 0; i < OPERATIONS; i++) {
            sum += mapper.lookup(i << 16);
        }
        return sum;
    }

    /** As reads and walks that go from front to back do it: a lookup, then where its run ends. */
    @Benchmark
    @OperationsPerInvocation(OPERATIONS)
    public long run() throws IOException {
        long end = (long) OPERATIONS << 16;
        long expected = mapper.lookup(0);
        long at = 0;
        while (at < end) {
            long next = mapper.runEnd(at, end, expected);
            expected += next - at;
            at = next;
        }
        return expected;
    }
}
