package dev.platter.core;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.junit.jupiter.api.Test;

final class DirectBufferPoolTest {

    @Test
    void bufferThatWasGivenBackIsTakenAgainAsNew() {
        DirectBufferPool pool = new DirectBufferPool(512);
        ByteBuffer buffer = pool.take();
        buffer.position(7).limit(9);

        pool.give(buffer);

        ByteBuffer again = pool.take();
        assertThat(again).isSameAs(buffer);
        assertThat(again.position()).isZero();
        assertThat(again.limit()).isEqualTo(512);
        assertThat(pool.take()).isNotSameAs(buffer);
    }

    @Test
    void largeBuffersAreKeptOneAtATime() {
        DirectBufferPool pool = new DirectBufferPool(4 << 20);
        ByteBuffer first = pool.take();
        ByteBuffer second = pool.take();

        pool.give(first);
        pool.give(second);

        assertThat(pool.take()).isSameAs(first);
        assertThat(pool.take()).isNotSameAs(second);
    }

    @Test
    void manyThreadsTakeAndGiveBack() throws Exception {
        DirectBufferPool pool = new DirectBufferPool(8);
        ExecutorService threads = Executors.newFixedThreadPool(8);
        try {
            List<Future<Boolean>> all = new ArrayList<>();
            for (int i = 0; i < 8; i++) {
                long mark = i;
                Callable<Boolean> user = () -> {
                    for (int round = 0; round < 50_000; round++) {
                        ByteBuffer own = pool.take();
                        own.putLong(0, mark);
                        assertThat(own.getLong(0)).isEqualTo(mark);
                        pool.give(own);
                    }
                    return true;
                };
                all.add(threads.submit(user));
            }
            for (Future<Boolean> one : all) {
                assertThat(one.get()).isTrue();
            }
        } finally {
            threads.shutdownNow();
        }
    }
}
