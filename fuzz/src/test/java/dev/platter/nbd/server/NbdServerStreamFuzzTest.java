package dev.platter.nbd.server;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.BlockDevices;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;

/** All that a client says, from its first byte; the input is that. */
class NbdServerStreamFuzzTest {
    private static final NbdServer SERVER = start();

    private static NbdServer start() {
        try {
            return NbdServer.builder()
                    .export(Export.named("")
                            .allocationDepth()
                            .of(BlockDevices.ofBytes("disk", ByteBuffer.allocateDirect(64 << 10))))
                    .export(Export.named("read-only")
                            .readOnly()
                            .of(BlockDevices.ofBytes("disk", ByteBuffer.allocateDirect(4096))))
                    .extendedHeaders()
                    .start();
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    @FuzzTest
    void everyStreamEndsInRepliesOrAHangUp(byte[] said) {
        Promises.ofMetadata(said.length).check(() -> {
            Connection connection = new Connection(SERVER, 1, new Said(said), "fuzz", null);
            connection.run();
            Throwable failure = connection.failure();
            if (failure != null && !(failure instanceof IOException)) {
                throw new AssertionError("a mistake of the server, not of the client", failure);
            }
        });
    }

    /** Says what it was given, and hears nothing. */
    private static final class Said implements ByteChannel {
        private final ByteBuffer bytes;
        private boolean open = true;

        Said(byte[] bytes) {
            this.bytes = ByteBuffer.wrap(bytes);
        }

        @Override
        public int read(ByteBuffer into) {
            if (!bytes.hasRemaining()) {
                return -1;
            }
            int length = Math.min(bytes.remaining(), into.remaining());
            into.put(bytes.slice(bytes.position(), length));
            bytes.position(bytes.position() + length);
            return length;
        }

        @Override
        public int write(ByteBuffer from) {
            int length = from.remaining();
            from.position(from.limit());
            return length;
        }

        @Override
        public boolean isOpen() {
            return open;
        }

        @Override
        public void close() {
            open = false;
        }
    }
}
