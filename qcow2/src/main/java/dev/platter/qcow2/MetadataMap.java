package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.LimitExceededException;
import java.io.IOException;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * Which clusters of the file hold metadata, so that no write of data and no other table ever lands there, whatever the
 * image says. An open-addressing table: a lookup is made for every write. Safe for readers while one thread changes it.
 */
final class MetadataMap {

    /** What a cluster holds. */
    enum Kind {
        HEADER(0, "the header"),
        REFCOUNT_TABLE(1, "the refcount table"),
        REFCOUNT_BLOCK(2, "a refcount block"),
        L1_TABLE(3, "the L1 table"),
        L2_TABLE(4, "an L2 table"),
        SNAPSHOT_TABLE(5, "the snapshot table"),
        SNAPSHOT_L1_TABLE(6, "the L1 table of a snapshot"),
        BITMAPS(7, "the bitmaps");

        private final int code;
        private final String words;

        Kind(int code, String words) {
            this.code = code;
            this.words = words;
        }

        @Override
        public String toString() {
            return words;
        }
    }

    /** By their codes. */
    private static final Kind[] KINDS = Kind.values();

    /** Enough for disks of 1 PiB with clusters of 64 KiB, and 18 MiB of heap. */
    private static final int MAX_CLUSTERS = 1 << 20;

    private static final int FIRST_SLOTS = 1 << 10;

    /** Immutable but for its slots, so that readers see keys and kinds of one size. */
    private static final class Slots {
        final long[] keys;
        final byte[] kinds;

        Slots(int size) {
            keys = new long[size];
            kinds = new byte[size];
            Arrays.fill(keys, -1);
        }
    }

    private final String file;
    private final int clusterBits;
    private volatile Slots slots = new Slots(FIRST_SLOTS);
    private int used;

    /** @param file its name, for messages */
    MetadataMap(String file, int clusterBits) {
        this.file = file;
        this.clusterBits = clusterBits;
    }

    /** Returns what a cluster holds, or null if it is not metadata. */
    @Nullable
    Kind get(long cluster) {
        Slots now = slots;
        int mask = now.keys.length - 1;
        for (int i = slot(cluster, mask); ; i = i + 1 & mask) {
            long key = now.keys[i];
            if (key == cluster) {
                int kind = now.kinds[i];
                return kind < 0 ? null : KINDS[kind];
            }
            if (key < 0) {
                return null;
            }
        }
    }

    /** Notes what a cluster holds from now on. */
    synchronized void put(long cluster, Kind kind) throws LimitExceededException {
        if (used * 2 >= slots.keys.length) {
            grow();
        }
        Slots now = slots;
        int mask = now.keys.length - 1;
        int i = slot(cluster, mask);
        while (now.keys[i] >= 0 && now.keys[i] != cluster) {
            i = i + 1 & mask;
        }
        now.kinds[i] = (byte) kind.code;
        if (now.keys[i] != cluster) {
            now.keys[i] = cluster;
            used++;
        }
    }

    /**
     * Notes that clusters hold metadata.
     *
     * @throws CorruptImageException if one of them does already
     */
    void claim(long cluster, long count, Kind kind) throws IOException {
        for (long i = cluster; i < cluster + count; i++) {
            Kind before = get(i);
            if (before != null) {
                throw new CorruptImageException(file + ": " + kind + " and " + before + " both lie at "
                        + (i << clusterBits) + "; the image can be read, but not written");
            }
            put(i, kind);
        }
    }

    /** Notes that a cluster is no metadata any more. */
    synchronized void remove(long cluster) {
        Slots now = slots;
        int mask = now.keys.length - 1;
        for (int i = slot(cluster, mask); now.keys[i] >= 0; i = i + 1 & mask) {
            if (now.keys[i] == cluster) {
                // the key stays, so that those behind it are found
                now.kinds[i] = -1;
                return;
            }
        }
    }

    private void grow() throws LimitExceededException {
        Slots old = slots;
        int live = 0;
        for (int i = 0; i < old.keys.length; i++) {
            live += old.keys[i] >= 0 && old.kinds[i] >= 0 ? 1 : 0;
        }
        if (live >= MAX_CLUSTERS) {
            throw new LimitExceededException(file + ": more than " + MAX_CLUSTERS
                    + " clusters of metadata; such an image can be read, but not written");
        }
        Slots larger = new Slots(live * 4 > old.keys.length ? old.keys.length * 2 : old.keys.length);
        int mask = larger.keys.length - 1;
        for (int i = 0; i < old.keys.length; i++) {
            if (old.keys[i] >= 0 && old.kinds[i] >= 0) {
                int to = slot(old.keys[i], mask);
                while (larger.keys[to] >= 0) {
                    to = to + 1 & mask;
                }
                larger.keys[to] = old.keys[i];
                larger.kinds[to] = old.kinds[i];
            }
        }
        used = live;
        slots = larger;
    }

    private static int slot(long cluster, int mask) {
        return (int) ((cluster * 0x9e3779b97f4a7c15L) >>> 40) & mask;
    }
}
