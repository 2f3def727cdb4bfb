package dev.platter.testkit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.opentest4j.TestAbortedException;

/** Many seeds; skipped when the build asks for other ones. */
class SeedsTest {

    @BeforeEach
    void requireOwnSeeds() {
        if (System.getProperty("platter.seed") != null || System.getProperty("platter.seeds") != null) {
            throw new TestAbortedException("seeds are given");
        }
    }

    @Test
    void everySeedGetsItsOwnNumbersAndTheSameAgain() throws InterruptedException {
        Set<Integer> first = ConcurrentHashMap.newKeySet();
        Set<Integer> again = ConcurrentHashMap.newKeySet();

        int count = Seeds.run(SeedsTest.class, 50, random -> first.add(random.nextInt()));
        Seeds.run(SeedsTest.class, 50, random -> again.add(random.nextInt()));

        assertThat(first).hasSize(count).isEqualTo(again);
    }

    @Test
    void failureTellsHowManyAndRepeatsTheSeed() {
        Set<Integer> run = ConcurrentHashMap.newKeySet();

        assertThatThrownBy(() -> Seeds.run(SeedsTest.class, 60, random -> {
                    run.add(random.nextInt());
                    throw new IOException("wrong");
                }))
                .isInstanceOf(AssertionError.class)
                .satisfies(e -> assertThat(e).hasMessageContaining(run.size() + " of " + run.size() + " seeds failed"))
                .hasMessageContaining("seed 1: java.io.IOException: wrong")
                .hasMessageContaining("-Dtest=SeedsTest")
                .hasMessageContaining("-Dplatter.seed=10")
                .satisfies(e -> assertThat(e.getSuppressed()).hasSize(10));
        assertThat(run).hasSizeGreaterThan(10);
    }
}
