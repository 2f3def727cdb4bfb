package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBufferPool;
import java.io.Closeable;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * Reads compressed clusters. A request for a whole cluster is decompressed straight into a direct buffer of the caller;
 * parts of clusters come from a small direct-mapped cache. Source: qcow2.rst, "Cluster mapping", compressed clusters.
 */
final class CompressedClusters implements Closeable {
    private static final VarHandle CACHE = MethodHandles.arrayElementVarHandle(Cluster[].class);
    private static final int SECTOR = 512;
    private static final int KEPT_DECOMPRESSORS = 8;

    private final HostFile file;
    private final int clusterSize;
    private final int compressionType;
    private final Cluster[] cache;
    private final DirectBufferPool inputs;
    private final DirectBufferPool outputs;
    private final ArrayBlockingQueue<Decompressor> decompressors = new ArrayBlockingQueue<>(KEPT_DECOMPRESSORS);
    private volatile boolean closed;

    /** How often all was forgotten. */
    private volatile int generation;

    CompressedClusters(Qcow2Header header, HostFile file, int cacheBytes) {
        this.file = file;
        this.clusterSize = header.clusterSize();
        this.compressionType = header.compressionType();
        this.cache = new Cluster[Integer.highestOneBit(Math.max(1, Math.min(64, cacheBytes / clusterSize)))];
        this.inputs = new DirectBufferPool(2 * clusterSize);
        this.outputs = new DirectBufferPool(clusterSize);
    }

    /** A decompressed cluster; it never changes. */
    private static final class Cluster {
        final long descriptor;
        final int generation;
        final byte[] bytes;

        Cluster(long descriptor, int generation, byte[] bytes) {
            this.descriptor = descriptor;
            this.generation = generation;
            this.bytes = bytes;
        }
    }

    /** Byte address of the compressed data. */
    static long hostOffset(long descriptor, int clusterBits) {
        return descriptor & ((1L << (62 - (clusterBits - 8))) - 1);
    }

    /** Upper bound of the bytes of the compressed data: to the end of the last sector that the descriptor counts. */
    static int hostLength(long descriptor, int clusterBits) {
        int offsetBits = 62 - (clusterBits - 8);
        long sectors = (descriptor & (L2Entry.COMPRESSED - 1)) >>> offsetBits;
        return (int) ((sectors + 1) * SECTOR - (hostOffset(descriptor, clusterBits) & (SECTOR - 1)));
    }

    /** Returns the first address that no descriptor can say. */
    static long hostOffsetLimit(int clusterBits) {
        return 1L << Math.min(56, 62 - (clusterBits - 8));
    }

    /** Returns the descriptor of compressed data, at an address below {@link #hostOffsetLimit}. */
    static long descriptor(long hostOffset, int length, int clusterBits) {
        long sectors = ((hostOffset + length - 1) / SECTOR) - (hostOffset / SECTOR);
        return L2Entry.COMPRESSED | sectors << (62 - (clusterBits - 8)) | hostOffset;
    }

    /** Reads a part of a cluster, as much as there is room for in {@code into}. */
    void read(long descriptor, long guestCluster, int offsetInCluster, ByteBuffer into) throws IOException {
        if (into.remaining() == clusterSize && into.isDirect()) {
            decompress(descriptor, guestCluster, into);
            return;
        }
        byte[] bytes = cached(descriptor, guestCluster);
        into.put(bytes, offsetInCluster, into.remaining());
    }

    private byte[] cached(long descriptor, long guestCluster) throws IOException {
        int slot = Long.hashCode(descriptor * 0x9e3779b97f4a7c15L) & (cache.length - 1);
        @Nullable Cluster cluster = (Cluster) CACHE.getAcquire(cache, slot);
        // whoever reads while all is forgotten keeps nothing for others
        int now = generation;
        if (cluster == null || cluster.descriptor != descriptor || cluster.generation != now) {
            ByteBuffer output = outputs.take();
            try {
                decompress(descriptor, guestCluster, output);
                byte[] bytes = new byte[clusterSize];
                output.flip().get(bytes);
                cluster = new Cluster(descriptor, now, bytes);
            } finally {
                outputs.give(output);
            }
            CACHE.setRelease(cache, slot, cluster);
        }
        return cluster.bytes;
    }

    private void decompress(long descriptor, long guestCluster, ByteBuffer output) throws IOException {
        int clusterBits = Integer.numberOfTrailingZeros(clusterSize);
        long offset = hostOffset(descriptor, clusterBits);
        if (!file.holds(offset, 1)) {
            if (file.zerosFor("compressed cluster", offset)) {
                HostFile.fillZeros(output, output.remaining());
                return;
            }
            throw file.truncated("compressed cluster", offset);
        }
        ByteBuffer input = inputs.take();
        Decompressor decompressor = decompressors.poll();
        if (decompressor == null) {
            decompressor = Decompressor.of(compressionType);
        }
        try {
            // the last sector may extend beyond the end of the file
            file.storage().read(offset, input.limit(hostLength(descriptor, clusterBits)));
            String problem = decompressor.decompress(input.flip(), output);
            if (problem != null) {
                throw new CorruptImageException(file.name() + ": compressed cluster of guest offset " + guestCluster
                        + " at " + offset + ": " + problem);
            }
        } finally {
            inputs.give(input);
            if (!decompressors.offer(decompressor)) {
                decompressor.close();
            }
            if (closed) {
                close();
            }
        }
    }

    /** Forgets what was decompressed: other bytes may lie there now. */
    synchronized void forget() {
        generation++;
        for (int i = 0; i < cache.length; i++) {
            CACHE.setRelease(cache, i, null);
        }
    }

    /** Frees the memory outside the heap; reads that are under way free theirs when they end. */
    @Override
    public void close() {
        closed = true;
        for (Decompressor d = decompressors.poll(); d != null; d = decompressors.poll()) {
            d.close();
        }
    }
}
