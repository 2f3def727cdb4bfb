package dev.platter.filesystem;

import dev.platter.core.BlockDevice;
import dev.platter.core.Bounds;
import dev.platter.core.DirectBufferPool;
import dev.platter.core.Limits;
import dev.platter.core.Warning;
import java.io.Closeable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.ClosedChannelException;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The bytes of a volume as probes see them: its head is read once for all, ranges that are absent or cannot be read are
 * null, and what one recognition reads beyond the head is limited. Used by one thread. What was read is not there any more
 * once this is closed.
 */
final class Volume implements Closeable {
    /** Holds every superblock but those at the end of the volume: btrfs has the last one, 4 KiB at 64 KiB. */
    static final int HEAD_BYTES = 68 << 10;

    private static final int PAGE = 4096;

    /** A disk has many volumes, and clearing room for each head costs as much as reading it. */
    private static final DirectBufferPool HEADS = new DirectBufferPool(HEAD_BYTES);

    private final BlockDevice device;
    private final Limits limits;
    private final ByteBuffer head;
    private final BitSet unreadablePages = new BitSet();
    private final List<Warning> warnings = new ArrayList<>();
    private long budget;

    private Volume(BlockDevice device, Limits limits) {
        this.device = device;
        this.limits = limits;
        this.head = HEADS.take().limit((int) Math.min(HEAD_BYTES, device.size()));
        this.budget = limits.metadataBytes();
    }

    /** Reads the head of a device; pages of it that cannot be read become warnings. */
    static Volume open(BlockDevice device, Limits limits) throws IOException {
        Volume volume = new Volume(device, limits);
        try {
            volume.readHead();
            return volume;
        } catch (IOException | RuntimeException e) {
            volume.close();
            throw e;
        }
    }

    @Override
    public void close() {
        HEADS.give(head);
    }

    long size() {
        return device.size();
    }

    List<Warning> warnings() {
        return warnings;
    }

    /** How many more bytes probes may read beyond the head. */
    long budget() {
        return budget;
    }

    /** Returns the text with the name of the volume before it, as every message begins. */
    String named(String text) {
        return device.description() + ": " + text;
    }

    void warn(long offset, String text) {
        warnings.add(new Warning(offset, named(text)));
    }

    /** Says why something with the right magic is not recognised, and returns null. */
    @Nullable
    FileSystem reject(long offset, String text) {
        warn(offset, text + "; not recognised");
        return null;
    }

    /**
     * Returns bytes of the volume, little-endian, positions from 0, not to be written to.
     *
     * @return null if the range leaves the volume, cannot be read, or is more than the limits allow
     */
    @Nullable
    ByteBuffer bytes(long offset, int length) throws IOException {
        if (!Bounds.inside(offset, length, device.size())) {
            return null;
        }
        if (offset <= head.limit() - length) {
            return headBytes((int) offset, length);
        }
        if (length > budget) {
            warn(
                    offset,
                    length + " bytes at " + offset + " are not read: more metadata than the limit metadataBytes ("
                            + limits.metadataBytes() + ") allows");
            return null;
        }
        budget -= length;
        ByteBuffer bytes = ByteBuffer.allocate(length);
        return read(offset, bytes) ? bytes.flip().order(ByteOrder.LITTLE_ENDIAN) : null;
    }

    /** Like {@link #bytes}, shorter where the volume ends earlier. */
    @Nullable
    ByteBuffer bytesUpTo(long offset, int length) throws IOException {
        if (offset < 0 || offset > device.size()) {
            return null;
        }
        return bytes(offset, (int) Math.min(length, device.size() - offset));
    }

    private @Nullable ByteBuffer headBytes(int offset, int length) {
        int bad = unreadablePages.nextSetBit(offset / PAGE);
        if (bad >= 0 && (long) bad * PAGE < (long) offset + length) {
            return null;
        }
        return head.slice(offset, length).order(ByteOrder.LITTLE_ENDIAN);
    }

    private void readHead() throws IOException {
        try {
            device.read(0, head.duplicate());
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            readHeadPages();
        }
    }

    /** The head in pieces: one bad sector hides only what lies on its page. */
    private void readHeadPages() throws IOException {
        for (int at = 0; at < head.limit(); at += PAGE) {
            ByteBuffer page = head.slice(at, Math.min(PAGE, head.limit() - at));
            if (!read(at, page)) {
                unreadablePages.set(at / PAGE);
            }
        }
    }

    private boolean read(long offset, ByteBuffer into) throws IOException {
        int length = into.remaining();
        try {
            device.read(offset, into);
            return true;
        } catch (ClosedChannelException e) {
            throw e;
        } catch (IOException e) {
            String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            warn(offset, length + " bytes at " + offset + " cannot be read: " + why);
            return false;
        }
    }
}
