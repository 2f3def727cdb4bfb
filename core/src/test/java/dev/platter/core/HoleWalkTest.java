package dev.platter.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class HoleWalkTest {

    /** Data where a byte of the map says 'D', a hole where it says '.', and nothing behind it. */
    private record Layout(String map) implements FileFacts.Holes {
        @Override
        public long nextData(long offset) {
            return next(offset, 'D');
        }

        @Override
        public long nextHole(long offset) {
            return next(offset, '.');
        }

        private long next(long offset, char wanted) {
            int found = offset < map.length() ? map.indexOf(wanted, (int) offset) : -1;
            return found < 0 ? map.length() : found;
        }

        @Override
        public void close() {}
    }

    private static String walk(FileFacts.Holes holes, long offset, long length) throws IOException {
        StringBuilder seen = new StringBuilder();
        long[] next = {offset};
        HoleWalk.visit(holes, offset, length, (at, run, facts, depth, below, belowOffset) -> {
            assertThat(at).isEqualTo(next[0]);
            assertThat(run).isPositive();
            next[0] = at + run;
            seen.append((facts == Extent.ALLOCATED ? "D" : ".").repeat((int) run));
            return true;
        });
        return seen.toString();
    }

    @Test
    void everyRangeOfEveryLayoutIsToldAsItIs() throws IOException {
        for (int bits = 0; bits < 64; bits++) {
            StringBuilder map = new StringBuilder();
            for (int i = 0; i < 6; i++) {
                map.append((bits >> i & 1) == 0 ? '.' : 'D');
            }
            for (int from = 0; from <= 6; from++) {
                for (int to = from; to <= 6; to++) {
                    assertThat(walk(new Layout(map.toString()), from, to - from))
                            .isEqualTo(map.substring(from, to));
                }
            }
        }
    }

    @Test
    void whatLiesBehindTheEndOfACutFileCountsAsData() throws IOException {
        assertThat(walk(new Layout("D."), 0, 6)).isEqualTo("D.DDDD");
        assertThat(walk(new Layout("DD"), 4, 4)).isEqualTo("DDDD");
        assertThat(walk(new Layout(""), 0, 3)).isEqualTo("DDD");
    }

    @Test
    void holePunchedBetweenTwoQuestionsEndsTheWalk() throws IOException {
        FileFacts.Holes contradicting = new FileFacts.Holes() {
            @Override
            public long nextData(long offset) {
                return offset;
            }

            @Override
            public long nextHole(long offset) {
                return offset;
            }

            @Override
            public void close() {}
        };

        assertThat(walk(contradicting, 3, 5)).isEqualTo("DDDDD");
    }

    @Test
    void walkStopsWhenTheVisitorSaysSo() throws IOException {
        for (String map : List.of("D.D.", ".D.D")) {
            for (int most = 1; most <= 4; most++) {
                int wanted = most;
                List<Long> seen = new ArrayList<>();
                HoleWalk.visit(new Layout(map), 0, 4, (at, run, facts, depth, below, belowOffset) -> {
                    seen.add(at);
                    return seen.size() < wanted;
                });
                assertThat(seen).hasSize(most);
            }
        }
    }
}
