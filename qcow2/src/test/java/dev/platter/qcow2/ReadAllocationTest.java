package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.ReferencePolicy;
import dev.platter.testkit.CountingAllocation;
import dev.platter.testkit.Seed;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The plain path of a read allocates nothing: no object for a cluster, a table or a run. */
final class ReadAllocationTest {
    private static final int READS = 2000;

    @TempDir
    private Path folder;

    @ParameterizedTest
    @CsvSource({"9, false, 4096", "12, false, 4096", "16, false, 65536", "16, true, 4096", "21, false, 65536"})
    void warmReadsIntoDirectBuffersAllocateNothing(int clusterBits, boolean extended, int length) throws Exception {
        long size = Math.max(1 << 20, 3L << clusterBits);
        Files.write(folder.resolve("base.raw"), RandomImage.backing(size).bytes(0, (int) size));
        Qcow2Builder made = new Qcow2Builder(3, clusterBits, size).backing("base.raw", "raw");
        if (extended) {
            made.extendedL2();
        }
        for (long cluster = 0; cluster < size >>> clusterBits; cluster++) {
            switch ((int) cluster % 3) {
                case 0 -> made.data(cluster);
                case 1 -> made.zero(cluster);
                default -> made.unmap(cluster);
            }
        }
        if (extended) {
            made.subclusters(0, 0x0f0f_0000_0000_ff00L);
        }
        Path file = Files.write(folder.resolve("top.qcow2"), made.build());
        OpenOptions options =
                OpenOptions.builder().references(ReferencePolicy.under(folder)).build();

        try (DiskImage image = DiskImages.open(file, options)) {
            ByteBuffer into = ByteBuffer.allocateDirect(length);
            long[] offsets = offsets(size - length);
            for (int i = 0; i < 10; i++) {
                readAll(image, offsets, into);
            }

            long allocated = CountingAllocation.of(() -> readAll(image, offsets, into));

            // the last bytes are the counter's own, and what the compiler of the JVM moves about
            assertThat(allocated).isLessThan(READS);
        }
    }

    private static void readAll(BlockDevice device, long[] offsets, ByteBuffer into) throws Exception {
        for (long offset : offsets) {
            device.read(offset, into.clear());
        }
    }

    /** Half of them one after the other, half of them anywhere. */
    private static long[] offsets(long room) {
        Random random = Seed.random("allocation");
        long[] offsets = new long[READS];
        for (int i = 0; i < READS; i++) {
            offsets[i] = i < READS / 2 ? room * i / READS : random.nextLong(room + 1);
        }
        return offsets;
    }
}
