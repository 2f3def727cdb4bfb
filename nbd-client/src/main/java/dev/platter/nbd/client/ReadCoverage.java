package dev.platter.nbd.client;

import dev.platter.nbd.protocol.ProtocolException;
import java.util.Arrays;

/**
 * Which bytes of one read the chunks of its reply have brought so far. A structured reply may come in any order and in any
 * pieces, and a server can leave bytes out or send some twice: then what the buffer holds is not what the disk holds. Used
 * by one thread.
 */
final class ReadCoverage {
    /** Ranges that do not touch. A server that reads in several threads has a few; more is meant to cost memory. */
    static final int MOST_RANGES = 1024;

    private int[] starts = new int[4];
    private int[] ends = new int[4];
    private int count;

    /** Forgets what came. */
    void clear() {
        count = 0;
        if (starts.length > 64) {
            starts = new int[4];
            ends = new int[4];
        }
    }

    /**
     * Adds what a chunk brings.
     *
     * @throws ProtocolException if some of it came already, or the pieces are scattered beyond all need
     */
    void add(int start, int length) throws ProtocolException {
        int end = start + length;
        int next = count > 0 && starts[count - 1] < start ? count : after(start);
        if ((next > 0 && ends[next - 1] > start) || (next < count && starts[next] < end)) {
            throw new ProtocolException("a reply brings bytes twice: at " + start + " of its request");
        }
        boolean joinsBefore = next > 0 && ends[next - 1] == start;
        boolean joinsAfter = next < count && starts[next] == end;
        if (joinsBefore && joinsAfter) {
            ends[next - 1] = ends[next];
            remove(next);
        } else if (joinsBefore) {
            ends[next - 1] = end;
        } else if (joinsAfter) {
            starts[next] = start;
        } else {
            insert(next, start, end);
        }
    }

    /** Returns whether all bytes came. */
    boolean isComplete(int length) {
        return length == 0 || (count == 1 && starts[0] == 0 && ends[0] == length);
    }

    /** Returns how many bytes came. */
    int bytes() {
        int sum = 0;
        for (int i = 0; i < count; i++) {
            sum += ends[i] - starts[i];
        }
        return sum;
    }

    /** Returns which range is the first that begins at {@code start} or behind it. */
    private int after(int start) {
        int found = Arrays.binarySearch(starts, 0, count, start);
        return found < 0 ? -found - 1 : found;
    }

    private void insert(int at, int start, int end) throws ProtocolException {
        if (count == MOST_RANGES) {
            throw new ProtocolException("a reply comes in more than " + MOST_RANGES + " pieces that do not touch");
        }
        if (count == starts.length) {
            starts = Arrays.copyOf(starts, 2 * count);
            ends = Arrays.copyOf(ends, 2 * count);
        }
        System.arraycopy(starts, at, starts, at + 1, count - at);
        System.arraycopy(ends, at, ends, at + 1, count - at);
        starts[at] = start;
        ends[at] = end;
        count++;
    }

    private void remove(int at) {
        System.arraycopy(starts, at + 1, starts, at, count - at - 1);
        System.arraycopy(ends, at + 1, ends, at, count - at - 1);
        count--;
    }
}
