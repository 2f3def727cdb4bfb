package dev.platter.qcow2;

import dev.platter.core.BitmapInfo;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage.RangeVisitor;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;

/**
 * An entry of the bitmap directory. Source: qcow2.rst, "Bitmaps"; ranges as qemu enforces them.
 *
 * @param entryOffset where the entry lies in the file
 * @param tableOffset where its table lies in the file
 * @param tableSize entries of its table
 * @param granularityBits a bit stands for {@code 1 << granularityBits} bytes
 * @param info what a person wants to know of it
 */
record Bitmap(long entryOffset, long tableOffset, long tableSize, int granularityBits, BitmapInfo info) {
    static final int FIXED = 24;
    static final int MAX_BITMAPS = 65535;
    static final int FLAG_IN_USE = 1;
    static final int FLAG_AUTO = 2;
    static final int MAX_NAME = 1023;

    /** An entry without a cluster: all bits are set. */
    static final long ALL_ONES = 1;

    static final long MAX_BYTES = 512 << 20;

    /**
     * Reads the bitmap directory.
     *
     * @throws CorruptImageException if it is damaged
     */
    static List<Bitmap> readDirectory(
            HeaderExtensions.BitmapDirectoryLocation location, Qcow2Header header, HostFile file, Limits limits)
            throws IOException {
        long count = location.count();
        if (count == 0 || count > MAX_BITMAPS) {
            throw new CorruptImageException(
                    file.name() + ": bitmaps extension: " + count + " bitmaps, allowed are 1 to " + MAX_BITMAPS);
        }
        if (location.offset() <= 0 || (location.offset() & (header.clusterSize() - 1)) != 0) {
            throw new CorruptImageException(file.name() + ": bitmaps extension: the directory is said to be at "
                    + Long.toUnsignedString(location.offset()) + ", which is not aligned to the cluster size "
                    + header.clusterSize());
        }
        if (location.size() < 0 || location.size() > limits.metadataBytes()) {
            throw new LimitExceededException(file.name() + ": bitmaps extension: the directory has "
                    + Long.toUnsignedString(location.size()) + " bytes, the limit is " + limits.metadataBytes());
        }
        List<Bitmap> bitmaps = new ArrayList<>();
        TableReader table = new TableReader(file, "bitmap directory", location.offset(), location.size());
        for (long i = 0; i < count; i++) {
            bitmaps.add(readEntry(table, file));
        }
        return List.copyOf(bitmaps);
    }

    private static Bitmap readEntry(TableReader table, HostFile file) throws IOException {
        long offset = table.offset();
        ByteBuffer fixed = table.next(FIXED);
        long tableOffset = fixed.getLong(0);
        long tableSize = fixed.getInt(8) & 0xffff_ffffL;
        int flags = fixed.getInt(12);
        int type = fixed.get(16) & 0xff;
        int granularityBits = fixed.get(17) & 0xff;
        int nameLength = fixed.getShort(18) & 0xffff;
        long extraLength = fixed.getInt(20) & 0xffff_ffffL;
        String problem = type != 1
                ? "unknown bitmap type " + type
                : granularityBits < 9 || granularityBits > 31
                        ? "granularity_bits is " + granularityBits + ", allowed are 9 to 31"
                        : nameLength == 0 || nameLength > MAX_NAME
                                ? "the name has " + nameLength + " bytes, allowed are 1 to " + MAX_NAME
                                : extraLength != 0 || (flags & ~(FLAG_IN_USE | FLAG_AUTO)) != 0
                                        ? "it has extra data or flags that are not known"
                                        : null;
        if (problem != null) {
            throw new CorruptImageException(file.name() + ": bitmap directory entry at " + offset + ": " + problem);
        }
        String name = Printable.utf8(table.next(nameLength));
        table.align();
        return new Bitmap(
                offset,
                tableOffset,
                tableSize,
                granularityBits,
                new BitmapInfo(name, 1L << granularityBits, (flags & FLAG_IN_USE) != 0, (flags & FLAG_AUTO) != 0));
    }

    /**
     * Checks what a check of the image needs of this entry before it follows its table.
     *
     * @throws CorruptImageException if the table is misplaced, or of another size than the disk needs
     */
    void requireCheckable(Qcow2Header header, HostFile file) throws CorruptImageException {
        requireTablePlace(header, file);
        long clusters = clusters(header);
        if (!info.inUse() && tableSize != clusters) {
            throw corrupt(file, "its table has " + tableSize + " entries, the disk needs " + clusters);
        }
    }

