package dev.platter.testkit;

import dev.platter.core.Storage;
import java.io.IOException;
import java.nio.ByteBuffer;

/** A storage that ends earlier than its size says: a file that was cut while it was open. */
public final class ShortStorage extends ForwardingStorage {
    private final long end;

    /** Makes a storage of which no byte at or behind {@code end} can be read; closing it closes {@code storage}. */
    public ShortStorage(Storage storage, long end) {
        super(storage);
        this.end = end;
    }

    @Override
    public int read(long offset, ByteBuffer into) throws IOException {
        int limit = into.limit();
        int there = (int) Math.max(0, Math.min(into.remaining(), end - offset));
        try {
            return there == 0 ? 0 : super.read(offset, into.limit(into.position() + there));
        } finally {
            into.limit(limit);
        }
    }
}
