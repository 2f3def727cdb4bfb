package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBufferPool;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Warning;
import java.io.IOException;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Maps guest offsets to clusters of the file, by one L1 table: the active one or a snapshot's.
 *
 * <p>L2 tables are kept in {@linkplain TableSlice slices}, in a direct-mapped cache of fixed size. A lookup that hits is two
 * array loads. Threads that miss at the same time may load the same slice twice. L1 entries are kept in pages the same way.
 *
 * <p>Where the image is only read, slices never change, and a thread that still finds an older one in the cache is right
 * too. Where it is written, that one may lack a change, so the cache is read in order with everything else.
 */
final class ClusterMapper {
    private static final VarHandle TABLES = MethodHandles.arrayElementVarHandle(TableSlice[].class);
    private static final VarHandle ENTRIES = MethodHandles.arrayElementVarHandle(long[].class);

    /** Bytes of an L2 table that are read and kept together: a whole table up to clusters of 16 KiB. */
    private static final int SLICE_BYTES = 16 << 10;

    /** The same for walks, which need all of it anyway. */
    static final int WALK_SLICE_BYTES = 64 << 10;

    /** From so many tables on, looking at a range is a walk. */
    private static final int WALK_TABLES = 4;

    private static final int L1_PAGE_BITS = 9;
    private static final int MAX_L1_PAGES = 256;

    /** A page maps hundreds of times what the L2 entries in as many bytes do: an eighth of their cache is plenty. */
    private static final int L1_FRACTION = 8;

    private static final int MIN_L1_PAGES = 8;

    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;
    private final SliceDecoder decoder;
    private volatile long l1TableOffset;
    private volatile long l1Entries;

    private final int clusterBits;
    private final int sliceBits;
    private final int sliceEntryMask;
    private final int sliceShift;
    private final int tableShift;
    private final DirectBufferPool buffers;
    private final DirectBufferPool walkBuffers;
    private final DirectBufferPool l1Buffers;
    private final TableSlice[] slices;
    private final TableSlice[] l1Pages;

    /** Changes that are not in the file yet; null where the image is only read. Tables are loaded under its monitor. */
    private final @Nullable TableEdits edits;

    /** Whose L1 entries a walk takes where tables move; null in what is no walk. */
    private final @Nullable ClusterMapper parent;

    /** Bytes of tables that may still be loaded; guards walks over tables that alias each other. */
    private final AtomicLong loadable;

    /** Makes a mapper of tables that are only read; see {@link #ClusterMapper(Qcow2Header, HostFile, HostFile, long, long, int, long, TableEdits, Consumer)}. */
    ClusterMapper(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            long l1TableOffset,
            long l1Entries,
            int cacheBytes,
            long loadableBytes,
            Consumer<? super Warning> onWarning) {
        this(header, file, dataFile, l1TableOffset, l1Entries, cacheBytes, loadableBytes, null, onWarning);
    }

