package dev.platter.qcow2;

import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Turns stored slices of L2 tables into the entries that {@link ClusterMapper} keeps, {@linkplain L2Entry compact} and in
 * host byte order. Big disks have little on them: most entries of most tables are zero, and nothing is done for those. Safe
 * for many threads, except for walks, which one thread makes. Source: qcow2.rst, "Cluster mapping".
 */
final class SliceDecoder {
    /** The entries of every slice that has none, where nobody changes them. */
    static final long[] NOTHING = new long[ClusterMapper.WALK_SLICE_BYTES / Long.BYTES];

    /** Bytes of a slice that are decoded together once one of them is not zero. */
    private static final int RUN_BYTES = 1024;

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final int sliceBits;
    private final boolean edited;
    private final boolean walks;
    private final Consumer<? super Warning> onWarning;
    private final AtomicBoolean warnedOfReservedBits;

    /** Bits of stored entries that compact ones keep. */
    private final long kept;

    /** What a walk that changes nothing decodes one slice after the other into. */
    private long @Nullable [] reused;

    /**
     * Makes a decoder for slices that are kept.
     *
     * @param sliceBits log2 of the entries of a slice
     * @param edited whether the entries that are returned may be changed
     */
    SliceDecoder(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            int sliceBits,
            boolean edited,
            Consumer<? super Warning> onWarning) {
        this(header, file, dataFile, sliceBits, edited, false, onWarning, new AtomicBoolean());
    }

    private SliceDecoder(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            int sliceBits,
            boolean edited,
            boolean walks,
            Consumer<? super Warning> onWarning,
            AtomicBoolean warnedOfReservedBits) {
        this.header = header;
        this.file = file;
        this.dataFile = dataFile;
        this.sliceBits = sliceBits;
        this.edited = edited;
        this.walks = walks;
        this.onWarning = onWarning;
        this.warnedOfReservedBits = warnedOfReservedBits;
        this.kept = edited ? L2Entry.COPIED : 0;
    }

    /** Returns one for slices of which only the last is looked at: unless they may be changed, all have the same room. */
    SliceDecoder forWalk(int bits) {
        return new SliceDecoder(header, file, dataFile, bits, edited, true, onWarning, warnedOfReservedBits);
    }

    /**
     * Returns the entries of a slice, and after them, in images with subclusters, their bitmaps.
     *
     * @param raw all of the slice, as stored
     * @param number which slice it is
     */
    long[] decode(ByteBuffer raw, long number) throws IOException {
        int used = HostFile.nextUsed(raw, 0);
        if (used == raw.limit() && !edited) {
            return NOTHING;
        }
        long[] slice = empty(raw.limit() / Long.BYTES);
        int end = header.isExtendedL2()
                ? decodeExtended(raw, used, slice, number)
                : decodeStandard(raw, used, slice, number);
        markBeyondEnd(slice, used / header.l2EntryBytes(), end);
        return slice;
    }

    /** Returns room for entries, all zero. */
    private long[] empty(int entries) {
        if (edited || !walks) {
            return new long[entries];
        }
        long[] again = reused;
        if (again == null) {
            again = new long[entries];
            reused = again;
        } else {
            Arrays.fill(again, 0);
        }
        return again;
    }

    /** Returns the index behind the last entry that is not zero, or a little later. */
    private int decodeStandard(ByteBuffer raw, int from, long[] slice, long number) {
        long reserved = 0;
        int end = from;
        for (int at = from; at < raw.limit(); at = HostFile.nextUsed(raw, end)) {
            end = Math.min(at + RUN_BYTES, raw.limit());
            for (; at < end; at += Long.BYTES) {
                long entry = raw.getLong(at);
                if (entry != 0) {
                    reserved |= L2Entry.isCompressed(entry) ? 0 : entry & L2Entry.RESERVED;
                    slice[at / Long.BYTES] = L2Entry.compact(entry, header, kept);
                }
            }
        }
        warnOfReserved(reserved, number);
        return end / Long.BYTES;
    }

    private int decodeExtended(ByteBuffer raw, int from, long[] slice, long number) {
        int entries = 1 << sliceBits;
        long reserved = 0;
        int end = from;
        for (int at = from; at < raw.limit(); at = HostFile.nextUsed(raw, end)) {
            end = Math.min(at + RUN_BYTES, raw.limit());
            for (; at < end; at += 2 * Long.BYTES) {
                long entry = raw.getLong(at);
                long bitmap = raw.getLong(at + Long.BYTES);
                int index = at / (2 * Long.BYTES);
                reserved |= L2Entry.isCompressed(entry) ? 0 : entry & L2Entry.RESERVED;
                slice[index] = L2Entry.compactExtended(entry, bitmap, header, kept);
                slice[entries + index] = bitmap;
            }
        }
        warnOfReserved(reserved, number);
        return end / (2 * Long.BYTES);
    }

    private void warnOfReserved(long reserved, long number) {
        if (reserved != 0) {
            warnOfReservedBits(
                    "L2 entries of guest offset " + (number << (sliceBits + header.clusterBits())) + " and on", -1);
        }
    }

    /**
     * Marks clusters of data that begin beyond the end of their file. It is asked for its size once at most: all entries of
     * a table can lie beyond it, and asking can be dear.
     */
    private void markBeyondEnd(long[] slice, int first, int last) throws IOException {
        long end = dataFile.fileSize();
        boolean asked = false;
        for (int i = first; i < last; i++) {
            long entry = slice[i];
            if (L2Entry.isCompressed(entry) || L2Entry.kind(entry) != L2Entry.DATA || L2Entry.offset(entry) < end) {
                continue;
            }
            if (!asked) {
                end = dataFile.askSize();
                asked = true;
            }
            if (L2Entry.offset(entry) >= end) {
                slice[i] = L2Entry.offset(entry) | L2Entry.BEYOND_END;
            }
        }
    }

    /** Warns once for an image, its walks included. */
    void warnOfReservedBits(String what, long offset) {
        if (!warnedOfReservedBits.getAndSet(true)) {
            onWarning.accept(
                    new Warning(offset, file.name() + ": " + what + ": reserved bits are set; they are ignored"));
        }
    }
}
