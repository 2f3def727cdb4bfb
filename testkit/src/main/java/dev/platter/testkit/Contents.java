package dev.platter.testkit;

import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** The bytes that a device is expected to have. Safe for many threads. */
public interface Contents {

    /** Returns the size in bytes. */
    long size();

    /** Fills {@code into} from its position to its limit with the bytes from {@code offset} on, all of them inside. */
    void get(long offset, ByteBuffer into) throws IOException;

    /** Returns the bytes of an array; it is not copied. */
    static Contents of(byte[] bytes) {
        return of(ByteBuffer.wrap(bytes));
    }

    /** Returns the bytes between the buffer's position and limit; they are not copied. */
    static Contents of(ByteBuffer bytes) {
        ByteBuffer all = bytes.slice();
        return of(all.capacity(), (offset, into) -> into.put(all.slice((int) offset, into.remaining())));
    }

    /** Returns the first {@code size} bytes of {@link TestBytes}. */
    static Contents testBytes(long size) {
        return of(size, TestBytes::fill);
    }

    /** Returns zeros. */
    static Contents zeros(long size) {
        return of(size, (offset, into) -> {
            while (into.hasRemaining()) {
                into.put((byte) 0);
            }
        });
    }

    /** Returns the bytes that {@code source} gives. */
    static Contents of(long size, Source source) {
        return new Contents() {
            @Override
            public long size() {
                return size;
            }

            @Override
            public void get(long offset, ByteBuffer into) throws IOException {
                source.get(offset, into);
            }
        };
    }

    /** Returns the bytes of a raw file, opened for each request. */
    static Contents ofFile(Path file) throws IOException {
        return of(java.nio.file.Files.size(file), (offset, into) -> {
            try (FileChannel channel = FileChannel.open(file, StandardOpenOption.READ)) {
                long at = offset;
                while (into.hasRemaining()) {
                    int read = channel.read(into, at);
                    if (read < 0) {
                        throw new IOException(file + ": ends before " + at);
                    }
                    at += read;
                }
            }
        });
    }

    /** Returns a part of these bytes. */
    default Contents slice(long offset, long length) {
        return of(length, (at, into) -> get(offset + at, into));
    }

    /** Returns these bytes followed by others. */
    default Contents then(Contents more) {
        long own = size();
        return of(own + more.size(), (at, into) -> {
            int limit = into.limit();
            int here = (int) Math.max(0, Math.min(into.remaining(), own - at));
            if (here > 0) {
                get(at, into.limit(into.position() + here));
            }
            if (here < limit - into.position() || into.limit(limit).hasRemaining()) {
                more.get(Math.max(0, at + here - own), into.limit(limit));
            }
        });
    }

    /** Returns {@code length} of these bytes as an array. */
    default byte[] bytes(long offset, int length) throws IOException {
        byte[] bytes = new byte[length];
        get(offset, ByteBuffer.wrap(bytes));
        return bytes;
    }

    /**
     * Asserts that a buffer, from 0 to its limit, holds what is expected at {@code offset}. The message names the first
     * difference, and where test bytes found in its place come from.
     */
    default void assertMatch(long offset, ByteBuffer actual, String what) throws IOException {
        ByteBuffer found = actual.duplicate().rewind();
        ByteBuffer expected = ByteBuffer.allocate(found.remaining());
        get(offset, expected);
        expected.flip();
        int at = expected.mismatch(found);
        if (at < 0) {
            return;
        }
        long claimed = TestBytes.claimedOffset(found, (int) (((offset + at) & ~7L) - offset));
        throw new AssertionError(what + ": byte at " + (offset + at) + " is " + hex(found.get(at)) + ", expected "
                + hex(expected.get(at)) + (claimed < 0 ? "" : "; it is test data of offset " + claimed));
    }

    /** Asserts that {@code length} bytes of a device at {@code offset} are what is expected there. */
    default void assertRead(BlockDevice device, long offset, int length) throws IOException {
        ByteBuffer into = ByteBuffer.allocate(length);
        device.read(offset, into);
        assertMatch(offset, into, device.description() + ": read of " + length + " at " + offset);
    }

    /** Asserts that all bytes of a device are what is expected. */
    default void assertAll(BlockDevice device) throws IOException {
        if (device.size() != size()) {
            throw new AssertionError(device.description() + ": size is " + device.size() + ", expected " + size());
        }
        int step = 1 << 20;
        for (long at = 0; at < size(); at += step) {
            assertRead(device, at, (int) Math.min(step, size() - at));
        }
    }

    private static String hex(byte value) {
        return String.format("0x%02x", value & 0xff);
    }

    /** Gives bytes of a function of their offset. */
    @FunctionalInterface
    interface Source {
        /** Fills {@code into} from its position to its limit with the bytes from {@code offset} on. */
        void get(long offset, ByteBuffer into) throws IOException;
    }
}
