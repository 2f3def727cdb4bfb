package dev.platter.qcow2;

import com.fasterxml.jackson.databind.JsonNode;
import dev.platter.core.BlockDevice;
import dev.platter.core.Extents;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;

/** A map in the terms of {@code qemu-img map --output=json}, ours and theirs. */
final class QemuMap {

    /**
     * A line of the map.
     *
     * @param offset where the bytes lie in their file, -1 if nowhere
     */
    record Line(long start, long length, int depth, boolean present, boolean zero, boolean data, long offset) {
        boolean joins(Line next) {
            return depth == next.depth
                    && present == next.present
                    && zero == next.zero
                    && data == next.data
                    && (offset < 0 ? next.offset < 0 : next.offset == offset + length);
        }
    }

    private QemuMap() {}

    static List<Line> of(JsonNode map) {
        List<Line> lines = new ArrayList<>();
        for (JsonNode line : map) {
            add(
                    lines,
                    new Line(
                            line.path("start").asLong(),
                            line.path("length").asLong(),
                            line.path("depth").asInt(),
                            line.path("present").asBoolean(),
                            line.path("zero").asBoolean(),
                            line.path("data").asBoolean(),
                            line.path("offset").asLong(-1)));
        }
        return lines;
    }

    /** Returns the part of a map that lies in a range. */
    static List<Line> part(List<Line> map, long offset, long length) {
        List<Line> lines = new ArrayList<>();
        for (Line line : map) {
            long start = Math.max(offset, line.start);
            long end = Math.min(offset + length, line.start + line.length);
            if (start < end) {
                long at = line.offset < 0 ? -1 : line.offset + start - line.start;
                lines.add(new Line(start, end - start, line.depth, line.present, line.zero, line.data, at));
            }
        }
        return lines;
    }

    static List<Line> of(BlockDevice device) throws IOException {
        return of(device, 0, device.size());
    }

    static List<Line> of(BlockDevice device, long offset, long length) throws IOException {
        List<Line> lines = new ArrayList<>();
        Extents.forEach(device, offset, length, extent -> {
            boolean data = extent.allocated() && !extent.readsAsZero();
            add(
                    lines,
                    new Line(
                            extent.offset(),
                            extent.length(),
                            extent.depth(),
                            extent.allocated(),
                            extent.readsAsZero(),
                            data,
                            extent.below() == null ? -1 : extent.belowOffset()));
            return true;
        });
        return lines;
    }

    private static void add(List<Line> lines, Line line) {
        int last = lines.size() - 1;
        if (last >= 0 && lines.get(last).joins(line)) {
            Line before = lines.get(last);
            lines.set(
                    last,
                    new Line(
                            before.start,
                            before.length + line.length,
                            before.depth,
                            before.present,
                            before.zero,
                            before.data,
                            before.offset));
        } else {
            lines.add(line);
        }
    }
}
