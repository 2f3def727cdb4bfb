package dev.platter.core;

import java.io.IOException;
import java.util.List;

/** Asks any device for the facts of a {@link BlockStatusSource}. */
public final class BlockStatus {

    private BlockStatus() {}

    /**
     * Returns the contexts that a device can be asked for: {@link BlockStatusSource#BASE_ALLOCATION} and {@link
     * BlockStatusSource#ALLOCATION_DEPTH} of every device, and those that the device itself knows.
     */
    public static List<String> contexts(BlockDevice device) {
        return device instanceof BlockStatusSource source
                ? source.contexts()
                : List.of(BlockStatusSource.BASE_ALLOCATION, BlockStatusSource.ALLOCATION_DEPTH);
    }

    /**
     * Tells what is known of a range of a device; see {@link BlockStatusSource#status}.
     *
     * @throws DiskImageException if the device does not know that context
     */
    public static void visit(
            BlockDevice device, String context, long offset, long length, BlockStatusSource.StatusVisitor visitor)
            throws IOException {
        if (device instanceof BlockStatusSource source) {
            source.status(context, offset, length, visitor);
        } else {
            ofExtents(device, context, offset, length, visitor);
        }
    }

    /** Returns whether every device knows that context. */
    static boolean isOfExtents(String context) {
        return context.equals(BlockStatusSource.BASE_ALLOCATION) || context.equals(BlockStatusSource.ALLOCATION_DEPTH);
    }

    /** Answers the two contexts that every device knows from its extents. */
    static void ofExtents(
            BlockDevice device, String context, long offset, long length, BlockStatusSource.StatusVisitor visitor)
            throws IOException {
        switch (context) {
            case BlockStatusSource.BASE_ALLOCATION ->
                device.extents(
                        offset,
                        length,
                        (at, run, facts, depth, below, belowOffset) -> visitor.status(at, run, allocation(facts)));
            case BlockStatusSource.ALLOCATION_DEPTH ->
                device.extents(
                        offset,
                        length,
                        (at, run, facts, depth, below, belowOffset) ->
                                visitor.status(at, run, (facts & Extent.ALLOCATED) == 0 ? 0 : depth + 1L));
            default ->
                throw new DiskImageException(
                        device.description() + ": there is no context " + Printable.quote(context));
        }
    }

    /** As qemu answers: whatever reads as zeros by its mapping is a hole too, allocated or not. */
    private static long allocation(int facts) {
        if ((facts & Extent.READS_AS_ZERO) != 0) {
            return BlockStatusSource.HOLE | BlockStatusSource.ZERO;
        }
        return (facts & (Extent.ALLOCATED | Extent.UNREADABLE)) == 0 ? BlockStatusSource.HOLE : 0;
    }
}
