package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import java.util.ArrayList;
import java.util.List;

/**
 * The devices that this process has bound. The kernel knows two loop devices on one file, but not that two files which are
 * served are one image: each would have a cache of its own, and destroy the other's writes. Safe for many threads.
 */
final class BoundHere {
    private static final List<BoundHere> ALL = new ArrayList<>();

    private final BlockDevice device;
    private final boolean writable;

    private BoundHere(BlockDevice device, boolean writable) {
        this.device = device;
        this.writable = writable;
    }

    /**
     * Notes that a device is about to be bound.
     *
     * @throws BlockIOException of kind {@code BUSY} if it is bound already, and can be written to in one of both places
     */
    static BoundHere of(BlockDevice device, boolean writable) throws BlockIOException {
        synchronized (ALL) {
            for (BoundHere other : ALL) {
                if (other.device == device && (other.writable || writable)) {
                    throw new BlockIOException(
                            Kind.BUSY,
                            device.description() + ": is bound by this process already"
                                    + (other.writable ? ", for writing" : "")
                                    + "; a second device over the same bytes would not see its writes",
                            null);
                }
            }
            BoundHere bound = new BoundHere(device, writable);
            ALL.add(bound);
            return bound;
        }
    }

    /** Forgets it. */
    void end() {
        synchronized (ALL) {
            ALL.remove(this);
        }
    }
}
