package dev.platter.lvm;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.DiskImageException;
import dev.platter.core.Durability;
import dev.platter.core.Extent;
import dev.platter.core.ExtentVisitor;
import dev.platter.core.Features;
import dev.platter.core.NotFasterException;
import dev.platter.core.ReadOnlyDeviceException;
import dev.platter.core.ZeroMode;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.WritableByteChannel;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * A logical volume as a device. A request is split here at the ends of segments and of chunks; on the plain path it
 * costs a binary search and no allocation.
 */
final class VolumeDevice implements BlockDevice {
    private static final ByteBuffer ZEROES = ByteBuffer.allocateDirect(16 << 10).asReadOnlyBuffer();

    private final SegmentMap map;
    private final long extentSize;
    private final String description;
    private final Features features;
    private final Set<BlockDevice> devices = Collections.newSetFromMap(new IdentityHashMap<>());
    private volatile boolean closed;

    /**
     * @param name {@code group/volume}, fit to be shown
     * @param writable whether the metadata allows writing
     */
    VolumeDevice(String name, SegmentMap map, long extentSize, boolean writable) {
        this.map = map;
        this.extentSize = extentSize;
        Features all = Features.ofReadOnly();
        for (int i = 0; i < map.areaCount(); i++) {
            all = i == 0 ? map.device(0).features() : all.and(map.device(i).features());
            devices.add(map.device(i));
        }
        this.features = writable && !map.hasHoles() ? all : all.asReadOnly();
        this.description = description(name);
    }

    private String description(String name) {
        if (devices.isEmpty()) {
            return name;
        }
        int others = devices.size() - 1;
        return map.device(0).description() + (others == 0 ? "" : " and " + others + " more") + " > " + name;
    }

    @Override
    public long size() {
        return map.size();
    }

    @Override
    public String description() {
        return description;
    }

    @Override
    public Features features() {
        return features;
    }

    @Override
    public void read(long offset, ByteBuffer into) throws IOException {
        begin(offset, into.remaining());
        int limit = into.limit();
        long at = offset;
        int segment = map.segmentAt(at);
        while (into.position() < limit) {
            int run = (int) map.run(segment, at, limit - into.position());
            into.limit(into.position() + run);
            try {
                readRun(segment, at, into);
            } finally {
                into.limit(limit);
            }
            at += run;
            segment += at == map.end(segment) ? 1 : 0;
        }
    }

