package dev.platter.cli;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.Copier;
import dev.platter.core.Durability;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import org.jspecify.annotations.Nullable;

/** Copies for {@code platter nbdcopy}: devices with many requests on their way, streams piece by piece. */
final class NbdCopy {
    private static final int MOST_UNDER_WAY = 64;
    private static final int MOST_BLOCK = 16 << 20;

    /** More of them write no faster to a file, and one cannot keep up with a server. */
    private static final int LOCAL_WRITERS = 2;

    private final NbdCopyArguments arguments;
    private final Stdio io;

    NbdCopy(NbdCopyArguments arguments, Stdio io) {
        this.arguments = arguments;
        this.io = io;
    }

    /** Copies. */
    void run() throws IOException {
        CopyEnds ends = new CopyEnds(arguments, io);
        try (CopyEnds.End source = ends.source()) {
            BlockDevice from = source.device();
            try (CopyEnds.End destination = ends.destination(from)) {
                BlockDevice to = destination.device();
                if (from != null && to != null && from.size() > to.size()) {
                    throw tooSmall();
                }
                tell(source, destination);
                copy(source, destination);
                if (arguments.flush && to != null) {
                    to.flush();
                }
            }
        }
    }

    private static StartFailure tooSmall() {
        return new StartFailure("error: destination size is smaller than source size");
    }

    private void tell(CopyEnds.End source, CopyEnds.End destination) {
        if (!arguments.verbose) {
            return;
        }
        io.message("src: " + source.name() + size(source.device()));
        io.message("dst: " + destination.name() + size(destination.device()));
        io.message("connections=" + arguments.connections + " requests=" + underWay() + " of " + arguments.requestSize
                + " bytes synchronous=" + arguments.synchronous);
    }

    private static String size(@Nullable BlockDevice device) {
        return device == null ? " (a stream)" : ": " + device.size() + " bytes (" + Sizes.exact(device.size()) + ")";
    }

    /** Returns how many requests are to be under way on all connections together. */
    private int underWay() {
        if (arguments.synchronous) {
            return 1;
        }
        long asked = Math.min((long) arguments.requests * arguments.connections, MOST_UNDER_WAY);
        return (int) Math.max(1, Math.min(asked, arguments.queueSize / arguments.requestSize));
    }

    private void copy(CopyEnds.End source, CopyEnds.End destination) throws IOException {
        BlockDevice from = source.device();
        BlockDevice to = destination.device();
        int readers = source.isRemote() ? underWay() : 1;
        int writers = destination.isRemote() ? underWay() : arguments.synchronous ? 1 : LOCAL_WRITERS;
        try (CopyProgress progress = CopyProgress.of(arguments, io)) {
            if (from == null) {
                progress.copied(0, 1);
                stream(source.in(), destination);
                progress.copied(1, 1);
            } else if (to == null) {
                copier(from, readers, progress).to(destination.out());
            } else {
                // the copier flushes in the end; here that is for --flush to say
                copier(from, readers, progress)
                        .writers(writers)
                        .inOrder(arguments.synchronous)
                        .targetIsZeroed(destination.isZeroed())
                        .to(new DurabilityDevice(to, Durability.NONE));
            }
        }
    }

    private Copier copier(BlockDevice from, int readers, Copier.Progress progress) {
        return Copier.of(arguments.extents ? from : new UnmappedDevice(from))
                .chunkSize(arguments.requestSize)
                .threads(readers)
                .zeroBlock(arguments.allocated ? 0 : Math.min(arguments.sparse, MOST_BLOCK))
                .onProgress(progress);
    }

    /** Copies what has no size that is known before. */
    private void stream(ReadableByteChannel in, CopyEnds.End destination) throws IOException {
        BlockDevice to = destination.device();
        ByteBuffer buffer = ByteBuffer.allocateDirect(arguments.requestSize);
        long offset = 0;
        while (fill(in, buffer.clear())) {
            buffer.flip();
            int length = buffer.remaining();
            if (to == null) {
                writeAll(buffer, destination.out());
            } else if (length > to.size() - offset) {
                throw tooSmall();
            } else {
                BlockDevice piece = BlockDevices.ofBytes("standard input", buffer);
                BlockDevice place = BlockDevices.slice(to, "at " + offset, offset, length);
                copier(piece, 1, (done, total) -> true)
                        .writers(1)
                        .targetIsZeroed(destination.isZeroed())
                        .to(new DurabilityDevice(place, Durability.NONE));
            }
            offset += length;
        }
    }

    private static void writeAll(ByteBuffer from, WritableByteChannel to) throws IOException {
        while (from.hasRemaining()) {
            to.write(from);
        }
    }

    /** Fills a buffer as far as there are bytes; returns whether there were any. */
    private static boolean fill(ReadableByteChannel in, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (in.read(buffer) < 0) {
                break;
            }
        }
        return buffer.position() > 0;
    }
}
