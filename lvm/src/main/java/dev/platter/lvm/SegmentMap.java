package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import java.util.Arrays;

/**
 * Where each byte of a volume lies: its segments in order, in arrays of primitives. Immutable and safe for many threads;
 * looking up allocates nothing. Every area was checked to lie inside its device.
 */
final class SegmentMap {
    static final byte STRIPED = 0;
    static final byte ZERO = 1;
    static final byte ERROR = 2;

    /** Where each segment begins, and behind them the size of the volume. */
    private final long[] starts;

    private final byte[] kinds;
    /** Bytes of a chunk, 0 for one area. */
    private final long[] chunks;
    /** The first area of each segment, and behind them the number of areas. */
    private final int[] firstAreas;

    private final BlockDevice[] devices;
    private final long[] offsets;

    private SegmentMap(Builder from, long size) {
        starts = Arrays.copyOf(from.starts, from.segments + 1);
        starts[from.segments] = size;
        kinds = Arrays.copyOf(from.kinds, from.segments);
        chunks = Arrays.copyOf(from.chunks, from.segments);
        firstAreas = Arrays.copyOf(from.firstAreas, from.segments + 1);
        firstAreas[from.segments] = from.areas;
        devices = Arrays.copyOf(from.devices, from.areas);
        offsets = Arrays.copyOf(from.offsets, from.areas);
    }

    long size() {
        return starts[starts.length - 1];
    }

    int areaCount() {
        return devices.length;
    }

    boolean hasHoles() {
        for (byte kind : kinds) {
            if (kind != STRIPED) {
                return true;
            }
        }
        return false;
    }

    /** Returns the segment of a byte; the last one for the size itself. */
    int segmentAt(long offset) {
        int found = Arrays.binarySearch(starts, 0, kinds.length, offset);
        return found >= 0 ? found : -found - 2;
    }

    byte kind(int segment) {
        return kinds[segment];
    }

    long start(int segment) {
        return starts[segment];
    }

    long end(int segment) {
        return starts[segment + 1];
    }

    /** Bytes of a chunk of a segment with several areas, 0 for others. */
    long chunk(int segment) {
        return chunks[segment];
    }

    int firstArea(int segment) {
        return firstAreas[segment];
    }

    int areas(int segment) {
        return firstAreas[segment + 1] - firstAreas[segment];
    }

    /** Returns how many of {@code wanted} bytes from {@code offset} on lie in one piece. */
    long run(int segment, long offset, long wanted) {
        long left = Math.min(wanted, starts[segment + 1] - offset);
        long chunk = chunks[segment];
        return chunk == 0 ? left : Math.min(left, chunk - (offset - starts[segment]) % chunk);
    }

    /** Returns the area of a byte of a striped segment. */
    int area(int segment, long offset) {
        long chunk = chunks[segment];
        int first = firstAreas[segment];
        return chunk == 0 ? first : first + (int) ((offset - starts[segment]) / chunk % areas(segment));
    }

    /** Returns where a byte of a striped segment lies in the device of its area. */
    long offset(int segment, long offset) {
        long inside = offset - starts[segment];
        long chunk = chunks[segment];
        if (chunk == 0) {
            return offsets[firstAreas[segment]] + inside;
        }
        long row = inside / chunk / areas(segment);
        return offsets[area(segment, offset)] + row * chunk + inside % chunk;
    }

    BlockDevice device(int area) {
        return devices[area];
    }

    /** Returns where an area begins in its device. */
    long areaOffset(int area) {
        return offsets[area];
    }

    /** Takes the segments in their order, each followed by its areas. */
    static final class Builder {
        private final long[] starts;
        private final byte[] kinds;
        private final long[] chunks;
        private final int[] firstAreas;
        private BlockDevice[] devices = new BlockDevice[4];
        private long[] offsets = new long[4];
        private int segments;
        private int areas;

        Builder(int segmentCount) {
            starts = new long[segmentCount];
            kinds = new byte[segmentCount];
            chunks = new long[segmentCount];
            firstAreas = new int[segmentCount];
        }

        void addZero(long start) {
            add(start, ZERO, 0);
        }

        void addError(long start) {
            add(start, ERROR, 0);
        }

        /** Adds a segment on the areas that follow; {@code chunk} is 0 if that is one. */
        void addStriped(long start, long chunk) {
            add(start, STRIPED, chunk);
        }

        private void add(long start, byte kind, long chunk) {
            starts[segments] = start;
            kinds[segments] = kind;
            chunks[segments] = chunk;
            firstAreas[segments++] = areas;
        }

        void addArea(BlockDevice device, long offset) {
            if (areas == devices.length) {
                devices = Arrays.copyOf(devices, areas * 2);
                offsets = Arrays.copyOf(offsets, areas * 2);
            }
            devices[areas] = device;
            offsets[areas++] = offset;
        }

        SegmentMap build(long size) {
            return new SegmentMap(this, size);
        }
    }
}
