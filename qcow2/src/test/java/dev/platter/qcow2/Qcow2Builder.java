package dev.platter.qcow2;

import com.github.luben.zstd.Zstd;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.testkit.TestBytes;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.zip.Deflater;
import org.jspecify.annotations.Nullable;

/**
 * Makes qcow2 images byte by byte, so that tests need no other program. Cluster 0 holds the header, the active L1 table
 * begins at cluster 1, data clusters follow in the order in which they are added; other tables and refcounts come last.
 * What is said of the whole image is said before the first cluster is added. Data are {@link TestBytes} of the guest
 * offset. Layout: qcow2.rst.
 */
final class Qcow2Builder {
    private static final int SECTOR = 512;

    private final int version;
    private final int clusterBits;
    private final int clusterSize;
    private final long size;
    private final GrowingBytes image = new GrowingBytes();
    private final Map<Integer, byte[]> extensions = new LinkedHashMap<>();
    private final List<FrozenSnapshot> snapshots = new ArrayList<>();
    private final List<byte[]> bitmapEntries = new ArrayList<>();
    private final Map<Long, Integer> refcounts = new TreeMap<>();
    private final Map<Long, Mapping> active = new TreeMap<>();
    private long incompatible;
    private long autoclear;
    private long cryptMethod;
    private int compressionType;
    private @Nullable String backing;
    private int l1Offset;
    private int nextCompressed;

    /** An L2 entry without its COPIED flag, its subclusters, and the host bytes that it holds on to. */
    private record Mapping(long entry, long subclusters, long hostOffset, long hostLength) {}

    private record FrozenSnapshot(String id, String name, long diskSize, Map<Long, Mapping> mappings) {}

    Qcow2Builder(int version, int clusterBits, long size) {
        this.version = version;
        this.clusterBits = clusterBits;
        this.clusterSize = 1 << clusterBits;
        this.size = size;
    }

    Qcow2Builder extendedL2() {
        return incompatible(Qcow2Header.INCOMPAT_EXTENDED_L2);
    }

    Qcow2Builder zstd() {
        compressionType = Qcow2Header.COMPRESSION_ZSTD;
        return incompatible(Qcow2Header.INCOMPAT_COMPRESSION);
    }

    Qcow2Builder incompatible(long bits) {
        incompatible |= bits;
        return this;
    }

    Qcow2Builder autoclear(long bits) {
        autoclear |= bits;
        return this;
    }

    Qcow2Builder encrypted(long method) {
        cryptMethod = method;
        return this;
    }

    Qcow2Builder backing(String name, @Nullable String format) {
        backing = name;
        return format == null ? this : extension(0xe2792aca, format.getBytes(StandardCharsets.UTF_8));
    }

    Qcow2Builder dataFile(String name) {
        extension(0x44415441, name.getBytes(StandardCharsets.UTF_8));
        return incompatible(Qcow2Header.INCOMPAT_DATA_FILE);
    }

    Qcow2Builder extension(int type, byte... data) {
        extensions.put(type, data);
        return this;
    }

    /** Maps clusters to data of their own. */
    Qcow2Builder data(long... clusters) {
        for (long cluster : clusters) {
            put(cluster, newData(cluster), 0);
        }
        return this;
    }

    Qcow2Builder zero(long cluster) {
        put(cluster, L2Entry.ZERO_FLAG, 0);
        return this;
    }

    /** Maps a cluster that has space, full of data, but reads as zeros. */
    Qcow2Builder zeroAllocated(long cluster) {
        put(cluster, newData(cluster) | L2Entry.ZERO_FLAG, 0);
        return this;
    }

    /** Maps a cluster with space for data to subclusters of all kinds; low bits: allocated, high bits: zero. */
    Qcow2Builder subclusters(long cluster, long bitmap) {
        put(cluster, newData(cluster), bitmap);
        return this;
    }

    /** Maps a cluster without space to zero subclusters. */
    Qcow2Builder bareSubclusters(long cluster, long zeros) {
        put(cluster, 0, zeros << 32);
        return this;
    }

