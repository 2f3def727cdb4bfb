package dev.platter.nbd.server;

import dev.platter.core.BlockDevice;
import dev.platter.core.DirectBuffers;
import dev.platter.nbd.protocol.Commands;
import dev.platter.nbd.protocol.NbdError;
import dev.platter.nbd.protocol.RequestHeader;
import dev.platter.nbd.server.Agreement.ReplyStyle;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.Semaphore;

/**
 * Reads of a device that has to decompress, decrypt or ask a network: several at once, on threads of the server, answered
 * in the order in which they are ready. The connection waits before taking more than its share.
 */
final class SlowReads {
    /** Buffer of a read while all large ones are lent. */
    private static final int SPARE_BYTES = 64 * 1024;

    private final Connection connection;
    private final NbdServer server;
    private final BlockDevice device;
    private final Answers answers;
    private final Replies replies;
    private final Semaphore free;
    private final int most;
    private final ReadPace pace;

    SlowReads(Connection connection, NbdServer server, BlockDevice device, Answers answers, ReadPace pace) {
        this.pace = pace;
        this.connection = connection;
        this.server = server;
        this.device = device;
        this.answers = answers;
        this.replies = connection.replies();
        this.most = server.limits().slowReads();
        this.free = new Semaphore(most);
    }

    /** Begins a read; waits while there are as many as there may be. */
    void submit(RequestHeader request) throws IOException {
        if (!free.tryAcquire()) {
            // Others may wait for what is gathered before they send what we wait for.
            replies.flush();
            free.acquireUninterruptibly();
        }
        Read read = new Read(request.cookie(), request.offset(), (int) request.length());
        try {
            server.slowReaders().execute(read);
        } catch (RejectedExecutionException e) {
            free.release();
            throw new IOException("the server is shutting down", e);
        }
    }

    /** Returns whether all reads that were begun are answered. */
    boolean isIdle() {
        return free.availablePermits() == most;
    }

    /** Waits for the reads that were begun. */
    void finish() {
        free.acquireUninterruptibly(most);
        free.release(most);
    }

    private final class Read implements Runnable {
        private final long cookie;
        private final long offset;
        private final int length;
        private boolean begun;

        Read(long cookie, long offset, int length) {
            this.cookie = cookie;
            this.offset = offset;
            this.length = length;
        }

        @Override
        public void run() {
            ByteBuffer lent = server.pool().borrow();
            try {
                ByteBuffer buffer = lent != null
                        ? lent
                        : DirectBuffers.allocate(Math.min(SPARE_BYTES, length + answers.readHeaderBytes()));
                if (answers.style() == ReplyStyle.SIMPLE && length > buffer.capacity() - answers.readHeaderBytes()) {
                    replies.together(() -> pieces(buffer));
                } else {
                    pieces(buffer);
                }
            } catch (IOException | RuntimeException e) {
                connection.fail(e);
            } finally {
                if (lent != null) {
                    server.pool().giveBack(lent);
                }
                free.release();
            }
        }

        private void pieces(ByteBuffer buffer) throws IOException {
            int header = answers.readHeaderBytes();
            boolean headed = answers.style() != ReplyStyle.SIMPLE;
            for (int done = 0; done < length; ) {
                int before = headed || done == 0 ? header : 0;
                int piece = Math.min(buffer.capacity() - before, length - done);
                buffer.clear().limit(before + piece).position(before);
                long start = System.nanoTime();
                try {
                    device.read(offset + done, buffer);
                    pace.note(System.nanoTime() - start, piece);
                } catch (IOException | RuntimeException e) {
                    failed(e);
                    return;
                }
                buffer.position(0);
                if (before > 0) {
                    answers.putRead(buffer, cookie, offset, offset + done, piece, done + piece == length);
                }
                replies.send(buffer.position(0));
                begun = true;
                done += piece;
            }
        }

        private void failed(Exception e) throws IOException {
            if (begun && answers.style() == ReplyStyle.SIMPLE) {
                throw new IOException("the rest of a read could not be read: " + e.getMessage(), e);
            }
            String text = String.valueOf(e.getMessage());
            server.listener()
                    .requestFailed(
                            connection.info(),
                            Commands.name(Commands.READ) + " of " + length + " bytes at " + offset,
                            e);
            replies.send(answers.errorReply(cookie, offset, NbdError.of(e), text));
        }
    }
}
