package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Comparison;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ComparisonTest {
    private static final int SIZE = 3 << 20;

    @ParameterizedTest
    @ValueSource(ints = {0, 511, 512, 1 << 20, SIZE - 1})
    void sectorInWhichTheyDifferIsFound(int at) throws IOException {
        byte[] bytes = TestBytes.of(0, SIZE);
        byte[] other = bytes.clone();
        other[at]++;

        assertThat(Comparison.firstDifference(device(bytes), device(other))).hasValue(at & -512);
        assertThat(Comparison.firstDifference(device(bytes), device(bytes.clone())))
                .isEmpty();
    }

    @Test
    void progressGoesToTheEndOfTheLargerOne() throws IOException {
        byte[] bytes = TestBytes.of(0, SIZE);
        byte[] longer = Arrays.copyOf(bytes, SIZE + (1 << 20) + 512);
        List<Long> told = new ArrayList<>();

        assertThat(Comparison.firstDifference(device(bytes), device(longer), (done, total) -> {
                    assertThat(total).isEqualTo(longer.length);
                    told.add(done);
                    return true;
                }))
                .isEmpty();

        assertThat(told).isSorted().startsWith(0L).endsWith((long) longer.length);
    }

    @Test
    void progressEndsInFrontOfTheDifference() throws IOException {
        byte[] bytes = TestBytes.of(0, SIZE);
        byte[] other = bytes.clone();
        other[SIZE - 1000]++;
        long[] last = {0};

        Comparison.firstDifference(device(bytes), device(other), (done, total) -> {
            last[0] = done;
            return true;
        });

        assertThat(last[0]).isEqualTo(2 << 20);
    }

    @Test
    void comparisonCanBeStopped() {
        byte[] bytes = TestBytes.of(0, SIZE);

        assertThatThrownBy(
                        () -> Comparison.firstDifference(device(bytes), device(bytes), (done, total) -> done < 1 << 20))
                .isInstanceOf(CancellationException.class)
                .hasMessageContaining("stopped at 1048576");
    }

    private static BlockDevice device(byte[] bytes) {
        return BlockDevices.ofBytes("bytes", ByteBuffer.wrap(bytes));
    }
}
