package dev.platter.qcow2;

import java.io.IOException;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * Threads that miss and hit the one slot of the cache of L2 slices. A result is how many of the entries looked up, first
 * and last of two slices that push each other out, were wrong.
 */
@JCStressTest
@Outcome(id = "0, 0", expect = Expect.ACCEPTABLE, desc = "Every entry is of the slice that was asked for.")
@Outcome(expect = Expect.FORBIDDEN, desc = "An entry of another slice, or of one half written.")
@State
public class SliceCacheStress {
    private static final ClusterMapper SHARED = StressImage.mapper();

    private final ClusterMapper fresh = StressImage.mapper();

    /** Both tables, in one order. */
    @Actor
    public void up(II_Result r) {
        r.r1 = wrong(fresh, 0) + wrong(fresh, 2) + wrong(SHARED, 0) + wrong(SHARED, 2);
    }

    /** Both tables, in the other order. */
    @Actor
    public void down(II_Result r) {
        r.r2 = wrong(fresh, 2) + wrong(fresh, 0) + wrong(SHARED, 2) + wrong(SHARED, 0);
    }

    private static int wrong(ClusterMapper mapper, int table) {
        int first = table * StressImage.PER_TABLE;
        return wrongAt(mapper, first) + wrongAt(mapper, first + StressImage.PER_TABLE - 1);
    }

    private static int wrongAt(ClusterMapper mapper, int cluster) {
        try {
            long entry = mapper.lookup((long) cluster * StressImage.CLUSTER);
            return entry == (StressImage.host(cluster) | L2Entry.DATA) ? 0 : 1;
        } catch (IOException e) {
            return 100;
        }
    }
}
