package dev.platter.qcow2;

import java.util.Arrays;

/**
 * A code of whole bits for symbols that are used so and so often, none longer than a limit. Source: RFC 1951, section 3.2.2;
 * lengths by Moffat and Katajainen, "In-Place Calculation of Minimum-Redundancy Codes".
 */
final class HuffmanCode {
    private static final int SYMBOL_BITS = 9;

    /** How often each symbol is used. */
    final int[] counts;

    /** Bits of each symbol; 0 if it is not used. */
    final byte[] lengths;

    /** The bits of each symbol, in the order in which they are sent from the lowest on. */
    final int[] codes;

    private final int limit;
    private final int[] sorted;
    private final int[] nodes;
    private final int[] ofLength = new int[33];
    private final int[] nextCode = new int[33];

    HuffmanCode(int symbols, int limit) {
        this.counts = new int[symbols];
        this.lengths = new byte[symbols];
        this.codes = new int[symbols];
        this.limit = limit;
        this.sorted = new int[symbols];
        this.nodes = new int[symbols];
    }

    /** Returns how many symbols there are up to the last that is used, at least {@code least}. */
    int used(int least) {
        int used = lengths.length;
        while (used > least && lengths[used - 1] == 0) {
            used--;
        }
        return used;
    }

    /** Makes the code for the counts. */
    void build() {
        int used = 0;
        for (int i = 0; i < counts.length; i++) {
            if (counts[i] > 0) {
                sorted[used++] = counts[i] << SYMBOL_BITS | i;
            }
        }
        // a code with one symbol has a gap, which some readers refuse
        for (int i = 0; used < 2; i++) {
            if (counts[i] == 0) {
                sorted[used++] = 1 << SYMBOL_BITS | i;
            }
        }
        Arrays.sort(sorted, 0, used);
        countLengths(used);
        shorten();
        Arrays.fill(lengths, (byte) 0);
        int next = used;
        for (int length = 1; length <= limit; length++) {
            for (int i = ofLength[length]; i > 0; i--) {
                lengths[sorted[--next] & ((1 << SYMBOL_BITS) - 1)] = (byte) length;
            }
        }
        assign();
    }

    /** Takes these lengths, which are a whole code. */
    void setLengths(byte[] given) {
        System.arraycopy(given, 0, lengths, 0, lengths.length);
        Arrays.fill(ofLength, 0);
        for (byte length : lengths) {
            ofLength[length]++;
        }
        assign();
    }

    private void countLengths(int used) {
        for (int i = 0; i < used; i++) {
            nodes[i] = sorted[i] >>> SYMBOL_BITS;
        }
        nodes[0] += nodes[1];
        int root = 0;
        int leaf = 2;
        for (int next = 1; next < used - 1; next++) {
            int sum = 0;
            for (int child = 0; child < 2; child++) {
                if (leaf >= used || (root < next && nodes[root] < nodes[leaf])) {
                    sum += nodes[root];
                    nodes[root++] = next;
                } else {
                    sum += nodes[leaf++];
                }
            }
            nodes[next] = sum;
        }
        // from weights to depths of the inner nodes, and from those to how many leaves each depth has
        Arrays.fill(ofLength, 0);
        nodes[used - 2] = 0;
        for (int i = used - 3; i >= 0; i--) {
            nodes[i] = nodes[nodes[i]] + 1;
        }
        int available = 1;
        int inner = used - 2;
        for (int depth = 0; available > 0; depth++) {
            int innerHere = 0;
            while (inner >= 0 && nodes[inner] == depth) {
                innerHere++;
                inner--;
            }
            ofLength[Math.min(depth, ofLength.length - 1)] += available - innerHere;
            available = 2 * innerHere;
        }
    }

    /** Makes codes that are too long as long as allowed, and others longer until all have their place. */
    private void shorten() {
        for (int length = limit + 1; length < ofLength.length; length++) {
            ofLength[limit] += ofLength[length];
            ofLength[length] = 0;
        }
        long taken = 0;
        for (int length = 1; length <= limit; length++) {
            taken += (long) ofLength[length] << (limit - length);
        }
        while (taken > 1L << limit) {
            ofLength[limit]--;
            int length = limit - 1;
            while (ofLength[length] == 0) {
                length--;
            }
            ofLength[length]--;
            ofLength[length + 1] += 2;
            taken--;
        }
    }

    private void assign() {
        int code = 0;
        for (int length = 1; length <= limit; length++) {
            nextCode[length] = code;
            code = (code + ofLength[length]) << 1;
        }
        for (int i = 0; i < lengths.length; i++) {
            int length = lengths[i];
            if (length > 0) {
                codes[i] = Integer.reverse(nextCode[length]++) >>> (32 - length);
            }
        }
    }
}
