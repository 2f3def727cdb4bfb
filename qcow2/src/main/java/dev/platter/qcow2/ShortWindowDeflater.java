package dev.platter.qcow2;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Compresses to raw deflate (RFC 1951) whose matches never reach back by 4096 bytes or more, as the qcow2 format demands and
 * {@link java.util.zip.Deflater} cannot promise. Used by one thread at a time, again and again without allocating.
 *
 * <p>Matches are looked for as libdeflate does: chains of positions with the same four bytes, the last position with the
 * same three, and before a match is taken, whether the next byte begins a better one.
 */
final class ShortWindowDeflater {
    /** Bytes that the output has behind its limit. */
    static final int SLACK = DeflateBlocks.SLACK;

    private static final VarHandle INT = MethodHandles.byteArrayViewVarHandle(int[].class, ByteOrder.LITTLE_ENDIAN)
            .withInvokeExactBehavior();
    private static final VarHandle LONG = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.LITTLE_ENDIAN)
            .withInvokeExactBehavior();

    private static final int WINDOW = 4096;
    private static final int MAX_LENGTH = 258;
    private static final int HASH_BITS = 13;
    private static final int SHORT_HASH_BITS = 12;
    private static final int HASH_FACTOR = 0x9e37_79b1;

    /** Candidates that are compared, measured: more of them compress hardly better. */
    private static final int DEPTH = 24;

    /** A match of this length is taken without looking further. */
    private static final int NICE_LENGTH = 96;

    private final int[] head = new int[1 << HASH_BITS];
    private final int[] shortHead = new int[1 << SHORT_HASH_BITS];
    private final int[] previous = new int[WINDOW];
    private final DeflateBlocks blocks = new DeflateBlocks();

    /** What the first byte is called in the tables: what former inputs left there is out of reach. */
    private int base = WINDOW;

    /**
     * Compresses an array.
     *
     * @param out has {@link #SLACK} bytes behind {@code limit}
     * @param limit bytes that the compressed stream may have at most
     * @return how many it has, or 0 if it could have more
     */
    int deflate(byte[] in, byte[] out, int limit) {
        if (base > Integer.MAX_VALUE - in.length - 2 * WINDOW) {
            Arrays.fill(head, 0);
            Arrays.fill(shortHead, 0);
            base = WINDOW;
        }
        blocks.begin(in, out, limit);
        boolean fits = parse(in) && blocks.end(in.length);
        base += in.length + WINDOW;
        return fits ? blocks.length() : 0;
    }

    private boolean parse(byte[] in) {
        // a match is looked for where four bytes can be compared
        int last = in.length - 4;
        int at = 0;
        while (at < in.length) {
            int match = at <= last ? find(in, at, 0, DEPTH) : 0;
            if (match == 0) {
                blocks.literal(in[at++]);
            } else {
                at = takeMatch(in, at, match, last);
            }
            if (blocks.isFull() && !blocks.write(at, false)) {
                return false;
            }
        }
        return true;
    }

    /** Takes a match, or a better one that begins behind it; returns where it ends. */
    private int takeMatch(byte[] in, int first, int found, int last) {
        int at = first;
        int match = found;
        int length = match >>> 16;
        int inserted = at + 1;
        while (length < NICE_LENGTH && at < last) {
            int next = find(in, at + 1, length - 1, DEPTH / 2);
            inserted = at + 2;
            if (!isBetter(next, match)) {
                break;
            }
            blocks.literal(in[at++]);
            match = next;
            length = match >>> 16;
        }
        blocks.match(length, match & 0xffff);
        int end = at + length;
        for (int i = inserted; i < Math.min(end, last + 1); i++) {
            insert(in, i);
        }
        return end;
    }

    /** A literal is the price of the next match; a distance costs as many bits as it has. */
    private static boolean isBetter(int next, int match) {
        int longer = (next >>> 16) - (match >>> 16);
        int nearer = Integer.numberOfLeadingZeros(next & 0xffff) - Integer.numberOfLeadingZeros(match & 0xffff);
        return next != 0 && longer >= 0 && 4 * longer + nearer > 2;
    }

    /** By four bytes. */
    private static int slot(int word) {
        return (word * HASH_FACTOR) >>> (32 - HASH_BITS);
    }

    /** By the three bytes that come first. */
    private static int shortSlot(int word) {
        return ((word << 8) * HASH_FACTOR) >>> (32 - SHORT_HASH_BITS);
    }

    private void insert(byte[] in, int at) {
        int word = (int) INT.get(in, at);
        int here = at + base;
        int slot = slot(word);
        previous[here & (WINDOW - 1)] = head[slot];
        head[slot] = here;
        shortHead[shortSlot(word)] = here;
    }

    /**
     * Finds the longest match, and notes the position for those that come.
     *
     * @return its length in the upper half and its distance in the lower; 0 if none is longer than {@code atLeast}
     */
    private int find(byte[] in, int at, int atLeast, int depth) {
        int word = (int) INT.get(in, at);
        int here = at + base;
        int slot = slot(word);
        int candidate = head[slot];
        previous[here & (WINDOW - 1)] = candidate;
        head[slot] = here;
        int shortSlot = shortSlot(word);
        int shortCandidate = shortHead[shortSlot];
        shortHead[shortSlot] = here;

        // at a distance of the whole window, this position has taken the place of the candidate
        int reach = Math.max(base, here - (WINDOW - 1));
        int result = 0;
        int best = Math.max(3, atLeast);
        if (atLeast < 3 && shortCandidate >= reach && ((int) INT.get(in, shortCandidate - base) ^ word) << 8 == 0) {
            result = 3 << 16 | here - shortCandidate;
        }
        int limit = Math.min(MAX_LENGTH, in.length - at);
        if (best >= limit) {
            return result;
        }
        int tail = (int) INT.get(in, at + best - 3);
        for (int left = depth; candidate >= reach && left > 0; left--) {
            int from = candidate - base;
            if ((int) INT.get(in, from + best - 3) == tail && (int) INT.get(in, from) == word) {
                int length = matchLength(in, from, at, limit);
                if (length > best) {
                    best = length;
                    result = length << 16 | here - candidate;
                    if (length >= NICE_LENGTH || length == limit) {
                        return result;
                    }
                    tail = (int) INT.get(in, at + best - 3);
                }
            }
            candidate = previous[candidate & (WINDOW - 1)];
        }
        return result;
    }

    /** The first four bytes are the same. */
    private static int matchLength(byte[] in, int from, int at, int limit) {
        int length = 4;
        while (length + 8 <= limit) {
            long difference = (long) LONG.get(in, from + length) ^ (long) LONG.get(in, at + length);
            if (difference != 0) {
                return length + (Long.numberOfTrailingZeros(difference) >>> 3);
            }
            length += 8;
        }
        while (length < limit && in[from + length] == in[at + length]) {
            length++;
        }
        return length;
    }
}