    /** Maps a cluster to a compressed one. */
    Qcow2Builder compressed(long cluster) {
        byte[] plain = TestBytes.of(cluster << clusterBits, clusterSize);
        return compressed(
                cluster, compressionType == Qcow2Header.COMPRESSION_ZSTD ? Zstd.compress(plain) : deflate(plain));
    }

    /** Maps a cluster to a stream of any kind. */
    Qcow2Builder compressed(long cluster, byte... stream) {
        requireL1();
        if (nextCompressed % clusterSize == 0 || image.size() != roundUp(nextCompressed)) {
            nextCompressed = image.append(clusterSize);
        }
        int at = nextCompressed;
        image.put(at, stream);
        image.append(roundUp(image.size()) - image.size());
        nextCompressed = at + stream.length;
        long sectors = ((nextCompressed - 1L) >>> 9) - (at >>> 9);
        long held = (sectors + 1) * SECTOR;
        active.put(cluster, new Mapping(compressedEntry(clusterBits, at, sectors), 0, at & -SECTOR, held));
        return this;
    }

    /** Returns an entry of compressed bytes that lie anywhere, with {@code sectors} after the one where they begin. */
    static long compressedEntry(int clusterBits, long at, long sectors) {
        return L2Entry.COMPRESSED | sectors << (62 - (clusterBits - 8)) | at;
    }

    /** Maps a cluster by an entry as it is. */
    Qcow2Builder entry(long cluster, long entry, long subclusters) {
        requireL1();
        active.put(cluster, new Mapping(entry, subclusters, 0, 0));
        return this;
    }

    /** Removes what maps a cluster; its data stay for snapshots. */
    Qcow2Builder unmap(long cluster) {
        active.remove(cluster);
        return this;
    }

    /** Keeps what is mapped now. */
    Qcow2Builder snapshot(String id, String name, long diskSize) {
        snapshots.add(new FrozenSnapshot(id, name, diskSize, new TreeMap<>(active)));
        return this;
    }

    /**
     * Adds a persistent bitmap.
     *
     * @param bits its bits, least significant first; a table entry for each cluster of them
     */
    Qcow2Builder bitmap(String name, int granularityBits, int flags, byte... bits) {
        int clusters = roundUp(Math.max(1, bits.length)) / clusterSize;
        long[] table = new long[clusters];
        for (int i = 0; i < clusters; i++) {
            table[i] = take(clusterSize);
            image.put(
                    (int) table[i],
                    Arrays.copyOfRange(bits, i * clusterSize, Math.min(bits.length, (i + 1) * clusterSize)));
        }
        return bitmapTable(name, granularityBits, flags, table);
    }

    /** Adds a persistent bitmap with the table entries as they are. */
    Qcow2Builder bitmapTable(String name, int granularityBits, int flags, long... table) {
        int at = take(Math.max(1, table.length) * Long.BYTES);
        for (int i = 0; i < table.length; i++) {
            image.putLong(at + Long.BYTES * i, table[i]);
        }
        byte[] text = name.getBytes(StandardCharsets.UTF_8);
        ByteBuffer entry = ByteBuffer.allocate((24 + text.length + 7) & ~7);
        entry.putLong(at).putInt(table.length).putInt(flags).put((byte) 1).put((byte) granularityBits);
        entry.putShort((short) text.length).putInt(0).put(text);
        bitmapEntries.add(entry.array());
        return autoclear(Qcow2Header.AUTOCLEAR_BITMAPS);
    }

    /** Returns where the active L1 table begins. */
    int l1Offset() {
        requireL1();
        return l1Offset;
    }

    /** Returns the file. */
    byte[] build() {
        requireL1();
        byte[] snapshotTable = writeSnapshots();
        int snapshotsAt = snapshotTable.length == 0 ? 0 : take(snapshotTable.length);
        image.put(snapshotsAt, snapshotTable);
        if (!bitmapEntries.isEmpty()) {
            writeBitmapDirectory();
        }
        count(active);
        count(0, clusterSize);
        count(l1Offset, l1Entries(size) * Long.BYTES);
        writeTables(active, l1Offset, true);
        writeHeader(snapshotsAt);
        writeRefcounts();
        image.append(roundUp(image.size()) - image.size());
        return image.toArray();
    }

    /** Opens what was built. */
    DiskImage open() throws IOException {
        return open(build(), OpenOptions.defaults());
    }

