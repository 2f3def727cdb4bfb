package dev.platter.core;

import java.io.IOException;
import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.NoSuchElementException;
import org.jspecify.annotations.Nullable;

/** Extents as objects, merged and resolved, for those who do not mind an allocation for each. */
public final class Extents {

    /** Extents gathered by one call to the device: enough to make the call worth it, few enough to keep memory flat. */
    private static final int BATCH = 512;

    private Extents() {}

    /** Takes merged extents. */
    @FunctionalInterface
    public interface Consumer {
        /** Takes one extent; returns whether to go on. */
        boolean accept(Extent extent) throws IOException;
    }

    /**
     * Returns the extent that begins at {@code offset}, as long as the device reports it in one piece.
     *
     * @throws IndexOutOfBoundsException if {@code offset} is not inside the device
     */
    public static Extent at(BlockDevice device, long offset) throws IOException {
        Bounds.check(device, offset, 1);
        Merger first = new Merger(extent -> false);
        device.extents(offset, device.size() - offset, first);
        return first.finish();
    }

    /** Calls {@code consumer} for the extents of a range, neighbours of equal facts and adjoining places merged. */
    public static void forEach(BlockDevice device, long offset, long length, Consumer consumer) throws IOException {
        if (length == 0) {
            Bounds.check(device, offset, 0);
            return;
        }
        Merger merger = new Merger(consumer);
        device.extents(offset, length, merger);
        if (!merger.stopped) {
            consumer.accept(merger.finish());
        }
    }

    /**
     * Returns the merged extents of the whole device, found as they are asked for.
     *
     * @throws java.io.UncheckedIOException from the iterator, if the device fails
     */
    public static Iterable<Extent> iterate(BlockDevice device) {
        return () -> new Batches(device);
    }

    /**
     * Follows an extent down to the device at the bottom: from a logical volume through its partition and its image to
     * the file. The parts are given in order, each with its offset in {@code extent}'s own device, its own facts, and
     * the bottom device below. Parts that are not stored as plain bytes anywhere have no device below.
     */
    public static void resolve(Extent extent, Consumer consumer) throws IOException {
        resolve(extent.offset(), extent, consumer);
    }

    private static boolean resolve(long offset, Extent extent, Consumer consumer) throws IOException {
        BlockDevice below = extent.below();
        if (below == null || extent.readsAsZero() || extent.unreadable()) {
            return consumer.accept(
                    new Extent(offset, extent.length(), extent.facts(), extent.depth(), below, extent.belowOffset()));
        }
        boolean[] goOn = {true};
        forEach(below, extent.belowOffset(), extent.length(), part -> {
            long at = offset + (part.offset() - extent.belowOffset());
            if (part.below() == null && part.facts() == Extent.ALLOCATED) {
                goOn[0] = consumer.accept(
                        new Extent(at, part.length(), extent.facts(), extent.depth(), below, part.offset()));
            } else {
                goOn[0] = resolve(at, part, consumer);
            }
            return goOn[0];
        });
        return goOn[0];
    }

    /** Joins neighbours as they come. Holds one pending extent. */
    private static final class Merger implements ExtentVisitor {
        private final Consumer consumer;
        private long offset;
        private long length;
        private int facts;
        private int depth;
        private @Nullable BlockDevice below;
        private long belowOffset;
        private boolean stopped;

        Merger(Consumer consumer) {
            this.consumer = consumer;
        }

        @Override
        public boolean extent(
                long offset, long length, int facts, int depth, @Nullable BlockDevice below, long belowOffset)
                throws IOException {
            if (this.length > 0) {
                boolean joins = facts == this.facts
                        && depth == this.depth
                        && below == this.below
                        && (below == null || belowOffset == this.belowOffset + this.length);
                if (joins) {
                    this.length += length;
                    return true;
                }
                if (!consumer.accept(finish())) {
                    stopped = true;
                    return false;
                }
            }
            this.offset = offset;
            this.length = length;
            this.facts = facts;
            this.depth = depth;
            this.below = below;
            this.belowOffset = belowOffset;
            return true;
        }

        Extent finish() {
            return new Extent(offset, length, facts, depth, below, belowOffset);
        }
    }

    private static final class Batches implements Iterator<Extent> {
        private final BlockDevice device;
        private final ArrayDeque<Extent> ready = new ArrayDeque<>();
        private long position;

        Batches(BlockDevice device) {
            this.device = device;
        }

        @Override
        public boolean hasNext() {
            return !ready.isEmpty() || position < device.size();
        }

        @Override
        public Extent next() {
            if (ready.isEmpty()) {
                fill();
            }
            Extent extent = ready.poll();
            if (extent == null) {
                throw new NoSuchElementException(device.description() + ": no extents after " + position);
            }
            return extent;
        }

        private void fill() {
            try {
                forEach(device, position, device.size() - position, extent -> {
                    ready.add(extent);
                    position = extent.end();
                    return ready.size() < BATCH;
                });
            } catch (IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
        }
    }
}
