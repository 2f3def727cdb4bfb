package dev.platter.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeFalse;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;

/** What writing has to do, or refuse to do. */
interface WriteContract extends ContractPart {

    @Test
    default void readOnlyDeviceRefusesWritesOfAnyLength() throws IOException {
        assumeFalse(fixture().isWritable(), "the device is writable");
        BlockDevice device = device();
        int length = (int) Math.min(512, device.size());

        for (int run : new int[] {0, length}) {
            ByteBuffer from = ByteBuffer.allocate(run);
            for (Durability durability : Durability.values()) {
                assertThrows(ReadOnlyDeviceException.class, () -> device.write(0, from, durability));
                for (ZeroMode mode : ZeroMode.values()) {
                    assertThrows(
                            ReadOnlyDeviceException.class,
                            () -> device.writeZeroes(0, run, mode, durability),
                            () -> mode + " " + durability);
                }
            }
            assertEquals(0, from.position());
            assertThrows(ReadOnlyDeviceException.class, () -> device.discard(0, run));
        }
        device.flush();
        contents().assertRead(device, 0, length);
    }

    @Test
    default void writesThatLeaveTheDeviceAreRefusedAndChangeNothing() throws IOException {
        assumeTrue(fixture().isWritable(), "the device is read-only");
        BlockDevice device = device();
        long size = device.size();
        long[][] outside = {{size, 1}, {size - 1, 2}, {size + 1, 0}, {-1, 1}, {Long.MAX_VALUE, 1}, {0, -1}};

        for (long[] range : outside) {
            long offset = range[0];
            long length = range[1];
            String what = length + " bytes at " + offset;
            if (length >= 0) {
                ByteBuffer from = ByteBuffer.allocate((int) length);
                assertThrows(IndexOutOfBoundsException.class, () -> device.write(offset, from, Durability.NONE), what);
            }
            assertThrows(
                    IndexOutOfBoundsException.class,
                    () -> device.writeZeroes(offset, length, ZeroMode.KEEP_ALLOCATION, Durability.NONE),
                    what);
            assertThrows(IndexOutOfBoundsException.class, () -> device.discard(offset, length), what);
        }

        int tail = (int) Math.min(4096, size);
        contents().assertRead(device, size - tail, tail);
    }

    @Test
    default void randomWritesGiveWhatAByteArrayGives() throws Exception {
        assumeTrue(fixture().isWritable(), "the device is read-only");
        int length = (int) Math.min(MANY, device().size());

        for (long start : new long[] {0, device().size() - length}) {
            Seed.run("writes " + start, random -> new WriteModel(device(), start, length, random).run(300));
        }
    }

    @Test
    default void writesOfThreadsInRangesOfTheirOwnAllArrive() throws Exception {
        assumeTrue(fixture().isWritable(), "the device is read-only");
        int each = (int) Math.min(MANY / 4, device().size() / 4);
        Thread[] writers = new Thread[4];
        Throwable[] thrown = new Throwable[writers.length];

        for (int i = 0; i < writers.length; i++) {
            int writer = i;
            writers[i] = new Thread(() -> {
                try {
                    WriteModel model =
                            new WriteModel(device(), (long) writer * each, each, Seed.random("writer " + writer));
                    model.run(100);
                } catch (IOException | RuntimeException | AssertionError e) {
                    thrown[writer] = e;
                }
            });
            writers[i].start();
        }

        for (int i = 0; i < writers.length; i++) {
            writers[i].join();
            if (thrown[i] != null) {
                throw new AssertionError("writer " + i + " [repeat with " + Seed.repeat() + "]", thrown[i]);
            }
        }
    }
}
