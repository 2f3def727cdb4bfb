package dev.platter.qcow2;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class ReferenceCountsTest {

    @ParameterizedTest
    @ValueSource(ints = {0, 1, 127, 128, 253, 254, 255, 256, 65535, 65536, 1_000_000})
    void countGoesOnBeyondAByte(int references) {
        ReferenceCounts counts = window(0, 8, false);

        for (int i = 0; i < references; i++) {
            counts.increment(5);
        }

        assertThat(counts.get(5)).isEqualTo(references);
        assertThat(counts.get(4)).isZero();
        assertThat(counts.overflowed()).isFalse();
    }

    @Test
    void wideCountersHoldAsMuchAsTheSideTable() {
        ReferenceCounts counts = window(0, 8, true);

        for (int i = 0; i < 300; i++) {
            counts.increment(7);
        }

        assertThat(counts.get(7)).isEqualTo(300);
        assertThat(counts.isZero(0, 7)).isTrue();
        assertThat(counts.isZero(0, 8)).isFalse();
    }

    @Test
    void sideTableHoldsItsLimitAndThenVoidsTheCounts() {
        ReferenceCounts counts = window(0, ReferenceCounts.MAX_ESCAPES + 1, false);

        for (int i = 0; i < ReferenceCounts.MAX_ESCAPES; i++) {
            addTo(counts, i, 256);
        }

        assertThat(counts.overflowed()).isFalse();
        assertThat(counts.escapesLeft()).isZero();
        assertThat(counts.get(0)).isEqualTo(256);
        assertThat(counts.get(ReferenceCounts.MAX_ESCAPES - 1)).isEqualTo(256);

        addTo(counts, ReferenceCounts.MAX_ESCAPES, 255);

        assertThat(counts.overflowed()).isTrue();
    }

    @Test
    void isZeroLooksAtEveryCounterOfTheRange() {
        ReferenceCounts counts = window(100, 10_000, false);

        counts.increment(9_999);

        assertThat(counts.isZero(0, 9_999)).isTrue();
        assertThat(counts.isZero(0, 10_000)).isFalse();
        assertThat(counts.holds(99)).isFalse();
        assertThat(counts.holds(100)).isTrue();
        assertThat(counts.holds(10_099)).isTrue();
        assertThat(counts.holds(10_100)).isFalse();
    }

    @Test
    void nextWindowBeginsWithZeros() {
        ReferenceCounts counts = new ReferenceCounts(4096);
        counts.begin(0, 4096, false);
        for (int i = 0; i < 4096; i++) {
            counts.increment(i);
        }
        addTo(counts, 9, 300);

        counts.begin(4096, 1024, true);

        assertThat(counts.isZero(0, 1024)).isTrue();
        addTo(counts, 9, 300);
        assertThat(counts.get(9)).isEqualTo(300);

        counts.begin(5120, 4096, false);

        assertThat(counts.isZero(0, 4096)).isTrue();
        addTo(counts, 9, 300);
        assertThat(counts.get(9)).isEqualTo(300);
    }

    private static ReferenceCounts window(long first, int size, boolean wide) {
        ReferenceCounts counts = new ReferenceCounts(wide ? 4 * size : size);
        counts.begin(first, size, wide);
        return counts;
    }

    private static void addTo(ReferenceCounts counts, int index, int references) {
        for (int i = 0; i < references; i++) {
            counts.increment(index);
        }
    }
}