    /**
     * Checks that there can be a table where it is said to be, of that size.
     *
     * @throws CorruptImageException if there cannot
     */
    void requireTablePlace(Qcow2Header header, HostFile file) throws CorruptImageException {
        if (tableOffset <= 0 || (tableOffset & (header.clusterSize() - 1)) != 0) {
            throw corrupt(
                    file,
                    "its table is said to be at " + Long.toUnsignedString(tableOffset)
                            + ", which is not aligned to the cluster size");
        }
        if (tableSize == 0 || tableSize > MAX_BYTES / header.clusterSize()) {
            throw corrupt(
                    file,
                    "its table has " + tableSize + " entries, allowed are 1 to " + MAX_BYTES / header.clusterSize());
        }
    }

    Bitmap withEntryOffset(long offset) {
        return new Bitmap(offset, tableOffset, tableSize, granularityBits, info);
    }

    Bitmap withTable(long offset, long entries) {
        return new Bitmap(entryOffset, offset, entries, granularityBits, info);
    }

    /** The same bitmap, in other words: enabled or not, lost or not. */
    Bitmap with(boolean inUse, boolean auto) {
        BitmapInfo now = new BitmapInfo(info.name(), info.granularity(), inUse, auto);
        return new Bitmap(entryOffset, tableOffset, tableSize, granularityBits, now);
    }

    /**
     * Checks an entry of the table.
     *
     * @param at where it lies in the file
     * @throws CorruptImageException if it is invalid
     */
    void requireEntry(Qcow2Header header, HostFile file, long at, long entry) throws CorruptImageException {
        if ((entry & ~(L2Entry.OFFSET_MASK | ALL_ONES)) != 0
                || (L2Entry.offset(entry) != 0 && (entry & (header.clusterSize() - 1)) != 0)) {
            throw corrupt(file, "table entry at " + at + " is 0x" + Long.toHexString(entry) + ", which is invalid");
        }
    }

    /** Clusters that the bits of the disk take. */
    private long clusters(Qcow2Header header) {
        return clusters(header.size(), granularityBits, header.clusterBits());
    }

    /** Clusters that the bits of a disk take. */
    static long clusters(long size, int granularityBits, int clusterBits) {
        return Qcow2Check.clustersOf(Qcow2Check.clustersOf(size, granularityBits), clusterBits + 3);
    }

    /** Calls the visitor for each dirty range from some place on; see {@link dev.platter.core.DiskImage#dirtyRanges}. */
    void dirtyRanges(Qcow2Header header, HostFile file, long walkBytes, long from, RangeVisitor visitor)
            throws IOException {
        requireUsable(file);
        requireTable(header, file, clusters(header));
        long skipped = Math.min(firstCluster(header, from), tableSize) * Long.BYTES;
        TableReader table =
                new TableReader(file, "bitmap table", tableOffset + skipped, tableSize * Long.BYTES - skipped);
        long[] loadable = {walkBytes};
        visitRanges(header, from, visitor, (index, bytes, data) -> {
            long at = table.offset();
            long entry = table.next(Long.BYTES).getLong(0);
            if (L2Entry.offset(entry) != 0) {
                loadable[0] -= header.clusterSize();
            }
            if (loadable[0] < 0) {
                throw new LimitExceededException(file.name() + ": bitmap " + Printable.quote(info.name())
                        + ": its table names far more clusters than the file has");
            }
            return load(header, file, at, entry, bytes, data);
        });
    }

    /**
     * Refuses a bitmap that was not saved properly.
     *
     * @throws DiskImageException if it was not
     */
    void requireUsable(HostFile file) throws DiskImageException {
        if (info.inUse()) {
            throw new DiskImageException(file.name() + ": bitmap " + Printable.quote(info.name())
                    + " is in use: it was not saved properly and misses writes, so it tells nothing");
        }
    }

    /** What the bits of one cluster of a bitmap are. */
    enum Bits {
        NONE,
        ALL,
        SOME
    }

    /** Where the bits of a bitmap come from. */
    interface BitSource {
        /**
         * Loads the bits of a cluster.
         *
         * @param index which one
         * @param bytes how many bytes of it count
         * @param data takes them, from 0 on, if they are not all the same
         */
        Bits load(long index, int bytes, ByteBuffer data) throws IOException;
    }