    /** Opens a file in memory. */
    static DiskImage open(byte[] file, OpenOptions options) throws IOException {
        return DiskImages.open(storage(file), options);
    }

    static Storage storage(byte[] file) {
        return Storages.of(BlockDevices.ofBytes("test.qcow2", ByteBuffer.wrap(file)));
    }

    /** Compresses as a writer has to: without references to more than 4096 bytes before. */
    static byte[] deflate(byte[] plain) {
        Deflater deflater = new Deflater(Deflater.BEST_COMPRESSION, true);
        try {
            ByteArrayOutputStream out = new ByteArrayOutputStream();
            byte[] chunk = new byte[8192];
            for (int at = 0; at < plain.length; at += 4096) {
                deflater.setInput(plain, at, Math.min(4096, plain.length - at));
                int produced;
                while ((produced = deflater.deflate(chunk, 0, chunk.length, Deflater.FULL_FLUSH)) > 0) {
                    out.write(chunk, 0, produced);
                }
            }
            deflater.finish();
            out.write(chunk, 0, deflater.deflate(chunk));
            return out.toByteArray();
        } finally {
            deflater.end();
        }
    }

    private boolean isExtended() {
        return (incompatible & Qcow2Header.INCOMPAT_EXTENDED_L2) != 0;
    }

    private boolean hasDataFile() {
        return (incompatible & Qcow2Header.INCOMPAT_DATA_FILE) != 0;
    }

    private void put(long cluster, long entry, long subclusters) {
        requireL1();
        long host = L2Entry.offset(entry);
        boolean own = host != 0 && !hasDataFile();
        long bitmap = !isExtended() || subclusters != 0 || entry == 0
                ? subclusters
                : (entry & L2Entry.ZERO_FLAG) != 0 ? -1L << 32 : 0xffff_ffffL;
        long stored = isExtended() ? entry & ~L2Entry.ZERO_FLAG : entry;
        active.put(cluster, new Mapping(stored, bitmap, host, own ? clusterSize : 0));
    }

    private long newData(long cluster) {
        requireL1();
        if (hasDataFile()) {
            return cluster << clusterBits | L2Entry.COPIED;
        }
        int at = image.append(clusterSize);
        image.put(at, TestBytes.of(cluster << clusterBits, clusterSize));
        return at;
    }

    private void requireL1() {
        if (l1Offset == 0) {
            image.append(clusterSize);
            l1Offset = image.append(roundUp((int) Math.max(1, l1Entries(size)) * Long.BYTES));
        }
    }

    private int l2EntryBytes() {
        return isExtended() ? 16 : 8;
    }

    private int l2Entries() {
        return clusterSize / l2EntryBytes();
    }

    private long l1Entries(long bytes) {
        long perTable = (long) clusterSize * l2Entries();
        return bytes / perTable + (bytes % perTable == 0 ? 0 : 1);
    }

    private int roundUp(int bytes) {
        return (bytes + clusterSize - 1) & -clusterSize;
    }

    /** Takes whole clusters and counts them. */
    private int take(int bytes) {
        requireL1();
        int at = image.append(roundUp(bytes));
        count(at, bytes);
        return at;
    }

    private void count(long offset, long bytes) {
        for (long cluster = offset >>> clusterBits; cluster << clusterBits < offset + bytes; cluster++) {
            refcounts.merge(cluster, 1, Integer::sum);
        }
    }

    private void count(Map<Long, Mapping> mappings) {
        for (Mapping mapping : mappings.values()) {
            count(mapping.hostOffset, mapping.hostLength);
        }
    }

    private void writeTables(Map<Long, Mapping> mappings, int l1, boolean isActive) {
        Map<Long, Integer> tables = new LinkedHashMap<>();
        for (Map.Entry<Long, Mapping> each : mappings.entrySet()) {
            long index = each.getKey() / l2Entries();
            int table = tables.computeIfAbsent(index, any -> take(clusterSize));
            image.putLong((int) (l1 + index * Long.BYTES), table | (isActive ? L2Entry.COPIED : 0));
            Mapping mapping = each.getValue();
            long host = mapping.hostOffset >>> clusterBits;
            boolean copied = isActive
                    && mapping.hostLength == clusterSize
                    && !L2Entry.isCompressed(mapping.entry)
                    && refcounts.getOrDefault(host, 0) == 1;
            int at = table + (int) (each.getKey() % l2Entries()) * l2EntryBytes();
            image.putLong(at, mapping.entry | (copied ? L2Entry.COPIED : 0));
            if (isExtended()) {
                image.putLong(at + 8, mapping.subclusters);
            }
        }
    }

