package dev.platter.qcow2;

import com.github.luben.zstd.ZstdCompressCtx;
import java.nio.ByteBuffer;

/** Compresses one cluster at a time, as qemu does at its own levels; used by one thread at a time. */
abstract class Compressor implements AutoCloseable {

    /** Room that an output has behind as many bytes as a cluster has, so that no compressor has to stop in the middle. */
    static final int ROOM = 32 << 10;

    /** @param clusterSize bytes of each cluster */
    static Compressor of(int compressionType, int clusterSize) {
        return compressionType == Qcow2Header.COMPRESSION_ZSTD ? new ZstdCodec() : new Deflate(clusterSize);
    }

    /**
     * Compresses a cluster.
     *
     * @param input direct buffer with a whole cluster from position to limit
     * @param output direct buffer with room for a cluster and {@link #ROOM}; the compressed bytes are put at its position,
     *     which stays if they are not fewer
     * @return how many bytes they are, or 0 if they are not fewer than those of the cluster
     */
    abstract int compress(ByteBuffer input, ByteBuffer output);

    @Override
    public abstract void close();

    /** Raw deflate, compression type 0. */
    private static final class Deflate extends Compressor {
        private final ShortWindowDeflater deflater;
        private final byte[] cluster;
        private final byte[] compressed;

        Deflate(int clusterSize) {
            deflater = new ShortWindowDeflater();
            cluster = new byte[clusterSize];
            compressed = new byte[clusterSize + ShortWindowDeflater.SLACK];
        }

        @Override
        int compress(ByteBuffer input, ByteBuffer output) {
            input.get(input.position(), cluster);
            int length = deflater.deflate(cluster, compressed, cluster.length - 1);
            output.put(compressed, 0, length);
            return length;
        }

        @Override
        public void close() {
            // on the heap only
        }
    }

    /** Zstandard, compression type 1: one frame. */
    private static final class ZstdCodec extends Compressor {
        private final ZstdCompressCtx context = new ZstdCompressCtx();

        @Override
        int compress(ByteBuffer input, ByteBuffer output) {
            int clusterSize = input.remaining();
            // with room for the worst case it neither checks at every step nor throws
            int length = context.compressDirectByteBuffer(
                    output, output.position(), clusterSize + ROOM, input, input.position(), clusterSize);
            if (length >= clusterSize) {
                return 0;
            }
            output.position(output.position() + length);
            return length;
        }

        @Override
        public void close() {
            context.close();
        }
    }
}