    /**
     * Makes a mapper.
     *
     * @param l1Entries entries of the L1 table that the disk needs; all lie in the file
     * @param cacheBytes bytes that the cache of L2 slices may take; pages of the L1 table take an eighth more, from 32 KiB
     *     to 1 MiB
     * @param loadableBytes bytes of tables that may be loaded in all, before tables are taken to alias each other
     * @param edits takes the changes of an image that is written; null for one that is only read
     */
    ClusterMapper(
            Qcow2Header header,
            HostFile file,
            HostFile dataFile,
            long l1TableOffset,
            long l1Entries,
            int cacheBytes,
            long loadableBytes,
            @Nullable TableEdits edits,
            Consumer<? super Warning> onWarning) {
        this.parent = null;
        this.header = header;
        this.edits = edits;
        this.file = file;
        this.dataFile = dataFile;
        this.l1TableOffset = l1TableOffset;
        this.l1Entries = l1Entries;
        this.loadable = new AtomicLong(loadableBytes);
        this.clusterBits = header.clusterBits();
        this.tableShift = header.clusterBits() + header.l2Bits();
        int sliceBytes = Math.min(SLICE_BYTES, header.clusterSize());
        this.sliceBits = Integer.numberOfTrailingZeros(sliceBytes / header.l2EntryBytes());
        this.sliceEntryMask = (1 << sliceBits) - 1;
        this.sliceShift = sliceBits + clusterBits;
        this.decoder = new SliceDecoder(header, file, dataFile, sliceBits, edits != null, onWarning);
        this.buffers = new DirectBufferPool(sliceBytes);
        this.walkBuffers = new DirectBufferPool(Math.min(WALK_SLICE_BYTES, header.clusterSize()));
        this.l1Buffers = new DirectBufferPool(Long.BYTES << L1_PAGE_BITS);
        long slicesOfDisk = Math.max(1, l1Entries) << (header.l2Bits() - sliceBits);
        this.slices = new TableSlice[slots(slicesOfDisk, Math.max(1, cacheBytes / sliceBytes))];
        int pagesAllowed = cacheBytes / L1_FRACTION / (Long.BYTES << L1_PAGE_BITS);
        pagesAllowed = Math.max(MIN_L1_PAGES, Math.min(MAX_L1_PAGES, pagesAllowed));
        this.l1Pages = new TableSlice[slots((l1Entries >>> L1_PAGE_BITS) + 1, pagesAllowed)];
    }

    private ClusterMapper(ClusterMapper shared, long loadableBytes) {
        this.parent = shared;
        this.header = shared.header;
        this.edits = shared.edits;
        this.file = shared.file;
        this.dataFile = shared.dataFile;
        this.l1TableOffset = shared.l1TableOffset;
        this.l1Entries = shared.l1Entries;
        this.loadable = new AtomicLong(loadableBytes);
        this.clusterBits = shared.clusterBits;
        this.tableShift = shared.tableShift;
        // edits are kept in slices of one size
        int sliceBytes = Math.min(edits == null ? WALK_SLICE_BYTES : SLICE_BYTES, header.clusterSize());
        this.sliceBits = Integer.numberOfTrailingZeros(sliceBytes / header.l2EntryBytes());
        this.sliceEntryMask = (1 << sliceBits) - 1;
        this.sliceShift = sliceBits + clusterBits;
        this.decoder = shared.decoder.forWalk(sliceBits);
        this.buffers = edits == null ? shared.walkBuffers : shared.buffers;
        this.walkBuffers = shared.walkBuffers;
        this.l1Buffers = shared.l1Buffers;
        this.slices = new TableSlice[1];
        this.l1Pages = new TableSlice[1];
    }

    /** A power of two, no more than needed and no more than allowed. */
    private static int slots(long needed, int allowed) {
        long wanted = Math.min(needed, allowed);
        int slots = Integer.highestOneBit((int) wanted);
        return wanted > slots && needed <= allowed ? slots << 1 : slots;
    }

    /**
     * Returns the mapper for one look at a range, by one thread: a long one goes from front to back through tables that the
     * cache cannot all keep, and would wash it out; then it is one of the same tables that keeps a single slice.
     *
     * @param length bytes of the guest's disk
     * @param loadableBytes bytes of tables that may be loaded in a walk
     */
    ClusterMapper forRange(long length, long loadableBytes) {
        long covered = (long) slices.length << sliceShift;
        boolean keepsAll = covered >= l1Entries << tableShift;
        boolean walk = length > covered / 2 || (!keepsAll && length >= (long) WALK_TABLES << tableShift);
        return walk ? new ClusterMapper(this, loadableBytes) : this;
    }

    /** Bytes of tables that the caches hold when they are full. */
    long cacheBytes() {
        long entries = (long) slices.length << sliceBits;
        return entries * header.l2EntryBytes() + (((long) l1Pages.length * Long.BYTES) << L1_PAGE_BITS);
    }

    /**
     * Returns the compact entry of the cluster that holds a guest offset.
     *
     * @throws CorruptImageException if a table on the way is damaged
     */
    long lookup(long guestOffset) throws IOException {
        long[] slice = slice(guestOffset >>> sliceShift);
        return slice == null ? L2Entry.UNALLOCATED : slice[(int) (guestOffset >>> clusterBits) & sliceEntryMask];
    }

