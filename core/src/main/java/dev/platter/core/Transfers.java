package dev.platter.core;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;

/** The copying that every device can do. */
final class Transfers {
    private static final int CHUNK = 256 * 1024;

    private Transfers() {}

    static long copyTo(BlockDevice device, long offset, long length, WritableByteChannel to) throws IOException {
        Bounds.check(device, offset, length);
        ByteBuffer buffer = DirectBuffers.allocate((int) Math.min(CHUNK, Math.max(length, 1)));
        long done = 0;
        while (done < length) {
            buffer.clear().limit((int) Math.min(buffer.capacity(), length - done));
            device.read(offset + done, buffer);
            buffer.flip();
            while (buffer.hasRemaining()) {
                int written = to.write(buffer);
                done += written;
                if (written == 0) {
                    return done;
                }
            }
        }
        return done;
    }
}
