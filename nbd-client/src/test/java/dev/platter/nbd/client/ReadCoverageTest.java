package dev.platter.nbd.client;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.platter.nbd.protocol.ProtocolException;
import dev.platter.testkit.Seed;
import java.util.BitSet;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ReadCoverageTest {
    private final ReadCoverage coverage = new ReadCoverage();

    @Test
    void nothingIsCompleteForAReadOfNothing() {
        assertThat(coverage.isComplete(0)).isTrue();
        assertThat(coverage.isComplete(1)).isFalse();
    }

    @Test
    void piecesInAnyOrderAddUp() throws ProtocolException {
        coverage.add(200, 100);
        coverage.add(0, 100);
        assertThat(coverage.isComplete(300)).isFalse();
        assertThat(coverage.bytes()).isEqualTo(200);

        coverage.add(100, 100);

        assertThat(coverage.isComplete(300)).isTrue();
        assertThat(coverage.isComplete(301)).isFalse();
    }

    @ParameterizedTest
    @CsvSource({"100,100", "100,1", "199,1", "50,51", "0,300", "50,200", "199,2", "120,10"})
    void bytesThatCameAlreadyAreRefused(int start, int length) throws ProtocolException {
        coverage.add(300, 50);
        coverage.add(100, 100);

        assertThatThrownBy(() -> coverage.add(start, length))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("twice");
    }

    @Test
    void longestReadIsCovered() throws ProtocolException {
        coverage.add(0, Integer.MAX_VALUE);

        assertThat(coverage.isComplete(Integer.MAX_VALUE)).isTrue();
    }

    @Test
    void scatteredPiecesAreRefusedAtALimit() throws ProtocolException {
        for (int i = 0; i < ReadCoverage.MOST_RANGES; i++) {
            coverage.add(2 * i, 1);
        }

        assertThatThrownBy(() -> coverage.add(2 * ReadCoverage.MOST_RANGES, 1))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("1024");
        assertThatCode(() -> coverage.add(1, 1)).doesNotThrowAnyException();
    }

    @Test
    void clearedCoverageHasNothing() throws ProtocolException {
        coverage.add(0, 100);

        coverage.clear();

        assertThat(coverage.bytes()).isZero();
        assertThatCode(() -> coverage.add(0, 100)).doesNotThrowAnyException();
    }

    @Test
    void randomPiecesAreJudgedAsABitSetJudgesThem() throws Exception {
        Seed.run("coverage", random -> {
            for (int round = 0; round < 200; round++) {
                coverage.clear();
                BitSet model = new BitSet();
                int size = 1 + random.nextInt(300);
                for (int i = 0; i < 100; i++) {
                    int start = random.nextInt(size);
                    int length = 1 + random.nextInt(Math.min(20, size - start));
                    boolean fresh = model.get(start, start + length).isEmpty();
                    try {
                        coverage.add(start, length);
                        assertThat(fresh).isTrue();
                        model.set(start, start + length);
                    } catch (ProtocolException e) {
                        assertThat(fresh).isFalse();
                    }
                    assertThat(coverage.bytes()).isEqualTo(model.cardinality());
                    assertThat(coverage.isComplete(size)).isEqualTo(model.cardinality() == size);
                }
            }
        });
    }
}
