package dev.platter.testkit;

import java.nio.ByteBuffer;

/**
 * Bytes that know where they are: every 8-byte group holds its own offset, big-endian, below a first byte of {@code
 * 0xa5}. A block in the wrong place betrays where it came from, and no group is zero.
 */
public final class TestBytes {
    private static final long TAG = 0xa5L << 56;
    private static final long OFFSET_BITS = 0x00ff_ffff_ffff_fff8L;

    private TestBytes() {}

    /** Returns the byte at an offset. */
    public static byte at(long offset) {
        return (byte) (group(offset) >>> (56 - 8 * (offset & 7)));
    }

    /** Fills {@code into} from its position to its limit with the bytes from {@code offset} on. */
    public static void fill(long offset, ByteBuffer into) {
        long at = offset;
        while (into.hasRemaining() && (at & 7) != 0) {
            into.put(at(at++));
        }
        boolean bigEndian = into.order() == java.nio.ByteOrder.BIG_ENDIAN;
        while (into.remaining() >= 8) {
            into.putLong(bigEndian ? group(at) : Long.reverseBytes(group(at)));
            at += 8;
        }
        while (into.hasRemaining()) {
            into.put(at(at++));
        }
    }

    /** Returns {@code length} bytes from {@code offset} on. */
    public static byte[] of(long offset, int length) {
        byte[] bytes = new byte[length];
        fill(offset, ByteBuffer.wrap(bytes));
        return bytes;
    }

    /** Returns which offset the group at {@code index} of {@code bytes} says it is from, or -1 if it is none of ours. */
    static long claimedOffset(ByteBuffer bytes, int index) {
        if (index < 0 || index > bytes.limit() - 8) {
            return -1;
        }
        long group = 0;
        for (int i = 0; i < 8; i++) {
            group = group << 8 | (bytes.get(index + i) & 0xff);
        }
        return (group & ~OFFSET_BITS) == TAG ? group & OFFSET_BITS : -1;
    }

    private static long group(long offset) {
        return TAG | (offset & OFFSET_BITS);
    }
}
