package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import java.nio.ByteBuffer;
import java.util.LinkedHashSet;
import java.util.Random;
import java.util.Set;

/** What the parts of the contract work on. */
interface ContractPart {

    /** Bytes looked at of a device that is too large to be read whole for every test. */
    int MANY = 1 << 20;

    DeviceFixture fixture();

    default BlockDevice device() {
        return fixture().device();
    }

    default Contents contents() {
        return fixture().contents();
    }

    /** Returns the lengths of small requests: everything near a border that some layer may have. */
    static int[] smallLengths() {
        return new int[] {1, 2, 3, 7, 8, 9, 511, 512, 513, 4095, 4096, 4097, 65535, 65536, 65537};
    }

    /** Returns offsets at which requests begin or end: both ends of the device and the powers of two between. */
    static Set<Long> edges(long size) {
        Set<Long> edges = new LinkedHashSet<>();
        for (long power = 1; power > 0 && power <= size; power *= 2) {
            for (long near = power - 1; near <= power + 1; near++) {
                addInside(edges, near, size);
                addInside(edges, size - near, size);
            }
        }
        addInside(edges, 0, size);
        addInside(edges, size, size);
        return edges;
    }

    /** Returns a random offset, often at the end of the device. */
    static long randomOffset(Random random, long size, int length) {
        long room = size - length;
        return switch (random.nextInt(4)) {
            case 0 -> Math.max(0, room - random.nextInt(4096));
            default -> room == Long.MAX_VALUE ? random.nextLong() & room : Math.floorMod(random.nextLong(), room + 1);
        };
    }

    /** Returns a random length, from 0 to what the device has and {@code most}, small ones more often. */
    static int randomLength(Random random, long size, int most) {
        int bound = 1 << random.nextInt(1, 31 - Integer.numberOfLeadingZeros(most) + 1);
        return (int) Math.min(size, random.nextInt(Math.min(bound, most) + 1));
    }

    /** Returns a heap or direct buffer, whole or a window of a larger one, with {@code length} bytes remaining. */
    static ByteBuffer randomBuffer(Random random, int length) {
        int before = random.nextInt(3) * 5;
        int after = random.nextInt(3) * 5;
        ByteBuffer large = random.nextBoolean()
                ? ByteBuffer.allocate(before + length + after)
                : ByteBuffer.allocateDirect(before + length + after);
        ByteBuffer window = large.position(before).limit(before + length);
        return random.nextBoolean() ? window.slice() : window;
    }

    private static void addInside(Set<Long> edges, long offset, long size) {
        if (offset >= 0 && offset <= size) {
            edges.add(offset);
        }
    }

    /** Asserts that a buffer was filled from {@code start} to its limit with what is expected at {@code offset}. */
    static void assertFilled(Contents contents, long offset, ByteBuffer buffer, int start, String what)
            throws java.io.IOException {
        if (buffer.hasRemaining()) {
            throw new AssertionError(
                    what + ": the position is " + buffer.position() + ", not at the limit " + buffer.limit());
        }
        contents.assertMatch(offset, buffer.duplicate().position(start).slice(), what);
    }
}