    private void readRun(int segment, long at, ByteBuffer into) throws IOException {
        if (map.kind(segment) == SegmentMap.STRIPED) {
            map.device(map.area(segment, at)).read(map.offset(segment, at), into);
        } else if (map.kind(segment) == SegmentMap.ERROR) {
            throw errorSegment(segment, at);
        } else {
            while (into.hasRemaining()) {
                int run = Math.min(into.remaining(), ZEROES.capacity());
                into.put(into.position(), ZEROES, 0, run);
                into.position(into.position() + run);
            }
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        long at = offset;
        long end = offset + length;
        int segment = map.segmentAt(at);
        while (at < end) {
            long run = map.run(segment, at, end - at);
            if (!extentsOfRun(segment, at, run, visitor)) {
                return;
            }
            at += run;
            segment += at == map.end(segment) ? 1 : 0;
        }
    }

    private boolean extentsOfRun(int segment, long at, long run, ExtentVisitor visitor) throws IOException {
        if (map.kind(segment) != SegmentMap.STRIPED) {
            int facts = map.kind(segment) == SegmentMap.ZERO ? Extent.READS_AS_ZERO : Extent.UNREADABLE;
            return visitor.extent(at, run, facts, 0, null, -1);
        }
        BlockDevice device = map.device(map.area(segment, at));
        long deviceOffset = map.offset(segment, at);
        boolean[] goOn = {true};
        device.extents(deviceOffset, run, (partAt, partRun, facts, depth, below, belowOffset) -> {
            goOn[0] = visitor.extent(at + (partAt - deviceOffset), partRun, facts, depth, device, partAt);
            return goOn[0];
        });
        return goOn[0];
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        beginWrite(offset, from.remaining());
        int limit = from.limit();
        long at = offset;
        int segment = map.segmentAt(at);
        while (from.position() < limit) {
            int run = (int) map.run(segment, at, limit - from.position());
            from.limit(from.position() + run);
            try {
                map.device(map.area(segment, at)).write(map.offset(segment, at), from, durability);
            } finally {
                from.limit(limit);
            }
            at += run;
            segment += at == map.end(segment) ? 1 : 0;
        }
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        beginWrite(offset, length);
        if (mode.isFast() && !features.fastZero()) {
            throw new NotFasterException(description);
        }
        forPieces(offset, length, (device, at, run) -> device.writeZeroes(at, run, mode, durability));
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        beginWrite(offset, length);
        forPieces(offset, length, BlockDevice::discard);
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        if (!features.readOnly()) {
            for (BlockDevice device : devices) {
                device.flush();
            }
        }
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        begin(offset, length);
        long at = offset;
        long end = offset + length;
        int segment = map.segmentAt(at);
        while (at < end) {
            long run = map.run(segment, at, end - at);
            long done = transferRun(segment, at, run, to);
            at += done;
            if (done < run) {
                break;
            }
            segment += at == map.end(segment) ? 1 : 0;
        }
        return at - offset;
    }

    private long transferRun(int segment, long at, long run, WritableByteChannel to) throws IOException {
        if (map.kind(segment) == SegmentMap.STRIPED) {
            return map.device(map.area(segment, at)).transferTo(map.offset(segment, at), run, to);
        }
        if (map.kind(segment) == SegmentMap.ERROR) {
            throw errorSegment(segment, at);
        }
        long done = 0;
        while (done < run) {
            ByteBuffer zeroes = ZEROES.slice(0, (int) Math.min(run - done, ZEROES.capacity()));
            int written = to.write(zeroes);
            if (written == 0) {
                break;
            }
            done += written;
        }
        return done;
    }

    @Override
    public void prefetch(long offset, long length) {
        if (closed || !Bounds.inside(offset, length, size())) {
            return;
        }
        long end = offset + length;
        for (int segment = map.segmentAt(offset); offset < end; segment++) {
            long to = Math.min(end, map.end(segment));
            if (map.kind(segment) == SegmentMap.STRIPED) {
                prefetchIn(segment, offset, to);
            }
            offset = to;
        }
    }

    /** One hint for each area, in whole rows of chunks: a hint may say too much. */
    private void prefetchIn(int segment, long from, long to) {
        long chunk = map.chunk(segment);
        if (chunk == 0) {
            map.device(map.firstArea(segment)).prefetch(map.offset(segment, from), to - from);
            return;
        }
        long row = chunk * map.areas(segment);
        long firstRow = (from - map.start(segment)) / row;
        long lastRow = (to - 1 - map.start(segment)) / row;
        for (int i = 0; i < map.areas(segment); i++) {
            int area = map.firstArea(segment) + i;
            map.device(area).prefetch(map.areaOffset(area) + firstRow * chunk, (lastRow - firstRow + 1) * chunk);
        }
    }

    private interface PieceAction {
        void apply(BlockDevice device, long offset, long length) throws IOException;
    }

    /** Visits the pieces of a range, in no certain order: whole rows of chunks make one piece on each area. */
    private void forPieces(long offset, long length, PieceAction action) throws IOException {
        long at = offset;
        long end = offset + length;
        for (int segment = map.segmentAt(at); at < end; segment++) {
            long segmentEnd = Math.min(end, map.end(segment));
            while (at < segmentEnd) {
                long rows = wholeRows(segment, at, segmentEnd);
                if (rows > 0) {
                    at += rows * forRows(segment, at, rows, action);
                } else {
                    long run = map.run(segment, at, segmentEnd - at);
                    action.apply(map.device(map.area(segment, at)), map.offset(segment, at), run);
                    at += run;
                }
            }
        }
    }

    private long wholeRows(int segment, long at, long end) {
        long row = map.chunk(segment) * map.areas(segment);
        return row == 0 || (at - map.start(segment)) % row != 0 ? 0 : (end - at) / row;
    }

    /** Visits the rows from {@code at} on and returns the bytes of one. */
    private long forRows(int segment, long at, long rows, PieceAction action) throws IOException {
        long chunk = map.chunk(segment);
        long row = chunk * map.areas(segment);
        long before = (at - map.start(segment)) / row * chunk;
        for (int i = 0; i < map.areas(segment); i++) {
            int area = map.firstArea(segment) + i;
            action.apply(map.device(area), map.areaOffset(area) + before, rows * chunk);
        }
        return row;
    }

    @Override
    public void close() {
        closed = true;
    }

    private void begin(long offset, long length) throws IOException {
        if (closed) {
            throw new ClosedChannelException();
        }
        Bounds.check(this, offset, length);
    }

    /** A volume that can be written has striped segments alone. */
    private void beginWrite(long offset, long length) throws IOException {
        begin(offset, length);
        if (features.readOnly()) {
            throw new ReadOnlyDeviceException(description);
        }
    }

    private DiskImageException errorSegment(int segment, long at) {
        return new DiskImageException(description + ": read at " + at + ": the segment at LE "
                + map.start(segment) / extentSize + " is of type error, which holds no bytes");
    }
}