    /**
     * Looks up the entry of a cluster with subclusters and its bitmap, as they are at one moment while others change them.
     *
     * @param into gets the two
     */
    void lookup(long guestOffset, long[] into) throws IOException {
        if (edits == null) {
            into[0] = lookup(guestOffset);
            into[1] = subclusters(guestOffset);
            return;
        }
        synchronized (edits) {
            into[0] = lookup(guestOffset);
            into[1] = subclusters(guestOffset);
        }
    }

    /** Returns the subcluster bitmap of the cluster that holds a guest offset; 0 in images without subclusters. */
    long subclusters(long guestOffset) throws IOException {
        long[] slice = header.isExtendedL2() ? slice(guestOffset >>> sliceShift) : null;
        return slice == null ? 0 : slice[1 + sliceEntryMask + ((int) (guestOffset >>> clusterBits) & sliceEntryMask)];
    }

    /**
     * Returns where a run ends, of the clusters from {@code guestOffset} on that are looked up together.
     *
     * @param end where to stop looking
     * @param expected the entry that goes on with the run at {@code guestOffset}
     * @return a multiple of the cluster size, which may lie beyond {@code end}; {@code guestOffset} itself if its cluster has
     *     another entry
     */
    long runEnd(long guestOffset, long end, long expected) throws IOException {
        long[] slice = slice(guestOffset >>> sliceShift);
        if (slice == null) {
            return expected == L2Entry.UNALLOCATED ? tableEnd(guestOffset) : guestOffset;
        }
        long cluster = guestOffset >>> clusterBits;
        int first = (int) cluster & sliceEntryMask;
        int last = (int) Math.min(1 + sliceEntryMask, first + ((end - 1) >>> clusterBits) - cluster + 1);
        int run = expected == L2Entry.UNALLOCATED
                ? emptyRun(slice, first, last)
                : run(slice, first, last, expected, L2Entry.step(expected, header));
        return run == 0 ? guestOffset : (cluster + run) << clusterBits;
    }

    private static int emptyRun(long[] slice, int first, int last) {
        if (slice == SliceDecoder.NOTHING) {
            return last - first;
        }
        int empty = Arrays.mismatch(slice, first, last, SliceDecoder.NOTHING, 0, last - first);
        return empty < 0 ? last - first : empty;
    }

    private static int run(long[] slice, int first, int last, long expected, long step) {
        int at = first;
        for (long next = expected; at < last && slice[at] == next; next += step) {
            at++;
        }
        return at - first;
    }

    /** Returns the end of what the L2 table for a guest offset maps. */
    long tableEnd(long guestOffset) {
        return ((guestOffset >>> tableShift) + 1) << tableShift;
    }

    private long @Nullable [] slice(long number) throws IOException {
        int slot = (int) number & (slices.length - 1);
        TableSlice slice = edits == null ? slices[slot] : (TableSlice) TABLES.getAcquire(slices, slot);
        return slice != null && slice.number == number ? slice.entries : loadSlice(number);
    }

    private static void keep(TableSlice[] cache, long number, long[] entries) {
        TABLES.setRelease(cache, (int) number & (cache.length - 1), new TableSlice(number, entries));
    }

    private long @Nullable [] loadSlice(long number) throws IOException {
        if (edits == null) {
            return readSlice(number);
        }
        synchronized (edits) {
            TableEdits.Slice edited = edits.slice(number);
            if (edited == null) {
                return readSlice(number);
            }
            keep(slices, number, edited.entries);
            return edited.entries;
        }
    }

