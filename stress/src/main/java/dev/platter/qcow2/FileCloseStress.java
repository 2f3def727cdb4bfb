package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.Storages;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.openjdk.jcstress.annotations.Actor;
import org.openjdk.jcstress.annotations.Arbiter;
import org.openjdk.jcstress.annotations.Expect;
import org.openjdk.jcstress.annotations.JCStressTest;
import org.openjdk.jcstress.annotations.Outcome;
import org.openjdk.jcstress.annotations.State;
import org.openjdk.jcstress.infra.results.II_Result;

/**
 * A file that one thread reads and another closes: 1 is the right bytes, 2 is closed. A descriptor that
 * is left behind would make the later ones fail.
 */
@JCStressTest
@Outcome(id = "[12], 2", expect = Expect.ACCEPTABLE, desc = "The bytes, or closed; afterwards closed.")
@Outcome(expect = Expect.FORBIDDEN, desc = "Wrong bytes, another error, or bytes of a closed file.")
@State
public class FileCloseStress {
    private static final Path FILE = make();

    private final BlockDevice device = open();

    private static Path make() {
        try {
            Path file = Files.createTempFile("platter-stress", ".raw");
            file.toFile().deleteOnExit();
            return Files.write(file, new byte[] {7, 7, 7, 7});
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static BlockDevice open() {
        try {
            return Storages.asDevice(Storages.open(FILE, false));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads. */
    @Actor
    public void read(II_Result r) {
        r.r1 = read(device);
    }

    /** Closes. */
    @Actor
    public void close() {
        try {
            device.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Reads when all is done. */
    @Arbiter
    public void after(II_Result r) {
        r.r2 = read(device);
    }

    private static int read(BlockDevice device) {
        ByteBuffer into = ByteBuffer.allocate(4);
        try {
            device.read(0, into);
        } catch (ClosedChannelException e) {
            return 2;
        } catch (IOException | RuntimeException e) {
            return 4;
        }
        return into.getInt(0) == 0x07070707 ? 1 : 5;
    }
}
