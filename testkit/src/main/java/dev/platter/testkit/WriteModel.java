package dev.platter.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.platter.core.BlockDevice;
import dev.platter.core.Durability;
import dev.platter.core.NotFasterException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Random;

/** Does the same random writes to a window of a device and to a byte array, and compares. */
final class WriteModel {
    private static final List<ZeroMode> MODES = List.of(ZeroMode.values());

    private final BlockDevice device;
    private final long start;
    private final byte[] model;
    private final Random random;

    WriteModel(BlockDevice device, long start, int length, Random random) throws IOException {
        this.device = device;
        this.start = start;
        this.model = new byte[length];
        this.random = random;
        device.read(start, ByteBuffer.wrap(model));
    }

    void run(int operations) throws IOException {
        for (int i = 0; i < operations; i++) {
            int length = ContractPart.randomLength(random, model.length, 100_000);
            int at = (int) ContractPart.randomOffset(random, model.length, length);
            Durability durability = random.nextInt(20) == 0 ? Durability.FUA : Durability.NONE;
            switch (random.nextInt(8)) {
                case 0, 1 -> writeZeroes(at, length, durability);
                case 2 -> discard(at, length);
                case 3 -> flushSometimes();
                default -> write(at, length, durability);
            }
            int around = Math.max(0, at - 600);
            compare(around, Math.min(model.length, at + length + 600) - around);
        }
        device.flush();
        compare(0, model.length);
    }

    private void write(int at, int length, Durability durability) throws IOException {
        ByteBuffer from = ContractPart.randomBuffer(random, length);
        byte[] bytes = new byte[length];
        random.nextBytes(bytes);
        from.duplicate().put(bytes);
        ByteBuffer shown = random.nextBoolean() ? from.asReadOnlyBuffer() : from;

        device.write(start + at, shown, durability);

        assertEquals(shown.limit(), shown.position(), "position after write");
        System.arraycopy(bytes, 0, model, at, length);
    }

    private void writeZeroes(int at, int length, Durability durability) throws IOException {
        ZeroMode mode = MODES.get(random.nextInt(MODES.size()));
        try {
            device.writeZeroes(start + at, length, mode, durability);
        } catch (NotFasterException e) {
            if (!mode.isFast()) {
                throw new AssertionError(mode + " may not be refused", e);
            }
            return;
        }
        Arrays.fill(model, at, at + length, (byte) 0);
    }

    /** What was discarded is undefined until it is written again. */
    private void discard(int at, int length) throws IOException {
        device.discard(start + at, length);
        device.read(start + at, ByteBuffer.wrap(model, at, length));
    }

    private void flushSometimes() throws IOException {
        if (random.nextInt(4) == 0) {
            device.flush();
        }
    }

    private void compare(int at, int length) throws IOException {
        Contents.of(model).slice(at, length).assertRead(new Window(device, start + at), 0, length);
    }

    /** A device seen from an offset on, made without the views that are under test. */
    private static final class Window extends dev.platter.core.ForwardingDevice {
        private final long start;

        Window(BlockDevice device, long start) {
            super(device);
            this.start = start;
        }

        @Override
        public void read(long offset, ByteBuffer into) throws IOException {
            device.read(start + offset, into);
        }
    }
}
