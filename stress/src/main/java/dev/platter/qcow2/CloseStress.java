package dev.platter.qcow2;

import dev.platter.core.DiskImage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/** A thread that reads plain and compressed clusters of an image that another closes: 1 is the right bytes, 2 is closed. */
@JCStressTest
@Outcome(id = "[12], 2", expect = Expect.ACCEPTABLE, desc = "The bytes, or closed; afterwards closed.")
@Outcome(expect = Expect.FORBIDDEN, desc = "Wrong bytes, another error, or bytes of a closed image.")
@State
public class CloseStress {
    private final DiskImage image = StressImage.open();

    /** Reads across two plain clusters, and compressed ones through the cache and past it. */
    @Actor
    public void read(II_Result r) {
        int plain = read(image, 0, ByteBuffer.allocate(2 * StressImage.CLUSTER));
        int part = read(image, StressImage.PER_TABLE, ByteBuffer.allocate(100));
        int whole = read(image, StressImage.PER_TABLE + 1, ByteBuffer.allocateDirect(StressImage.CLUSTER));
        // what is closed stays closed
        r.r1 = plain > part || part > whole ? 3 : whole;
    }

    /** Closes. */
    @Actor
    public void close() {
        try {
            image.close();
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    /** Reads when all is done. */
    @Arbiter
    public void after(II_Result r) {
        r.r2 = read(image, 0, ByteBuffer.allocate(1));
    }

    private static int read(DiskImage image, int cluster, ByteBuffer into) {
        try {
            image.read((long) cluster * StressImage.CLUSTER, into);
        } catch (ClosedChannelException e) {
            return 2;
        } catch (IOException | RuntimeException e) {
            return 4;
        }
        for (int i = 0; i < into.limit(); i++) {
            if (into.get(i) != StressImage.fill(cluster + i / StressImage.CLUSTER)) {
                return 5;
            }
        }
        return 1;
    }
}
