package dev.platter.qcow2;

import java.io.IOException;
import java.util.HashMap;
import java.util.Map;

/** A set of clusters, a bit each where there are any. */
final class ClusterSet {
    private static final int PAGE_BITS = 12;

    private final Map<Long, long[]> pages = new HashMap<>();

    /** Takes clusters. */
    interface Action {
        void cluster(long cluster) throws IOException;
    }

    void add(long cluster) {
        long[] page = pages.computeIfAbsent(cluster >>> PAGE_BITS, number -> new long[1 << (PAGE_BITS - 6)]);
        page[word(cluster)] |= 1L << cluster;
    }

    void remove(long cluster) {
        long[] page = pages.get(cluster >>> PAGE_BITS);
        if (page != null) {
            page[word(cluster)] &= ~(1L << cluster);
        }
    }

    boolean contains(long cluster) {
        long[] page = pages.get(cluster >>> PAGE_BITS);
        return page != null && (page[word(cluster)] >>> cluster & 1) != 0;
    }

    void forEach(Action action) throws IOException {
        for (Map.Entry<Long, long[]> page : pages.entrySet()) {
            for (int word = 0; word < page.getValue().length; word++) {
                for (long bits = page.getValue()[word]; bits != 0; bits &= bits - 1) {
                    action.cluster((page.getKey() << PAGE_BITS) + word * 64L + Long.numberOfTrailingZeros(bits));
                }
            }
        }
    }

    private static int word(long cluster) {
        return (int) (cluster >>> 6) & ((1 << (PAGE_BITS - 6)) - 1);
    }
}
