package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * The directory, the tables and the bits of bitmaps in the file. What changes goes to new places; one write of an entry of
 * the directory, or of the first sector of the header, leads there; what was there before is free afterwards. Guarded by
 * whoever changes the image. Source: qcow2.rst, "Bitmaps".
 */
final class BitmapTables {
    private final Qcow2Header header;
    private final HostFile file;
    private final Allocator allocator;
    private final Consumer<? super Warning> onWarning;
    private final int clusterBits;
    private final int clusterSize;
    private long directoryOffset;
    private long directorySize;

    /** @param valid whether the bitmaps that the header names are those of the image */
    BitmapTables(
            Qcow2Header header,
            HostFile file,
            Allocator allocator,
            boolean valid,
            Consumer<? super Warning> onWarning) {
        this.header = header;
        this.file = file;
        this.allocator = allocator;
        this.onWarning = onWarning;
        this.clusterBits = header.clusterBits();
        this.clusterSize = header.clusterSize();
        HeaderExtensions.BitmapDirectoryLocation directory = header.extensions().bitmaps();
        if (valid && directory != null) {
            this.directoryOffset = directory.offset();
            this.directorySize = directory.size();
        }
    }

    /** Clusters that are taken for a change, and those that it leaves. */
    private static final class Places {
        final List<Long> taken = new ArrayList<>();
        final List<Long> left = new ArrayList<>();

        void leave(long cluster, long count) {
            for (long i = 0; i < count; i++) {
                left.add(cluster + i);
            }
        }
    }

    /** Loads the bits of one cluster of a bitmap. */
    Bitmap.Bits load(Bitmap bitmap, long index, int bytes, ByteBuffer data) throws IOException {
        long at = bitmap.tableOffset() + index * Long.BYTES;
        ByteBuffer entry = ByteBuffer.allocate(Long.BYTES);
        file.readTable("bitmap table", bitmap.tableOffset(), bitmap.tableSize() * Long.BYTES, at, entry);
        return bitmap.load(header, file, at, entry.getLong(0), bytes, data);
    }

    /** Writes the flags of an entry; making them durable is left to the caller. */
    void putFlags(Bitmap bitmap, int flags) throws IOException {
        put(bitmap.entryOffset() + 12, ByteBuffer.allocate(4).putInt(flags));
    }

    /** Makes durable what was written, refcounts included. */
    void write() throws IOException {
        allocator.write();
        file.sync();
    }

    private interface Preparation<T> {
        T prepare(Places places) throws IOException;
    }

    /** What fails before the file leads to new places gives them back. */
    private <T> T prepare(Places places, Preparation<T> preparation) throws IOException {
        boolean done = false;
        try {
            T result = preparation.prepare(places);
            done = true;
            return result;
        } finally {
            if (!done) {
                for (long cluster : places.taken) {
                    allocator.add(cluster, 1, -1);
                }
            }
        }
    }

    private void release(Places places) throws IOException {
        for (long cluster : places.left) {
            allocator.add(cluster, 1, -1);
        }
    }

    // ---- bits ----

    /** Adds bits to those in the file. */
    Bitmap store(Bitmap bitmap, DirtyBits bits, long diskSize) throws IOException {
        long all = Qcow2Check.clustersOf(diskSize, bitmap.granularityBits());
        long perCluster = clusterSize * 8L;
        Places places = new Places();
        long[] table = prepare(places, taken -> {
            long[] now = readTable(bitmap);
            ByteBuffer data = clusterOfBits();
            for (int i = 0; i < now.length; i++) {
                long first = i * perCluster;
                long last = Math.min(all, first + perCluster);
                if (bits.hasAny(first, last)) {
                    now[i] = withBits(bitmap, now[i], i, bits, first, last, data, taken);
                }
            }
            return now;
        });
        return replaceTable(bitmap, table, places);
    }

    private long withBits(
            Bitmap stored, long entry, int index, DirtyBits bits, long first, long last, ByteBuffer data, Places places)
            throws IOException {
        int bytes = (int) ((last - first + 7) / 8);
        long at = stored.tableOffset() + (long) index * Long.BYTES;
        Bitmap.Bits kind = stored.load(header, file, at, entry, bytes, data);
        if (kind == Bitmap.Bits.ALL) {
            return entry;
        }
        if (kind == Bitmap.Bits.NONE) {
            HostFile.fillZeros(data.clear(), clusterSize);
            data.clear();
        }
        bits.addTo(data, first, last);
        leaveData(entry, places);
        return allSet(data, last - first) ? Bitmap.ALL_ONES : writeBits(data, bytes, places);
    }

    private static boolean allSet(ByteBuffer data, long bits) {
        long at = 0;
        for (; at + 64 <= bits; at += 64) {
            if (data.getLong((int) (at >>> 3)) != -1) {
                return false;
            }
        }
        long rest = (1L << (bits - at)) - 1;
        return at == bits || (data.getLong((int) (at >>> 3)) & rest) == rest;
    }

    /** Bits are stored with the lowest first. */
    private ByteBuffer clusterOfBits() {
        return DirectBuffers.allocate(clusterSize).order(ByteOrder.LITTLE_ENDIAN);
    }