    private byte[] writeSnapshots() {
        ByteArrayOutputStream table = new ByteArrayOutputStream();
        for (FrozenSnapshot snapshot : snapshots) {
            int entries = (int) l1Entries(snapshot.diskSize);
            int l1 = take(Math.max(1, entries) * Long.BYTES);
            count(snapshot.mappings);
            writeTables(snapshot.mappings, l1, false);
            byte[] id = snapshot.id.getBytes(StandardCharsets.UTF_8);
            byte[] name = snapshot.name.getBytes(StandardCharsets.UTF_8);
            ByteBuffer entry = ByteBuffer.allocate((40 + 24 + id.length + name.length + 7) & ~7);
            entry.putLong(l1).putInt(entries).putShort((short) id.length).putShort((short) name.length);
            entry.putInt(1_700_000_000).putInt(5).putLong(7).putInt(0).putInt(24);
            entry.putLong(0).putLong(snapshot.diskSize).putLong(-1).put(id).put(name);
            table.writeBytes(entry.array());
        }
        return table.toByteArray();
    }

    private void writeBitmapDirectory() {
        ByteArrayOutputStream directory = new ByteArrayOutputStream();
        bitmapEntries.forEach(directory::writeBytes);
        int at = take(directory.size());
        image.put(at, directory.toByteArray());
        ByteBuffer location = ByteBuffer.allocate(24);
        location.putInt(bitmapEntries.size())
                .putInt(0)
                .putLong(directory.size())
                .putLong(at);
        extension(0x23852875, location.array());
    }

    private void writeHeader(int snapshotsAt) {
        int headerLength = version == 2 ? 72 : 112;
        ByteBuffer header = ByteBuffer.allocate(clusterSize);
        header.putInt(0, Qcow2Header.MAGIC)
                .putInt(4, version)
                .putInt(20, clusterBits)
                .putLong(24, size);
        header.putInt(32, (int) cryptMethod).putInt(36, (int) l1Entries(size)).putLong(40, l1Offset);
        header.putInt(60, snapshots.size()).putLong(64, snapshotsAt);
        if (version == 3) {
            header.putLong(72, incompatible)
                    .putLong(88, autoclear)
                    .putInt(96, 4)
                    .putInt(100, headerLength);
            header.put(104, (byte) compressionType);
        }
        header.position(headerLength);
        for (Map.Entry<Integer, byte[]> extension : extensions.entrySet()) {
            header.putInt(extension.getKey())
                    .putInt(extension.getValue().length)
                    .put(extension.getValue());
            header.position((header.position() + 7) & ~7);
        }
        header.putLong(0);
        if (backing != null) {
            byte[] name = backing.getBytes(StandardCharsets.UTF_8);
            header.putLong(8, header.position()).putInt(16, name.length);
            header.put(name);
        }
        image.put(0, header.array());
    }

    /** Writes refcounts of 16 bits, of themselves too. */
    private void writeRefcounts() {
        int perBlock = clusterSize / 2;
        int blocks = 1;
        int tableClusters = 1;
        while (blocks < (image.size() / clusterSize + tableClusters + blocks) / perBlock + 1) {
            blocks++;
            tableClusters = roundUp(blocks * Long.BYTES) / clusterSize;
        }
        int table = take(tableClusters * clusterSize);
        int first = take(blocks * clusterSize);
        for (int i = 0; i < blocks; i++) {
            image.putLong(table + i * Long.BYTES, first + (long) i * clusterSize);
        }
        refcounts.forEach(
                (cluster, count) -> image.put((int) (first + cluster * 2), (byte) (count >>> 8), (byte) (int) count));
        image.putLong(48, table);
        image.putInt(56, tableClusters);
    }
}
