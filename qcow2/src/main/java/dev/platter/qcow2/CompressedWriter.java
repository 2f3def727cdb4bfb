package dev.platter.qcow2;

import dev.platter.core.BlockIOException;
import dev.platter.core.DirectBufferPool;
import dev.platter.core.DirectBuffers;
import dev.platter.core.PreparingDevice;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ArrayBlockingQueue;
import org.jspecify.annotations.Nullable;

/**
 * Writes whole clusters compressed, and all else as it is. Safe for many threads: each compresses what it writes, and holds
 * a lock only while that gets its place. Source: qcow2.rst, "Cluster mapping", compressed clusters.
 */
final class CompressedWriter implements Closeable {
    private static final int KEPT_COMPRESSORS = 16;
    private static final int KEPT_OUTPUTS = 16;

    private final Qcow2Header header;
    private final HostFile file;
    private final ClusterMapper mapper;
    private final TableWriter tables;
    private final ClusterWriter clusters;
    private final CompressedSpace space;
    private final int clusterBits;
    private final int clusterSize;
    private final boolean ownDataFile;
    private final ArrayBlockingQueue<Compressor> compressors = new ArrayBlockingQueue<>(KEPT_COMPRESSORS);
    private final ArrayBlockingQueue<ByteBuffer> outputs = new ArrayBlockingQueue<>(KEPT_OUTPUTS);
    private final DirectBufferPool inputs;
    private volatile boolean closed;

    CompressedWriter(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            ClusterMapper mapper,
            TableWriter tables,
            ClusterWriter clusters) {
        this.header = header;
        this.file = file;
        this.mapper = mapper;
        this.tables = tables;
        this.clusters = clusters;
        this.space = new CompressedSpace(header, tables.allocator);
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.ownDataFile = dataFile != file;
        this.inputs = new DirectBufferPool(clusterSize);
    }

    /** Refuses images that cannot hold compressed clusters. */
    void requirePossible() throws BlockIOException {
        if (ownDataFile) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    file.name() + ": an image with an external data file cannot have compressed clusters",
                    null);
        }
    }

    void write(long offset, ByteBuffer from) throws IOException {
        int limit = from.limit();
        long at = offset;
        while (from.position() < limit) {
            int run = run(at, limit - from.position());
            from.limit(from.position() + run);
            try {
                if (isWhole(at, run)) {
                    writeCluster(at, from);
                } else {
                    clusters.write(at, from);
                }
            } finally {
                from.limit(limit);
            }
            at += run;
        }
    }

    /** Returns the bytes up to the next border of clusters. */
    private int run(long at, int remaining) {
        return Math.min(remaining, clusterSize - ((int) at & (clusterSize - 1)));
    }

    /** Returns whether a run is a cluster, or all that the disk has of its last one. */
    private boolean isWhole(long at, int run) {
        return run == clusterSize || (((int) at & (clusterSize - 1)) == 0 && at + run == header.size());
    }

    private void writeCluster(long at, ByteBuffer from) throws IOException {
        ByteBuffer output = takeOutput(clusterSize);
        try {
            int length = compress(from, output);
            if (length > 0 && place(at, output.flip())) {
                from.position(from.limit());
            } else {
                clusters.write(at, from);
            }
        } finally {
            giveOutput(output);
        }
    }

    /** A part of a write: a run of the guest's bytes, and what they are compressed, or null. */
    private record Part(long at, ByteBuffer bytes, @Nullable ByteBuffer compressed) {}

    /** Compresses; the bytes get their place by {@link PreparingDevice.Prepared#write}. */
    PreparingDevice.Prepared prepare(long offset, ByteBuffer from) throws IOException {
        // what does not become smaller takes none of it
        ByteBuffer output = takeOutput(from.remaining());
        List<Part> parts = new ArrayList<>();
        for (int start = from.position(); start < from.limit(); ) {
            long at = offset + (start - from.position());
            int run = run(at, from.limit() - start);
            ByteBuffer bytes = from.slice(start, run);
            int begin = output.position();
            int length = isWhole(at, run) ? compress(bytes, output) : 0;
            parts.add(new Part(at, bytes, length == 0 ? null : output.slice(begin, length)));
            start += run;
        }
        return () -> {
            for (Part part : parts) {
                ByteBuffer compressed = part.compressed;
                if (compressed == null || !place(part.at, compressed)) {
                    clusters.write(part.at, part.bytes);
                }
            }
            giveOutput(output);
        };
    }

    /**
     * Compresses a cluster.
     *
     * @param from the bytes of the cluster; zeros take the place of what the disk does not have. Its position stays
     * @param output the compressed bytes are put there, if they are fewer
     * @return how many, or 0
     */
    private int compress(ByteBuffer from, ByteBuffer output) {
        boolean bounced = !from.isDirect() || from.remaining() < clusterSize;
        ByteBuffer input = from.duplicate();
        if (bounced) {
            input = inputs.take().put(input);
            HostFile.fillZeros(input, input.remaining());
            input.flip();
        }
        Compressor compressor = compressors.poll();
        if (compressor == null) {
            compressor = Compressor.of(header.compressionType(), clusterSize);
        }
        try {
            return compressor.compress(input, output);
        } finally {
            if (bounced) {
                inputs.give(input);
            }
            if (!compressors.offer(compressor)) {
                compressor.close();
            }
            if (closed) {
                close();
            }
        }
    }

    /** Writes the compressed bytes of a cluster to the file; returns false if there is no place that an entry could say. */
    private boolean place(long at, ByteBuffer bytes) throws IOException {
        tables.changing.lock();
        try {
            tables.begin();
            long old = mapper.lookup(at);
            tables.requireWritable(at, old);
            tables.ensureTable(at);
            tables.bitmaps.record(at, clusterSize);
            int length = bytes.remaining();
            long host = space.take(length);
            if (host == CompressedSpace.NONE) {
                return false;
            }
            try {
                tables.needBarrier();
                file.write(host, bytes);
                tables.change(at, CompressedClusters.descriptor(host, length, clusterBits), 0);
            } catch (IOException | RuntimeException e) {
                space.giveBack(host, length);
                throw e;
            }
            tables.free(old);
            tables.writeBackIfMany();
            return true;
        } catch (OverlapException e) {
            throw tables.breakOff(e);
        } finally {
            tables.changing.unlock();
        }
    }

    /** Returns an empty buffer that holds what the clusters of a request become, and more while one is compressed. */
    private ByteBuffer takeOutput(int bytes) {
        int room = Math.addExact(bytes, clusterSize + Compressor.ROOM);
        ByteBuffer output = outputs.poll();
        return output == null || output.capacity() < room ? DirectBuffers.allocate(room) : output.clear();
    }

    /** Takes a buffer back; one that is too many is left to the garbage collector. */
    @SuppressWarnings("CheckReturnValue")
    private void giveOutput(ByteBuffer output) {
        outputs.offer(output);
    }

    /** Frees the memory outside the heap; writes that are under way free theirs when they end. */
    @Override
    public void close() {
        closed = true;
        outputs.clear();
        for (Compressor c = compressors.poll(); c != null; c = compressors.poll()) {
            c.close();
        }
    }
}
