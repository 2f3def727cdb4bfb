package dev.platter.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.platter.core.BlockDevice;
import dev.platter.core.Extent;
import dev.platter.core.Extents;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** What extents have to say. */
interface ExtentContract extends ContractPart {

    /** Extents looked at of a device that has very many. */
    int MANY_EXTENTS = 20_000;

    /** Bytes compared at each end of an extent. */
    int SAMPLE = 64 * 1024;

    int ALL_FACTS = Extent.ALLOCATED | Extent.READS_AS_ZERO | Extent.COMPRESSED | Extent.ENCRYPTED | Extent.UNREADABLE;

    @Test
    default void extentsCoverTheDeviceExactly() throws IOException {
        assertCovered(0, device().size());
    }

    @Test
    default void extentsCoverAnyRangeExactly() throws Exception {
        long size = device().size();
        Seed.run("extents", random -> {
            for (int i = 0; i < 100; i++) {
                int length = ContractPart.randomLength(random, size, MANY);
                assertCovered(ContractPart.randomOffset(random, size, length), length);
            }
        });
    }

    @Test
    default void extentsStopWhenTheVisitorSaysSo() throws IOException {
        for (int most = 1; most <= 3; most++) {
            int wanted = most;
            int[] seen = {0};

            device().extents(0, device().size(), (offset, length, facts, depth, below, belowOffset) -> {
                assertTrue(seen[0] < wanted, "an extent was reported after the visitor had said stop");
                return ++seen[0] < wanted;
            });
        }
    }

    @Test
    default void extentsThatReadAsZeroDo() throws IOException {
        for (Extent extent : extents()) {
            if (extent.readsAsZero()) {
                for (long at : samples(extent)) {
                    int length = (int) Math.min(SAMPLE, extent.end() - at);
                    Contents.zeros(device().size()).assertRead(device(), at, length);
                }
            }
        }
    }

    @Test
    default void plainExtentsHaveTheirBytesInTheDeviceBelow() throws IOException {
        for (Extent extent : extents()) {
            BlockDevice below = extent.below();
            if (below != null && !extent.readsAsZero() && !extent.unreadable()) {
                assertSameBytes(extent, below);
            }
        }
    }

    @Test
    default void resolvedExtentsHaveTheirBytesAtTheBottom() throws IOException {
        for (Extent extent : extents()) {
            long[] next = {extent.offset()};

            Extents.resolve(extent, part -> {
                assertEquals(next[0], part.offset(), "gap in the parts of " + extent);
                next[0] = part.end();
                BlockDevice bottom = part.below();
                if (bottom != null && !part.readsAsZero() && !part.unreadable()) {
                    assertSameBytes(part, bottom);
                }
                return true;
            });

            assertEquals(extent.end(), next[0], "end of the parts of " + extent);
        }
    }

    private void assertSameBytes(Extent extent, BlockDevice below) throws IOException {
        assertTrue(extent.belowOffset() >= 0, extent.toString());
        assertTrue(extent.length() <= below.size() - extent.belowOffset(), extent + " leaves " + below.description());
        long delta = extent.belowOffset() - extent.offset();
        for (long at : samples(extent)) {
            int length = (int) Math.min(SAMPLE, extent.end() - at);
            ByteBuffer there = ByteBuffer.allocate(length);
            below.read(at + delta, there);
            contents().assertMatch(at, there, below.description() + " below " + extent);
        }
    }

    private List<Extent> extents() throws IOException {
        List<Extent> extents = new ArrayList<>();
        Extents.forEach(device(), 0, device().size(), extent -> {
            extents.add(extent);
            return extents.size() < MANY_EXTENTS;
        });
        return extents;
    }

    private static long[] samples(Extent extent) {
        long last = Math.max(extent.offset(), extent.end() - SAMPLE);
        return last == extent.offset() ? new long[] {last} : new long[] {extent.offset(), last};
    }

    private void assertCovered(long offset, long length) throws IOException {
        long end = offset + length;
        long[] next = {offset};
        int[] seen = {0};

        device().extents(offset, length, (at, run, facts, depth, below, belowOffset) -> {
            String extent = new Extent(at, run, facts, depth, below, belowOffset).toString();
            assertEquals(next[0], at, "gap or overlap before " + extent);
            assertTrue(run > 0 && run <= end - at, "length of " + extent);
            assertEquals(0, facts & ~ALL_FACTS, "facts of " + extent);
            assertTrue(depth >= 0, "depth of " + extent);
            assertTrue(below != null || belowOffset == -1, "belowOffset without below in " + extent);
            next[0] = at + run;
            return ++seen[0] < MANY_EXTENTS;
        });

        if (seen[0] < MANY_EXTENTS) {
            assertEquals(end, next[0], "end of the extents of " + length + " bytes at " + offset);
        }
    }
}
