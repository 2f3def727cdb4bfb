package dev.platter.nbd.tls;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ByteChannel;
import java.nio.channels.Pipe;
import java.nio.channels.ReadableByteChannel;
import java.nio.channels.WritableByteChannel;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;

/** Two ends of a connection inside the process. */
record Pipes(ByteChannel one, ByteChannel other) {

    static Pipes open() throws IOException {
        Pipe there = Pipe.open();
        Pipe back = Pipe.open();
        return new Pipes(new End(back.source(), there.sink()), new End(there.source(), back.sink()));
    }

    /** Reads and writes no more than so many bytes at once. */
    static ByteChannel trickling(ByteChannel channel, int bytes) {
        return new ByteChannel() {
            @Override
            public int read(ByteBuffer into) throws IOException {
                ByteBuffer part = into.slice(into.position(), Math.min(bytes, into.remaining()));
                int length = channel.read(part);
                into.position(into.position() + Math.max(length, 0));
                return length;
            }

            @Override
            public int write(ByteBuffer from) throws IOException {
                ByteBuffer part = from.slice(from.position(), Math.min(bytes, from.remaining()));
                int length = channel.write(part);
                from.position(from.position() + length);
                return length;
            }

            @Override
            public boolean isOpen() {
                return channel.isOpen();
            }

            @Override
            public void close() throws IOException {
                channel.close();
            }
        };
    }

    /** Records what is written. */
    static final class Tap implements ByteChannel {
        private final ByteChannel channel;
        private final AtomicReference<@Nullable ByteBuffer> last = new AtomicReference<>();
        private int writes;

        Tap(ByteChannel channel) {
            this.channel = channel;
        }

        /** Returns a copy of what the last write was given. */
        ByteBuffer last() {
            ByteBuffer known = last.get();
            return known == null ? ByteBuffer.allocate(0) : known.duplicate();
        }

        int writes() {
            return writes;
        }

        @Override
        public int read(ByteBuffer into) throws IOException {
            return channel.read(into);
        }

        @Override
        public int write(ByteBuffer from) throws IOException {
            last.set(ByteBuffer.allocate(from.remaining()).put(from.duplicate()).flip());
            writes++;
            return channel.write(from);
        }

        @Override
        public boolean isOpen() {
            return channel.isOpen();
        }

        @Override
        public void close() throws IOException {
            channel.close();
        }
    }

    private record End(ReadableByteChannel in, WritableByteChannel out) implements ByteChannel {

        @Override
        public int read(ByteBuffer into) throws IOException {
            return in.read(into);
        }

        @Override
        public int write(ByteBuffer from) throws IOException {
            return out.write(from);
        }

        @Override
        public boolean isOpen() {
            return in.isOpen() && out.isOpen();
        }

        @Override
        public void close() throws IOException {
            try (in) {
                out.close();
            }
        }
    }
}
