package dev.platter.testkit;

import dev.platter.core.BlockIOException;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.Storage;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/**
 * A file in memory that remembers every write and every flush, and can tell what a disk may hold after the power went at
 * any moment: all that was flushed, and of each 512-byte sector that was written since, any of the contents it was given,
 * or none of them. Safe for many threads; replaying is not.
 */
public final class CrashStorage implements Storage {
    private static final int SECTOR = 512;

    private final String name;
    private final byte[] initial;
    private final List<Request> requests = new ArrayList<>();
    private byte[] bytes;
    private int size;
    private long failAfter = Long.MAX_VALUE;

    /** A write; without bytes, a flush; with a size of its own, a change of size. */
    private static final class Request {
        final long offset;
        final byte @Nullable [] data;
        final int newSize;

        Request(long offset, byte @Nullable [] data, int newSize) {
            this.offset = offset;
            this.data = data;
            this.newSize = newSize;
        }

        boolean isFlush() {
            return data == null && newSize < 0;
        }
    }

    /** Makes a file that holds these bytes, durably. */
    public CrashStorage(String name, byte[] initial) {
        this.name = name;
        this.initial = initial.clone();
        this.bytes = initial.clone();
        this.size = initial.length;
    }

    /** Returns how many requests there were so far: a moment at which the power may go. */
    public synchronized int moment() {
        return requests.size();
    }

    /** Returns what the file holds now. */
    public synchronized byte[] contents() {
        return Arrays.copyOf(bytes, size);
    }

    /** Lets so many more writes and flushes pass, and no more. */
    public synchronized void failAfter(long count) {
        failAfter = count;
    }

    /** Returns a replay of all that was asked so far. */
    public synchronized Replay replay() {
        return new Replay(initial, List.copyOf(requests));
    }

    /** Goes through the moments at which the power may go, from the first to the last. */
    public static final class Replay {
        private final List<Request> requests;
        private byte[] durable;
        private int durableSize;
        private int flushed;

        private Replay(byte[] initial, List<Request> requests) {
            this.requests = requests;
            this.durable = initial.clone();
            this.durableSize = initial.length;
        }

        /** Returns the last moment. */
        public int end() {
            return requests.size();
        }

        /** Returns how many writes are not flushed at a moment. */
        public int pending(int moment) {
            advance(moment);
            return moment - flushed;
        }

        /**
         * Returns what the disk may hold if the power goes after so many requests.
         *
         * @param moment not before that of an earlier call
         * @param random chooses what of the unflushed writes is there; null for all of it
         */
        public byte[] state(int moment, @Nullable Random random) {
            advance(moment);
            byte[] state = Arrays.copyOf(durable, durableSize);
            int shape = random == null ? 0 : random.nextInt(4);
            if (random == null || shape == 0) {
                return applyAll(state, moment);
            }
            if (shape == 1) {
                return applyAll(state, flushed + random.nextInt(moment - flushed + 1));
            }
            int percent = random.nextInt(100);
            for (Request request : requests.subList(flushed, moment)) {
                if (shape == 3) {
                    state = applySectors(state, request, random, percent);
                } else if (random.nextBoolean()) {
                    state = apply(state, request);
                }
            }
            return state;
        }

        private byte[] applyAll(byte[] durableState, int end) {
            byte[] state = durableState;
            for (Request request : requests.subList(flushed, end)) {
                state = apply(state, request);
            }
            return state;
        }

        private void advance(int moment) {
            for (int i = moment - 1; i >= flushed; i--) {
                if (requests.get(i).isFlush()) {
                    byte[] state = Arrays.copyOf(durable, durableSize);
                    for (int k = flushed; k <= i; k++) {
                        state = apply(state, requests.get(k));
                    }
                    durable = state;
                    durableSize = state.length;
                    flushed = i + 1;
                    return;
                }
            }
        }

        private static byte[] apply(byte[] state, Request request) {
            byte[] data = request.data;
            if (request.newSize >= 0) {
                return Arrays.copyOf(state, request.newSize);
            }
            if (data == null) {
                return state;
            }
            int end = (int) request.offset + data.length;
            byte[] grown = end > state.length ? Arrays.copyOf(state, end) : state;
            System.arraycopy(data, 0, grown, (int) request.offset, data.length);
            return grown;
        }

        private static byte[] applySectors(byte[] state, Request request, Random random, int percent) {
            byte[] data = request.data;
            if (data == null) {
                return random.nextInt(100) < percent ? apply(state, request) : state;
            }
            byte[] grown = state;
            for (int from = 0; from < data.length; ) {
                int inSector = (int) ((request.offset + from) % SECTOR);
                int length = Math.min(SECTOR - inSector, data.length - from);
                if (random.nextInt(100) < percent) {
                    byte[] part = Arrays.copyOfRange(data, from, from + length);
                    grown = apply(grown, new Request(request.offset + from, part, -1));
                }
                from += length;
            }
            return grown;
        }
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public Object identity() {
        return this;
    }

    @Override
    public @Nullable Path path() {
        return null;
    }

    @Override
    public boolean isReadOnly() {
        return false;
    }

    @Override
    public synchronized long size() {
        return size;
    }

    @Override
    public synchronized void setSize(long newSize) throws IOException {
        pass();
        requests.add(new Request(0, null, (int) newSize));
        reserve((int) newSize);
        if (newSize < size) {
            Arrays.fill(bytes, (int) newSize, size, (byte) 0);
        }
        size = (int) newSize;
    }

    @Override
    public synchronized int read(long offset, ByteBuffer into) {
        int count = (int) Math.max(0, Math.min(into.remaining(), size - offset));
        if (count > 0) {
            into.put(bytes, (int) offset, count);
        }
        return count;
    }

    @Override
    public synchronized void write(long offset, ByteBuffer from) throws IOException {
        pass();
        byte[] data = new byte[from.remaining()];
        from.get(data);
        if (data.length > 0) {
            requests.add(new Request(offset, data, -1));
            reserve((int) offset + data.length);
            System.arraycopy(data, 0, bytes, (int) offset, data.length);
            size = Math.max(size, (int) offset + data.length);
        }
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode) throws IOException {
        write(offset, ByteBuffer.allocate((int) length));
    }

    @Override
    public void discard(long offset, long length) {
        // keeps its bytes, as a disk may
    }

    @Override
    public synchronized void flush() throws IOException {
        pass();
        requests.add(new Request(0, null, -1));
    }

    @Override
    public OptionalLong allocatedSize() {
        return OptionalLong.empty();
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        visitor.extent(offset, length, Extent.ALLOCATED, 0, null, -1);
    }

    @Override
    public Features features() {
        return Features.ofWritable();
    }

    @Override
    public void close() {
        // memory only
    }

    private void pass() throws IOException {
        if (failAfter == 0) {
            throw new BlockIOException(BlockIOException.Kind.IO, name + ": the disk failed as the test wants", null);
        }
        failAfter--;
    }

    private void reserve(int needed) {
        if (needed > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(needed, bytes.length * 2));
        }
    }
}
