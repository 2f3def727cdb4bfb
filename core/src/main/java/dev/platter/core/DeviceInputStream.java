package dev.platter.core;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.util.Objects;

/** The bytes of a device as a stream. */
final class DeviceInputStream extends InputStream {
    private final BlockDevice device;
    private long position;

    DeviceInputStream(BlockDevice device) {
        this.device = device;
    }

    @Override
    public int read() throws IOException {
        byte[] one = new byte[1];
        return read(one, 0, 1) < 0 ? -1 : one[0] & 0xff;
    }

    @Override
    public int read(byte[] bytes, int offset, int length) throws IOException {
        Objects.checkFromIndexSize(offset, length, bytes.length);
        if (length == 0) {
            return 0;
        }
        int run = (int) Math.min(length, device.size() - position);
        if (run == 0) {
            return -1;
        }
        device.read(position, ByteBuffer.wrap(bytes, offset, run));
        position += run;
        return run;
    }

    @Override
    public long skip(long count) {
        long run = Math.max(0, Math.min(count, device.size() - position));
        position += run;
        return run;
    }

    @Override
    public int available() {
        return (int) Math.min(Integer.MAX_VALUE, device.size() - position);
    }
}
