package dev.platter.core;

import com.google.common.collect.ImmutableList;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.WritableByteChannel;
import java.util.Arrays;
import java.util.List;

/** Several devices one after the other. */
final class ConcatDevice extends ViewDevice {
    private final String description;
    private final ImmutableList<BlockDevice> parts;
    /** Where each part begins, and behind them the total size. */
    private final long[] starts;

    private final Features features;

    ConcatDevice(String description, List<? extends BlockDevice> devices) {
        if (devices.isEmpty()) {
            throw new IllegalArgumentException("devices: there must be at least one");
        }
        this.description = Printable.escape(description);
        this.parts = ImmutableList.copyOf(devices);
        this.starts = new long[parts.size() + 1];
        Features all = parts.get(0).features();
        for (int i = 0; i < parts.size(); i++) {
            long size = parts.get(i).size();
            if (size > Long.MAX_VALUE - starts[i]) {
                throw new IllegalArgumentException("devices: together they are larger than 2^63-1 bytes");
            }
            starts[i + 1] = starts[i] + size;
            all = all.and(parts.get(i).features());
        }
        this.features = all;
    }

    @Override
    public long size() {
        return starts[parts.size()];
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
        for (int i = partAt(at); into.position() < limit; i++) {
            int run = (int) Math.min(limit - into.position(), starts[i + 1] - at);
            into.limit(into.position() + run);
            try {
                parts.get(i).read(at - starts[i], into);
            } finally {
                into.limit(limit);
            }
            at += run;
        }
    }

    @Override
    public void extents(long offset, long length, ExtentVisitor visitor) throws IOException {
        begin(offset, length);
        boolean[] goOn = {true};
        forParts(offset, length, (part, start, at, run) -> {
            if (goOn[0]) {
                part.extents(at - start, run, (partAt, partRun, facts, depth, below, belowOffset) -> {
                    goOn[0] = visitor.extent(start + partAt, partRun, facts, depth, part, partAt);
                    return goOn[0];
                });
            }
        });
    }

    @Override
    public void write(long offset, ByteBuffer from, Durability durability) throws IOException {
        beginWrite(offset, from.remaining());
        int limit = from.limit();
        long at = offset;
        for (int i = partAt(at); from.position() < limit; i++) {
            int run = (int) Math.min(limit - from.position(), starts[i + 1] - at);
            from.limit(from.position() + run);
            try {
                parts.get(i).write(at - starts[i], from, durability);
            } finally {
                from.limit(limit);
            }
            at += run;
        }
    }

    @Override
    public void writeZeroes(long offset, long length, ZeroMode mode, Durability durability) throws IOException {
        beginWrite(offset, length);
        if (mode.isFast() && !features.fastZero()) {
            throw new NotFasterException(description);
        }
        forParts(offset, length, (part, start, at, run) -> part.writeZeroes(at - start, run, mode, durability));
    }

    @Override
    public void discard(long offset, long length) throws IOException {
        beginWrite(offset, length);
        forParts(offset, length, (part, start, at, run) -> part.discard(at - start, run));
    }

    @Override
    public void flush() throws IOException {
        begin(0, 0);
        for (BlockDevice part : parts) {
            part.flush();
        }
    }

    @Override
    public long transferTo(long offset, long length, WritableByteChannel to) throws IOException {
        begin(offset, length);
        long at = offset;
        long end = offset + length;
        for (int i = partAt(at); at < end; i++) {
            long run = Math.min(end, starts[i + 1]) - at;
            long done = run == 0 ? 0 : parts.get(i).transferTo(at - starts[i], run, to);
            at += done;
            if (done < run) {
                break;
            }
        }
        return at - offset;
    }

    @Override
    public void prefetch(long offset, long length) {
        if (isClosed() || !Bounds.inside(offset, length, size())) {
            return;
        }
        for (int i = partAt(offset); i < parts.size() && starts[i] < offset + length; i++) {
            long from = Math.max(offset, starts[i]);
            parts.get(i).prefetch(from - starts[i], Math.min(offset + length, starts[i + 1]) - from);
        }
    }

    /** One part that refuses makes the whole refuse: a write must not end half done at its border. */
    private void beginWrite(long offset, long length) throws IOException {
        begin(offset, length);
        if (features.readOnly()) {
            throw new ReadOnlyDeviceException(description);
        }
    }

    private interface PartAction {
        void apply(BlockDevice part, long start, long at, long run) throws IOException;
    }

    private void forParts(long offset, long length, PartAction action) throws IOException {
        long at = offset;
        long end = offset + length;
        for (int i = partAt(at); at < end; i++) {
            long run = Math.min(end, starts[i + 1]) - at;
            if (run > 0) {
                action.apply(parts.get(i), starts[i], at, run);
            }
            at += run;
        }
    }

    /** The last part that begins at or before {@code offset}. */
    private int partAt(long offset) {
        int found = Arrays.binarySearch(starts, 0, parts.size(), offset);
        return found >= 0 ? found : -found - 2;
    }
}