    private long writeBits(ByteBuffer data, int bytes, Places places) throws IOException {
        HostFile.fillZeros(data.clear().position(bytes), (long) clusterSize - bytes);
        long place = allocator.allocate(1);
        places.taken.add(place);
        file.write(place << clusterBits, data.clear());
        return place << clusterBits;
    }

    /** Takes all bits out of a bitmap. */
    Bitmap clear(Bitmap bitmap) throws IOException {
        Places places = new Places();
        for (long entry : readTable(bitmap)) {
            leaveData(entry, places);
        }
        return replaceTable(bitmap, new long[(int) bitmap.tableSize()], places);
    }

    /** Gives a bitmap the table that a disk of another size needs; what is new there is clean. */
    Bitmap resize(Bitmap bitmap, long oldSize, long newSize) throws IOException {
        int entries = (int) Math.max(1, Bitmap.clusters(newSize, bitmap.granularityBits(), clusterBits));
        Places places = new Places();
        long[] table = prepare(places, taken -> {
            long[] old = readTable(bitmap);
            for (int i = entries; i < old.length; i++) {
                leaveData(old[i], taken);
            }
            long[] now = Arrays.copyOf(old, entries);
            long kept = Qcow2Check.clustersOf(Math.min(oldSize, newSize), bitmap.granularityBits());
            int border = (int) (kept / (clusterSize * 8L));
            int inBorder = (int) (kept % (clusterSize * 8L));
            if (border < Math.min(old.length, entries) && inBorder > 0) {
                // what it has behind the end must not come to light
                now[border] = cut(bitmap, old[border], border, inBorder, taken);
            }
            return now;
        });
        return replaceTable(bitmap, table, places);
    }

    private long cut(Bitmap stored, long entry, int index, int bits, Places places) throws IOException {
        ByteBuffer data = clusterOfBits();
        long at = stored.tableOffset() + (long) index * Long.BYTES;
        Bitmap.Bits kind = stored.load(header, file, at, entry, (bits + 7) / 8, data);
        if (kind == Bitmap.Bits.NONE) {
            return 0;
        }
        for (int i = 0; i < (bits + 7) / 8; i++) {
            int valid = Math.min(8, bits - 8 * i);
            int value = kind == Bitmap.Bits.ALL ? 0xff : data.get(i);
            data.put(i, (byte) (value & ((1 << valid) - 1)));
        }
        leaveData(entry, places);
        return writeBits(data, (bits + 7) / 8, places);
    }

    // ---- tables ----

    private long[] readTable(Bitmap stored) throws IOException {
        stored.requireTablePlace(header, file);
        long[] table = new long[(int) stored.tableSize()];
        ByteBuffer raw = DirectBuffers.allocate(clusterSize);
        long bytes = stored.tableSize() * Long.BYTES;
        for (int at = 0; at < table.length; at += raw.limit() / Long.BYTES) {
            raw.clear().limit(Math.min(raw.capacity(), (table.length - at) * Long.BYTES));
            file.readTable(
                    "bitmap table", stored.tableOffset(), bytes, stored.tableOffset() + (long) at * Long.BYTES, raw);
            raw.flip().asLongBuffer().get(table, at, raw.limit() / Long.BYTES);
        }
        return table;
    }

    /** Writes a table into new clusters; returns where. */
    private long writeTable(long[] table, Places places) throws IOException {
        int clusters = (int) clustersOf(table.length);
        long place = allocator.allocate(clusters);
        for (int i = 0; i < clusters; i++) {
            places.taken.add(place + i);
        }
        ByteBuffer raw = DirectBuffers.allocate(clusterSize);
        int perCluster = clusterSize / Long.BYTES;
        for (int i = 0; i < clusters; i++) {
            raw.clear();
            for (int k = i * perCluster; k < (i + 1) * perCluster; k++) {
                raw.putLong(k < table.length ? table[k] : 0);
            }
            file.write((place + i) << clusterBits, raw.flip());
        }
        return place << clusterBits;
    }

    /** Leads a bitmap to another table, durably, and frees the old one and what else is left. */
    private Bitmap replaceTable(Bitmap bitmap, long[] table, Places places) throws IOException {
        places.leave(bitmap.tableOffset() >>> clusterBits, clustersOf(bitmap.tableSize()));
        Bitmap replaced = prepare(places, taken -> {
            long place = writeTable(table, taken);
            write();
            put(bitmap.entryOffset(), ByteBuffer.allocate(12).putLong(place).putInt(table.length));
            return bitmap.withTable(place, table.length);
        });
        file.sync();
        release(places);
        return replaced;
    }

    // ---- the directory ----

    /** Returns how many bytes the directory has with another bitmap. */
    long directoryBytesWith(int nameBytes) {
        return directorySize + (Bitmap.FIXED + nameBytes + 7 & -8);
    }