    /** Loads the bits that a table entry stands for. */
    Bits load(Qcow2Header header, HostFile file, long at, long entry, int bytes, ByteBuffer data) throws IOException {
        if (L2Entry.offset(entry) == 0) {
            return (entry & ALL_ONES) != 0 ? Bits.ALL : Bits.NONE;
        }
        requireCluster(header, file, at, entry);
        // dirty bits that are missing must not read as clean
        file.readTable("bitmap data", entry, bytes, entry, data.clear().limit(bytes));
        data.clear();
        return Bits.SOME;
    }

    /** Returns which cluster of bits holds that of a byte of the disk. */
    private long firstCluster(Qcow2Header header, long from) {
        return (from >>> granularityBits) / (header.clusterSize() * 8L);
    }

    /** Calls the visitor for each dirty range from the cluster of bits on that holds the bit of {@code from}. */
    void visitRanges(Qcow2Header header, long from, RangeVisitor visitor, BitSource source) throws IOException {
        long bits = Qcow2Check.clustersOf(header.size(), granularityBits);
        long bitsPerCluster = header.clusterSize() * 8L;
        RangeMerger merger = new RangeMerger(header.size(), visitor);
        ByteBuffer data = ByteBuffer.allocate(header.clusterSize()).order(ByteOrder.LITTLE_ENDIAN);
        for (long i = firstCluster(header, from); i < clusters(header) && !merger.stopped; i++) {
            long first = i * bitsPerCluster;
            long last = Math.min(bits, first + bitsPerCluster);
            switch (source.load(i, (int) ((last - first + 7) / 8), data)) {
                case ALL -> merger.add(first << granularityBits, toBytes(last, header));
                case SOME -> scan(data, first, last, header, merger);
                case NONE -> {
                    // clean
                }
            }
        }
        merger.finish();
    }

    private void requireTable(Qcow2Header header, HostFile file, long clusters) throws IOException {
        if (tableOffset <= 0 || (tableOffset & (header.clusterSize() - 1)) != 0) {
            throw corrupt(
                    file,
                    "its table is said to be at " + Long.toUnsignedString(tableOffset)
                            + ", which is not aligned to the cluster size");
        }
        if (tableSize < clusters) {
            throw corrupt(file, "its table has " + tableSize + " entries, the disk needs " + clusters);
        }
        if (!file.holds(tableOffset, clusters * Long.BYTES)) {
            throw file.truncated("table of bitmap " + Printable.quote(info.name()), tableOffset);
        }
    }

    private void requireCluster(Qcow2Header header, HostFile file, long at, long entry) throws IOException {
        if ((entry & ~L2Entry.OFFSET_MASK) != 0 || (entry & (header.clusterSize() - 1)) != 0) {
            throw corrupt(file, "table entry at " + at + " is 0x" + Long.toHexString(entry) + ", which is invalid");
        }
    }

    private void scan(ByteBuffer data, long first, long last, Qcow2Header header, RangeMerger merger)
            throws IOException {
        for (long base = first; base < last; base += Long.SIZE) {
            long word = data.getLong((int) ((base - first) >>> 3));
            if (word == -1 && base + Long.SIZE <= last) {
                merger.add(base << granularityBits, toBytes(base + Long.SIZE, header));
                continue;
            }
            for (long rest = word; rest != 0; rest &= rest - 1) {
                long bit = base + Long.numberOfTrailingZeros(rest);
                if (bit < last) {
                    merger.add(bit << granularityBits, toBytes(bit + 1, header));
                }
            }
        }
    }

    /** The byte where a bit's range begins, or the end of the disk: the last bit may stand for less. */
    private long toBytes(long bit, Qcow2Header header) {
        return bit > header.size() >>> granularityBits ? header.size() : bit << granularityBits;
    }

    private CorruptImageException corrupt(HostFile file, String text) {
        return new CorruptImageException(
                file.name() + ": bitmap " + Printable.quote(info.name()) + " (entry at " + entryOffset + "): " + text);
    }

    /** Joins ranges that touch. */
    private static final class RangeMerger {
        private final long end;
        private final RangeVisitor visitor;
        private long from;
        private long to = -1;
        private boolean stopped;

        RangeMerger(long end, RangeVisitor visitor) {
            this.end = end;
            this.visitor = visitor;
        }

        void add(long first, long last) throws IOException {
            if (first != to) {
                finish();
                from = first;
            }
            to = Math.min(last, end);
        }

        void finish() throws IOException {
            if (!stopped && to >= 0) {
                stopped = !visitor.range(from, to - from);
            }
            to = -1;
        }
    }
}