    private long @Nullable [] readSlice(long number) throws IOException {
        int slicesPerTableBits = header.l2Bits() - sliceBits;
        long l1Index = number >>> slicesPerTableBits;
        long l1Entry = l1Entry(l1Index);
        long table = L2Entry.offset(l1Entry);
        if (table == 0) {
            return null;
        }
        if ((table & (header.clusterSize() - 1)) != 0) {
            throw new CorruptImageException(file.name() + ": L1 entry " + l1Index + " (" + hex(l1Entry)
                    + "): the L2 table is said to be at " + table + ", which is not aligned to the cluster size "
                    + header.clusterSize());
        }
        if ((l1Entry & L2Entry.L1_RESERVED) != 0) {
            decoder.warnOfReservedBits(
                    "L1 entry " + l1Index + " (" + hex(l1Entry) + ")", l1TableOffset + l1Index * Long.BYTES);
        }
        int bytes = header.l2EntryBytes() << sliceBits;
        count(bytes);
        ByteBuffer raw = buffers.take();
        try {
            long from = table + (number & ((1L << slicesPerTableBits) - 1)) * bytes;
            file.readTable("L2 table", table, header.clusterSize(), from, raw);
            if (parent != null) {
                // the room of the one slice that a walk keeps is used again: if that fails, it must not be found
                slices[0] = null;
            }
            long[] slice = decoder.decode(raw.flip(), number);
            keep(slices, number, slice);
            return slice;
        } finally {
            buffers.give(raw);
        }
    }

    private long l1Entry(long index) throws IOException {
        if (edits != null && parent != null) {
            return parent.l1Entry(index);
        }
        if (index >= l1Entries) {
            return 0;
        }
        Long edited = edits == null ? null : edits.l1Entry(index);
        if (edited != null) {
            return edited;
        }
        long number = index >>> L1_PAGE_BITS;
        TableSlice page = (TableSlice) TABLES.getAcquire(l1Pages, (int) number & (l1Pages.length - 1));
        long[] entries = page != null && page.number == number ? page.entries : loadL1Page(number);
        return entries[(int) index & ((1 << L1_PAGE_BITS) - 1)];
    }

    private long[] loadL1Page(long number) throws IOException {
        int entries = (int) Math.min(1 << L1_PAGE_BITS, l1Entries - (number << L1_PAGE_BITS));
        count(entries * Long.BYTES);
        ByteBuffer raw = l1Buffers.take().limit(entries * Long.BYTES);
        try {
            file.readTable(
                    "L1 table",
                    l1TableOffset,
                    l1Entries * Long.BYTES,
                    l1TableOffset + (number << L1_PAGE_BITS) * Long.BYTES,
                    raw);
            long[] page = new long[entries];
            raw.flip().asLongBuffer().get(page, 0, entries);
            keep(l1Pages, number, page);
            return page;
        } finally {
            l1Buffers.give(raw);
        }
    }

    /** Returns the entry of the L1 table that maps a guest offset. */
    long l1EntryOf(long guestOffset) throws IOException {
        synchronized (edits()) {
            return l1Entry(guestOffset >>> tableShift);
        }
    }

    /** Changes the entry of the L1 table that maps a guest offset; it is written with the {@linkplain #writeEdits edits}. */
    void setL1EntryOf(long guestOffset, long entry) {
        long index = guestOffset >>> tableShift;
        synchronized (edits()) {
            edits().l1Entry(index, entry);
        }
    }

    /**
     * Changes the entry of a cluster, whose L2 table exists and belongs to this L1 table alone.
     *
     * @param compact the entry with {@link L2Entry#COPIED} where it has a cluster; in images with subclusters of any kind
     *     that {@code bitmap} gives it
     */
    void set(long guestOffset, long compact, long bitmap) throws IOException {
        synchronized (edits()) {
            TableEdits.Slice slice = edit(guestOffset);
            int index = (int) (guestOffset >>> clusterBits) & sliceEntryMask;
            if (header.isExtendedL2()) {
                long stored =
                        L2Entry.isCompressed(compact) ? compact : compact & (L2Entry.OFFSET_MASK | L2Entry.COPIED);
                slice.raw.putLong(16 * index, stored).putLong(16 * index + 8, bitmap);
                slice.entries[1 + sliceEntryMask + index] = bitmap;
                slice.markDirty(16 * index, 16 * index + 16);
            } else {
                slice.raw.putLong(8 * index, L2Entry.stored(compact));
                slice.markDirty(8 * index, 8 * index + 8);
            }
            ENTRIES.setRelease(slice.entries, index, compact);
        }
    }