    /** Puts bitmaps into a new directory, of which the last has no table yet. */
    List<Bitmap> add(List<Bitmap> bitmaps) throws IOException {
        Places places = new Places();
        List<Bitmap> written = prepare(places, taken -> {
            List<Bitmap> now = new ArrayList<>(bitmaps);
            Bitmap added = now.remove(now.size() - 1);
            long table = writeTable(new long[(int) added.tableSize()], taken);
            now.add(added.withTable(table, added.tableSize()));
            return writeDirectory(now, taken);
        });
        release(places);
        return written;
    }

    /** Puts bitmaps into a new directory, and frees what another one has. */
    List<Bitmap> remove(Bitmap gone, List<Bitmap> bitmaps) throws IOException {
        Places places = new Places();
        leaveAll(gone, places);
        List<Bitmap> written = prepare(places, taken -> writeDirectory(bitmaps, taken));
        release(places);
        return written;
    }

    private List<Bitmap> writeDirectory(List<Bitmap> bitmaps, Places places) throws IOException {
        HeaderExtensions.@Nullable BitmapDirectoryLocation location = null;
        List<Bitmap> written = new ArrayList<>();
        if (!bitmaps.isEmpty()) {
            List<byte[]> names = new ArrayList<>();
            int bytes = 0;
            for (Bitmap bitmap : bitmaps) {
                byte[] name = nameOf(bitmap);
                names.add(name);
                bytes += (Bitmap.FIXED + name.length + 7) & -8;
            }
            int clusters = (int) Qcow2Check.clustersOf(bytes, clusterBits);
            long place = allocator.allocate(clusters);
            ByteBuffer raw = ByteBuffer.allocate(clusters << clusterBits);
            for (int i = 0; i < clusters; i++) {
                places.taken.add(place + i);
                allocator.claim(place + i, 1, MetadataMap.Kind.BITMAPS);
            }
            for (int i = 0; i < bitmaps.size(); i++) {
                written.add(bitmaps.get(i).withEntryOffset((place << clusterBits) + raw.position()));
                putEntry(raw, bitmaps.get(i), names.get(i));
            }
            file.write(place << clusterBits, raw.clear());
            location = new HeaderExtensions.BitmapDirectoryLocation(bitmaps.size(), bytes, place << clusterBits);
        }
        ByteBuffer sector = new HeaderRewrite(file.storage()).withBitmaps(location);
        write();
        put(0, sector);
        file.sync();
        if (directorySize > 0) {
            places.leave(directoryOffset >>> clusterBits, Qcow2Check.clustersOf(directorySize, clusterBits));
        }
        directoryOffset = location == null ? 0 : location.offset();
        directorySize = location == null ? 0 : location.size();
        return written;
    }

    /** As it is stored, which may be no text. */
    private byte[] nameOf(Bitmap bitmap) throws IOException {
        if (bitmap.entryOffset() == 0) {
            return bitmap.info().name().getBytes(StandardCharsets.UTF_8);
        }
        ByteBuffer fixed = ByteBuffer.allocate(Bitmap.FIXED);
        file.readPadded(bitmap.entryOffset(), fixed);
        ByteBuffer name = ByteBuffer.allocate(fixed.getShort(18) & 0xffff);
        file.readPadded(bitmap.entryOffset() + Bitmap.FIXED, name);
        return name.array();
    }

    /** Whoever changes the directory has begun to change the image: what records is in use. */
    private static void putEntry(ByteBuffer raw, Bitmap stored, byte[] name) {
        boolean recording = stored.info().auto();
        int flags =
                (recording ? Bitmap.FLAG_AUTO : 0) | (recording || stored.info().inUse() ? Bitmap.FLAG_IN_USE : 0);
        raw.putLong(stored.tableOffset()).putInt((int) stored.tableSize()).putInt(flags);
        raw.put((byte) 1).put((byte) stored.granularityBits()).putShort((short) name.length);
        raw.putInt(0).put(name);
        raw.position((raw.position() + 7) & -8);
    }

    private void put(long at, ByteBuffer value) throws IOException {
        try {
            file.write(at, value.flip());
        } catch (IOException e) {
            // nobody knows where it leads now
            file.breakOff(e);
            throw e;
        }
    }

    private long clustersOf(long tableEntries) {
        return Qcow2Check.clustersOf(tableEntries * Long.BYTES, clusterBits);
    }

    private void leaveAll(Bitmap stored, Places places) throws IOException {
        long[] table;
        try {
            table = readTable(stored);
        } catch (CorruptImageException e) {
            onWarning.accept(new Warning(
                    stored.entryOffset(), e.getMessage() + ": its clusters stay in use; check -r leaks frees them"));
            return;
        }
        for (long entry : table) {
            leaveData(entry, places);
        }
        places.leave(stored.tableOffset() >>> clusterBits, clustersOf(stored.tableSize()));
    }

    /** What an entry names that can be no bits, a table of the disk for instance, is not freed with them. */
    private void leaveData(long entry, Places places) throws IOException {
        long offset = L2Entry.offset(entry);
        long cluster = offset >>> clusterBits;
        if (offset != 0
                && (offset & (clusterSize - 1)) == 0
                && file.holds(offset, 1)
                && allocator.metadataAt(cluster) == null) {
            places.left.add(cluster);
        }
    }
}
