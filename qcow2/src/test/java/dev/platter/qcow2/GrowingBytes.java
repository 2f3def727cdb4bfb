package dev.platter.qcow2;

import java.nio.ByteBuffer;
import java.util.Arrays;

/** A file under construction: bytes that can be put anywhere, zeros between them. */
final class GrowingBytes {
    private byte[] bytes = new byte[64 << 10];
    private int size;

    /** Adds room at the end and returns where it begins. */
    int append(int length) {
        int at = size;
        grow(size + length);
        return at;
    }

    void put(int at, byte... more) {
        grow(at + more.length);
        System.arraycopy(more, 0, bytes, at, more.length);
    }

    void putInt(int at, long value) {
        grow(at + 4);
        ByteBuffer.wrap(bytes).putInt(at, (int) value);
    }

    void putLong(int at, long value) {
        grow(at + 8);
        ByteBuffer.wrap(bytes).putLong(at, value);
    }

    int size() {
        return size;
    }

    byte[] toArray() {
        return Arrays.copyOf(bytes, size);
    }

    private void grow(int end) {
        if (end > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(end, 2 * bytes.length));
        }
        size = Math.max(size, end);
    }
}
