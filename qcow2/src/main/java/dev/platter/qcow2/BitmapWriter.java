package dev.platter.qcow2;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockIOException;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage.RangeVisitor;
import dev.platter.core.DiskImageException;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Printable;
import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.locks.Lock;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The bitmaps of an image that is written. Those that are enabled record every change of the disk: in memory, while the file
 * says that they are in use, and in the file when the image is closed. Bits and tables go to new places, and a write of the
 * entry in the directory leads there. {@link #record} is safe for many threads; everything else is guarded by whoever lets
 * nobody write meanwhile. Source: qcow2.rst, "Bitmaps".
 */
final class BitmapWriter {
    /** What is recorded is put into the file when it takes so many pages: 16 MiB. */
    private static final int MOST_PAGES = 4096;

    /** More would make every write slow, and take memory that only an enemy wants. */
    private static final int MOST_RECORDING = 256;

    private static final long MOST_BITS = 1L << 36;
    private static final int MIN_GRANULARITY = 512;
    private static final long MAX_GRANULARITY = 1L << 31;

    private final Qcow2Header header;
    private final HostFile file;
    private final BitmapTables tables;
    private final long mostDirectoryBytes;
    private final Consumer<? super Warning> onWarning;
    private final int clusterBits;
    private final int clusterSize;
    private final List<Tracked> bitmaps = new ArrayList<>();
    private volatile Tracked[] recording = {};
    private volatile boolean closed;
    private boolean announced;
    private long diskSize;

    /** A bitmap, and what it recorded since it was last put into the file. */
    private static final class Tracked {
        Bitmap stored;
        DirtyBits bits;

        Tracked(Bitmap stored, DirtyBits bits) {
            this.stored = stored;
            this.bits = bits;
        }

        void record(long offset, long end) {
            int granularityBits = stored.granularityBits();
            bits.set(offset >>> granularityBits, Qcow2Check.clustersOf(end, granularityBits));
        }

        boolean isWhole() {
            return !stored.info().inUse();
        }

        boolean isRecording() {
            return isWhole() && stored.info().auto();
        }
    }

    /**
     * Begins.
     *
     * @param stored the bitmaps as they were read when the image was opened
     * @param mostDirectoryBytes how long the directory may become: a longer one could not be read again
     */
    BitmapWriter(
            Qcow2Header header,
            HostFile file,
            BitmapTables tables,
            List<Bitmap> stored,
            long mostDirectoryBytes,
            Consumer<? super Warning> onWarning)
            throws DiskImageException {
        this.header = header;
        this.file = file;
        this.tables = tables;
        this.mostDirectoryBytes = mostDirectoryBytes;
        this.onWarning = onWarning;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        this.diskSize = header.size();
        requireRecordable(header, file, stored);
        for (Bitmap bitmap : stored) {
            Tracked tracked = new Tracked(bitmap, new DirtyBits(0));
            bitmaps.add(tracked);
            CorruptImageException problem = tracked.isRecording() ? problem(bitmap, header, file) : null;
            if (problem != null) {
                lose(tracked, problem);
            } else if (tracked.isRecording()) {
                tracked.bits = new DirtyBits(bitsOf(bitmap));
            }
        }
        updateRecording();
    }

    /**
     * Refuses an image of which more bitmaps are enabled, or with more bits, than can record.
     *
     * @param stored the bitmaps as they were read
     */
    static void requireRecordable(Qcow2Header header, HostFile file, List<Bitmap> stored)
            throws LimitExceededException {
        int count = 0;
        long bits = 0;
        for (Bitmap bitmap : stored) {
            if (bitmap.info().auto() && !bitmap.info().inUse() && problem(bitmap, header, file) == null) {
                count++;
                bits += Qcow2Check.clustersOf(header.size(), bitmap.granularityBits());
            }
        }
        if (count > MOST_RECORDING) {
            throw new LimitExceededException(file.name() + ": " + count + " bitmaps are enabled, up to "
                    + MOST_RECORDING + " can record; such an image can be read, but not written");
        }
        if (bits > MOST_BITS) {
            throw new LimitExceededException(file.name() + ": its enabled bitmaps have " + bits + " bits, up to "
                    + MOST_BITS + " can record; such an image can be read, but not written");
        }
    }

    private static @Nullable CorruptImageException problem(Bitmap bitmap, Qcow2Header header, HostFile file) {
        try {
            bitmap.requireCheckable(header, file);
            return null;
        } catch (CorruptImageException e) {
            return e;
        }
    }

    /** What misses writes from now on, and stays in use. */
    private void lose(Tracked tracked, CorruptImageException problem) {
        Bitmap stored = tracked.stored;
        onWarning.accept(
                new Warning(stored.entryOffset(), problem.getMessage() + ": it does not record, and is out of date"));
        tracked.stored = stored.with(true, stored.info().auto());
        tracked.bits = new DirtyBits(0);
    }

    /** Refuses another bitmap of so many bits that records: with it, the image could not be opened for writing again. */
    private void requireRoomFor(long bits) throws BlockIOException {
        if (recording.length >= MOST_RECORDING) {
            throw refused("more than " + MOST_RECORDING + " bitmaps cannot record at once");
        }
        requireRoom(recordedBits(diskSize) + bits);
    }

    private void requireRoom(long bits) throws BlockIOException {
        if (bits > MOST_BITS) {
            throw refused("its enabled bitmaps would have " + bits + " bits, up to " + MOST_BITS
                    + " can record; choose a coarser granularity, or disable bitmaps");
        }
    }

    private long recordedBits(long size) {
        long bits = 0;
        for (Tracked bitmap : recording) {
            bits += Qcow2Check.clustersOf(size, bitmap.stored.granularityBits());
        }
        return bits;
    }

    private long bitsOf(Bitmap bitmap) {
        return Qcow2Check.clustersOf(diskSize, bitmap.granularityBits());
    }

    private void updateRecording() {
        recording = bitmaps.stream().filter(Tracked::isRecording).toArray(Tracked[]::new);
    }

    // ---- recording ----

    /** Notes that a range of the disk changes; whoever calls sees to it that nobody stores bitmaps before it has. */
    void record(long offset, long length) throws ClosedChannelException {
        Tracked[] now = recording;
        if (now.length == 0) {
            return;
        }
        if (closed) {
            throw new ClosedChannelException();
        }
        long end = Math.min(offset + length, diskSize);
        for (Tracked bitmap : now) {
            bitmap.record(offset, end);
        }
    }

    /** Returns whether so much was recorded that it should be stored. */
    boolean isFull() {
        Tracked[] now = recording;
        int pages = 0;
        for (Tracked bitmap : now) {
            pages += bitmap.bits.usedPages();
        }
        return pages >= MOST_PAGES;
    }

    boolean isEmpty() {
        return bitmaps.isEmpty();
    }

    /** Before the first change: the file says that bitmaps miss what is written from now on. */
    boolean announce() throws IOException {
        boolean any = false;
        for (Tracked bitmap : bitmaps) {
            if (bitmap.stored.info().auto()) {
                tables.putFlags(bitmap.stored, Bitmap.FLAG_IN_USE | Bitmap.FLAG_AUTO);
                any = true;
            }
        }
        announced = true;
        return any;
    }

    /** Puts what was recorded into the file; the bitmaps stay in use. */
    void store() throws IOException {
        for (Tracked bitmap : recording) {
            try {
                store(bitmap);
            } catch (CorruptImageException e) {
                lose(bitmap, e);
            }
        }
        updateRecording();
    }

    /** Puts what was recorded into the file, which says then that the bitmaps are whole. Nothing is recorded afterwards. */
    void close() throws IOException {
        closed = true;
        if (!announced) {
            return;
        }
        store();
        for (Tracked bitmap : recording) {
            tables.putFlags(bitmap.stored, Bitmap.FLAG_AUTO);
        }
        if (recording.length > 0) {
            file.sync();
        }
    }

    // ---- what people ask for ----

    /** Returns what there is. */
    List<BitmapInfo> infos() {
        return bitmaps.stream().map(bitmap -> bitmap.stored.info()).toList();
    }

    /** Returns what is in the directory, for a check of the file. */
    List<Bitmap> stored() {
        List<Bitmap> all = new ArrayList<>();
        bitmaps.forEach(bitmap -> all.add(bitmap.stored));
        return all;
    }

    /** Makes a bitmap of a disk without changes. */
    void add(String name, long granularity, boolean enabled) throws IOException {
        requirePossible(name, granularity);
        int granularityBits = Long.numberOfTrailingZeros(granularity);
        long entries = Bitmap.clusters(diskSize, granularityBits, clusterBits);
        if (entries > Bitmap.MAX_BYTES >>> clusterBits) {
            throw refused("a bitmap of this disk with a granularity of " + granularity + " bytes would have more than "
                    + Bitmap.MAX_BYTES + " bytes; choose a coarser one");
        }
        BitmapInfo info = new BitmapInfo(name, granularity, false, enabled);
        long bits = Qcow2Check.clustersOf(diskSize, granularityBits);
        if (enabled) {
            requireRoomFor(bits);
        }
        Bitmap added = new Bitmap(0, 0, Math.max(1, entries), granularityBits, info);
        List<Bitmap> now = stored();
        now.add(added);
        List<Bitmap> written = tables.add(now);
        bitmaps.add(new Tracked(added, new DirtyBits(bits)));
        update(written);
    }

    private void update(List<Bitmap> written) {
        for (int i = 0; i < written.size(); i++) {
            bitmaps.get(i).stored = written.get(i);
        }
        updateRecording();
    }

    private void requirePossible(String name, long granularity) throws BlockIOException {
        int nameBytes = name.getBytes(StandardCharsets.UTF_8).length;
        if (header.version() < 3) {
            throw refused("version 2 of the format has no bitmaps");
        }
        if (nameBytes == 0 || nameBytes > Bitmap.MAX_NAME) {
            throw refused("the name of a bitmap has 1 to " + Bitmap.MAX_NAME + " bytes, this one " + nameBytes);
        }
        if (granularity < MIN_GRANULARITY || granularity > MAX_GRANULARITY || Long.bitCount(granularity) != 1) {
            throw refused("the granularity of a bitmap is a power of two from 512 to 2 GiB, not " + granularity);
        }
        if (bitmaps.stream().anyMatch(bitmap -> bitmap.stored.info().name().equals(name))) {
            throw refused("there is a bitmap " + Printable.quote(name) + " already");
        }
        if (bitmaps.size() >= Bitmap.MAX_BITMAPS) {
            throw refused("there are too many bitmaps for another one");
        }
        long bytes = tables.directoryBytesWith(nameBytes);
        if (bytes > mostDirectoryBytes) {
            throw refused(
                    "the directory of bitmaps would have " + bytes + " bytes, the limit is " + mostDirectoryBytes);
        }
    }

    private BlockIOException refused(String why) {
        return new BlockIOException(BlockIOException.Kind.NOT_SUPPORTED, file.name() + ": " + why, null);
    }

    /** Deletes a bitmap, also one that misses writes. */
    void remove(String name) throws IOException {
        Tracked gone = find(name);
        List<Bitmap> now = stored();
        now.remove(bitmaps.indexOf(gone));
        List<Bitmap> written = tables.remove(gone.stored, now);
        bitmaps.remove(gone);
        update(written);
    }

    /** Lets a bitmap record from now on. */
    void enable(String name) throws IOException {
        Tracked bitmap = findWhole(name);
        if (bitmap.stored.info().auto()) {
            return;
        }
        requireRoomFor(bitsOf(bitmap.stored));
        bitmap.stored.requireCheckable(header, file);
        tables.putFlags(bitmap.stored, Bitmap.FLAG_IN_USE | Bitmap.FLAG_AUTO);
        file.sync();
        bitmap.stored = bitmap.stored.with(false, true);
        bitmap.bits = new DirtyBits(bitsOf(bitmap.stored));
        updateRecording();
    }

    /** Lets a bitmap record no more. */
    void disable(String name) throws IOException {
        Tracked bitmap = findWhole(name);
        if (!bitmap.stored.info().auto()) {
            return;
        }
        store(bitmap);
        tables.putFlags(bitmap.stored, 0);
        file.sync();
        bitmap.stored = bitmap.stored.with(false, false);
        updateRecording();
    }

    /** Makes a bitmap say that nothing changed. */
    void clear(String name) throws IOException {
        Tracked bitmap = findWhole(name);
        bitmap.stored = tables.clear(bitmap.stored);
        bitmap.bits = new DirtyBits(bitsOf(bitmap.stored));
    }

    /** Returns room for bits that {@link #merge} adds to a bitmap. */
    DirtyBits bitsFor(String name) throws DiskImageException {
        return new DirtyBits(bitsOf(findWhole(name).stored));
    }

    /** Returns by how many bits a byte number is shifted to be that of a bit. */
    int granularityBits(String name) throws DiskImageException {
        return find(name).stored.granularityBits();
    }

    /** Adds bits to a bitmap, enabled or not. */
    void merge(String name, DirtyBits added) throws IOException {
        Tracked bitmap = findWhole(name);
        if (!bitmap.stored.info().auto()) {
            bitmap.bits = new DirtyBits(bitsOf(bitmap.stored));
        }
        bitmap.bits.addAll(added);
        store(bitmap);
    }

    /**
     * Calls the visitor for each dirty range from some place on, what was recorded but now included.
     *
     * @param changing held while bits are loaded, not while the visitor is called
     */
    void dirtyRanges(String name, long from, Lock changing, RangeVisitor visitor) throws IOException {
        Tracked bitmap;
        changing.lock();
        try {
            bitmap = find(name);
            bitmap.stored.requireUsable(file);
        } finally {
            changing.unlock();
        }
        long bitsPerCluster = clusterSize * 8L;
        bitmap.stored.visitRanges(header, from, visitor, (index, bytes, data) -> {
            changing.lock();
            try {
                if (find(name) != bitmap) {
                    throw new DiskImageException(
                            file.name() + ": bitmap " + Printable.quote(name) + " was removed while it was read");
                }
                return loadLive(bitmap, index, index * bitsPerCluster, bytes, data);
            } finally {
                changing.unlock();
            }
        });
    }

    private Bitmap.Bits loadLive(Tracked bitmap, long index, long first, int bytes, ByteBuffer data)
            throws IOException {
        Bitmap stored = bitmap.stored;
        Bitmap.Bits kind = tables.load(stored, index, bytes, data);
        long last = Math.min(bitsOf(stored), first + clusterSize * 8L);
        if (kind == Bitmap.Bits.ALL || !stored.info().auto() || !bitmap.bits.hasAny(first, last)) {
            return kind;
        }
        if (kind == Bitmap.Bits.NONE) {
            HostFile.fillZeros(data.clear(), data.capacity());
            data.clear();
        }
        bitmap.bits.addTo(data, first, last);
        return Bitmap.Bits.SOME;
    }

    // ---- another size of the disk ----

    /** Refuses, before anything is changed, a size of the disk that a bitmap cannot follow. */
    void requireResizable(long newSize) throws IOException {
        for (Tracked bitmap : bitmaps) {
            if (!bitmap.isWhole()) {
                throw refused("bitmap " + Printable.quote(bitmap.stored.info().name())
                        + " is in use: it was not saved properly; remove it before the disk gets another size");
            }
            bitmap.stored.requireCheckable(header, file);
            long entries = Bitmap.clusters(newSize, bitmap.stored.granularityBits(), clusterBits);
            if (entries > Bitmap.MAX_BYTES >>> clusterBits) {
                throw refused("bitmap " + Printable.quote(bitmap.stored.info().name()) + " is too fine for a disk of "
                        + newSize + " bytes; remove it first");
            }
        }
        requireRoom(recordedBits(newSize));
    }

    /** Before the disk gets another size: the file says that no bitmap fits. */
    void resizing() throws IOException {
        store();
        for (Tracked bitmap : bitmaps) {
            tables.putFlags(
                    bitmap.stored, Bitmap.FLAG_IN_USE | (bitmap.stored.info().auto() ? Bitmap.FLAG_AUTO : 0));
        }
        tables.write();
    }

    /** The disk has another size: bitmaps get it too, and where it grew, those that record say that it changed. */
    void resized(long newSize) throws IOException {
        long oldSize = diskSize;
        diskSize = newSize;
        for (Tracked bitmap : bitmaps) {
            bitmap.stored = tables.resize(bitmap.stored, oldSize, newSize);
            bitmap.bits = new DirtyBits(bitsOf(bitmap.stored));
            if (bitmap.isRecording()) {
                if (newSize > oldSize) {
                    bitmap.record(oldSize, newSize);
                }
                store(bitmap);
            } else {
                tables.putFlags(bitmap.stored, 0);
            }
        }
    }

    private void store(Tracked bitmap) throws IOException {
        if (bitmap.bits.usedPages() > 0) {
            bitmap.stored = tables.store(bitmap.stored, bitmap.bits, diskSize);
            bitmap.bits = new DirtyBits(bitsOf(bitmap.stored));
        }
    }

    // ---- which ----

    private Tracked find(String name) throws DiskImageException {
        for (Tracked bitmap : bitmaps) {
            if (bitmap.stored.info().name().equals(name)) {
                return bitmap;
            }
        }
        throw new DiskImageException(file.name() + ": there is no bitmap " + Printable.quote(name)
                + (bitmaps.isEmpty() ? "; the image has none" : ""));
    }

    private Tracked findWhole(String name) throws DiskImageException {
        Tracked bitmap = find(name);
        bitmap.stored.requireUsable(file);
        return bitmap;
    }
}