    private TableEdits.Slice edit(long guestOffset) throws IOException {
        long number = guestOffset >>> sliceShift;
        TableEdits.Slice edited = edits().slice(number);
        if (edited != null) {
            return edited;
        }
        long[] entries = slice(number);
        if (entries == null) {
            throw new IllegalStateException("guest offset " + guestOffset + " has no L2 table");
        }
        ByteBuffer raw = buffers.take();
        try {
            file.readTable("L2 table", tableOf(number), header.clusterSize(), offsetOf(number), raw);
            edited = new TableEdits.Slice(
                    number,
                    entries,
                    ByteBuffer.allocate(raw.capacity()).put(raw.flip()).clear());
        } finally {
            buffers.give(raw);
        }
        edits().add(edited);
        keep(slices, number, entries);
        return edited;
    }

    /** Writes all changes into the file; making them durable, and forgetting them then, is left to the caller. */
    void writeEdits() throws IOException {
        synchronized (edits()) {
            for (TableEdits.Slice slice : edits().slices()) {
                file.write(offsetOf(slice.number) + slice.dirtyFrom(), slice.dirty());
            }
            ByteBuffer entry = ByteBuffer.allocate(Long.BYTES);
            for (Map.Entry<Long, Long> changed : edits().l1Entries().entrySet()) {
                entry.clear().putLong(changed.getValue()).flip();
                file.write(l1TableOffset + changed.getKey() * Long.BYTES, entry);
            }
        }
    }

    /** Returns how many slices wait to be written. */
    int editedSlices() {
        synchronized (edits()) {
            return edits().slices().size();
        }
    }

    /** Returns whether entries of the L1 table wait to be written. */
    boolean hasL1Edits() {
        synchronized (edits()) {
            return !edits().l1Entries().isEmpty();
        }
    }

    /** Forgets the changes, which are in the file. */
    void forgetEdits() {
        synchronized (edits()) {
            edits().l1Entries().forEach((index, entry) -> {
                TableSlice page = l1Pages[(int) (index >>> L1_PAGE_BITS) & (l1Pages.length - 1)];
                if (page != null && page.number == index >>> L1_PAGE_BITS) {
                    page.entries[(int) (long) index & ((1 << L1_PAGE_BITS) - 1)] = entry;
                }
            });
            edits().clear();
        }
    }

    /** The L1 table lies elsewhere now, and what was known of any table counts no more; nothing waits to be written. */
    void moved(long newL1TableOffset, long newL1Entries) {
        synchronized (edits()) {
            l1TableOffset = newL1TableOffset;
            l1Entries = newL1Entries;
            for (int i = 0; i < slices.length; i++) {
                TABLES.setRelease(slices, i, null);
            }
            for (int i = 0; i < l1Pages.length; i++) {
                TABLES.setRelease(l1Pages, i, null);
            }
        }
    }

    /** Returns where the slice that maps a guest offset ends. */
    long sliceEnd(long guestOffset) {
        return ((guestOffset >>> sliceShift) + 1) << sliceShift;
    }

    private long tableOf(long number) throws IOException {
        return L2Entry.offset(l1Entry(number >>> (header.l2Bits() - sliceBits)));
    }

    private long offsetOf(long number) throws IOException {
        long inTable = number & ((1L << (header.l2Bits() - sliceBits)) - 1);
        return tableOf(number) + inTable * (header.l2EntryBytes() << sliceBits);
    }

    private TableEdits edits() {
        return Objects.requireNonNull(edits, "the image is only read");
    }

    private void count(int bytes) throws LimitExceededException {
        if (loadable.addAndGet(-bytes) < 0) {
            throw new LimitExceededException(
                    file.name() + ": far more bytes of L1 and L2 tables are needed than the file" + " has ("
                            + file.fileSize() + "): its tables alias each other to make work without end");
        }
    }

    private static String hex(long entry) {
        return "0x" + Long.toHexString(entry);
    }
}
