package dev.platter.qcow2;

import com.github.luben.zstd.Zstd;
import com.github.luben.zstd.ZstdDecompressCtx;
import com.github.luben.zstd.ZstdException;
import java.nio.ByteBuffer;
import java.util.zip.DataFormatException;
import java.util.zip.Inflater;
import org.jspecify.annotations.Nullable;

/** Decompresses one cluster at a time; used by one thread at a time. Never produces more than there is room for. */
abstract class Decompressor implements AutoCloseable {

    static Decompressor of(int compressionType) {
        return compressionType == Qcow2Header.COMPRESSION_ZSTD ? new ZstdCodec() : new Deflate();
    }

    /**
     * Fills {@code output} from a stream that begins {@code input}. What follows the stream in {@code input} is ignored,
     * and so is what the stream holds beyond the room in {@code output}.
     *
     * @param input direct buffer
     * @param output direct buffer, filled from position to limit
     * @return null, or what is wrong with the stream
     */
    abstract @Nullable String decompress(ByteBuffer input, ByteBuffer output);

    @Override
    public abstract void close();

    /** Raw deflate, compression type 0. */
    private static final class Deflate extends Decompressor {
        private final Inflater inflater = new Inflater(true);

        @Override
        @Nullable
        String decompress(ByteBuffer input, ByteBuffer output) {
            inflater.reset();
            inflater.setInput(input);
            try {
                while (output.hasRemaining()) {
                    if (inflater.inflate(output) == 0) {
                        return inflater.finished()
                                ? "its stream ends " + output.remaining() + " bytes before the cluster is full"
                                : "its stream is cut off, " + output.remaining() + " bytes before the cluster is full";
                    }
                }
                return null;
            } catch (DataFormatException e) {
                return "its deflate stream is damaged (" + e.getMessage() + ")";
            }
        }

        @Override
        public void close() {
            inflater.end();
        }
    }

    /**
     * Zstandard, compression type 1: frames one after the other. Each is decompressed in one call straight into the
     * output, which needs no window, so that a header that demands a large one costs nothing.
     */
    private static final class ZstdCodec extends Decompressor {
        private final ZstdDecompressCtx context = new ZstdDecompressCtx();

        @Override
        @Nullable
        String decompress(ByteBuffer input, ByteBuffer output) {
            while (output.hasRemaining()) {
                long frame = Zstd.findDirectByteBufferFrameCompressedSize(input, input.position(), input.remaining());
                if (Zstd.isError(frame)) {
                    return "its zstd stream is damaged (" + Zstd.getErrorName(frame) + ")";
                }
                int produced;
                try {
                    produced = context.decompressDirectByteBuffer(
                            output, output.position(), output.remaining(), input, input.position(), (int) frame);
                } catch (ZstdException e) {
                    return "its zstd stream is damaged (" + e.getMessage() + ")";
                }
                if (frame == 0) {
                    return "its stream ends " + output.remaining() + " bytes before the cluster is full";
                }
                input.position(input.position() + (int) frame);
                output.position(output.position() + produced);
            }
            return null;
        }

        @Override
        public void close() {
            context.close();
        }
    }
}
