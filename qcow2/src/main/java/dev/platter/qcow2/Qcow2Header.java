package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImageException;
import dev.platter.core.Storage;
import dev.platter.core.UnsupportedFeatureException;
import dev.platter.core.Warning;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The header of a qcow2 file with its extensions: what is on the disk, checked as far as one can without reading
 * anything else. Source: qcow2.rst, "Header" and "Header extensions"; ranges as qemu enforces them. Offsets and sizes
 * are bytes.
 *
 * @param version 2 or 3
 * @param backingFile the name of the backing file, or null
 * @param clusterBits 9 to 21
 * @param size bytes of the guest's disk, a multiple of 512
 * @param cryptMethod 0 none, 1 AES, 2 LUKS
 * @param l1Size entries of the active L1 table
 * @param refcountTableClusters clusters of the refcount table
 * @param refcountOrder refcounts have {@code 1 << refcountOrder} bits; 0 to 6
 * @param warnings what is odd in the header
 */
record Qcow2Header(
        int version,
        @Nullable String backingFile,
        int clusterBits,
        long size,
        int cryptMethod,
        int l1Size,
        long l1TableOffset,
        long refcountTableOffset,
        long refcountTableClusters,
        long snapshotCount,
        long snapshotsOffset,
        long incompatibleFeatures,
        long compatibleFeatures,
        long autoclearFeatures,
        int refcountOrder,
        int compressionType,
        HeaderExtensions extensions,
        List<Warning> warnings) {

    static final int MAGIC = 0x514649fb;

    static final int CRYPT_NONE = 0;
    static final int CRYPT_AES = 1;
    static final int CRYPT_LUKS = 2;

    static final int COMPRESSION_DEFLATE = 0;
    static final int COMPRESSION_ZSTD = 1;

    static final long INCOMPAT_DIRTY = 1;
    static final long INCOMPAT_CORRUPT = 1 << 1;
    static final long INCOMPAT_DATA_FILE = 1 << 2;
    static final long INCOMPAT_COMPRESSION = 1 << 3;
    static final long INCOMPAT_EXTENDED_L2 = 1 << 4;
    private static final long INCOMPAT_KNOWN = (1 << 5) - 1;

    static final long COMPAT_LAZY_REFCOUNTS = 1;
    static final long AUTOCLEAR_BITMAPS = 1;
    static final long AUTOCLEAR_DATA_FILE_RAW = 1 << 1;

    private static final int V2_LENGTH = 72;
    private static final int V3_LENGTH = 104;
    private static final int MIN_CLUSTER_BITS = 9;
    private static final int MAX_CLUSTER_BITS = 21;
    private static final int MIN_CLUSTER_BITS_EXTENDED = 14;
    private static final int MAX_BACKING_NAME = 1023;
    static final int MAX_L1_BYTES = 32 << 20;
    static final int MAX_REFCOUNT_TABLE_BYTES = 8 << 20;
    private static final int SECTOR = 512;

    int clusterSize() {
        return 1 << clusterBits;
    }

    boolean isExtendedL2() {
        return (incompatibleFeatures & INCOMPAT_EXTENDED_L2) != 0;
    }

    boolean hasDataFile() {
        return (incompatibleFeatures & INCOMPAT_DATA_FILE) != 0;
    }

    boolean isDirty() {
        return (incompatibleFeatures & INCOMPAT_DIRTY) != 0;
    }

    boolean isCorrupt() {
        return (incompatibleFeatures & INCOMPAT_CORRUPT) != 0;
    }

    /** Bytes of an L2 entry: 8, or 16 with subclusters. */
    int l2EntryBytes() {
        return isExtendedL2() ? 16 : 8;
    }

    /** Base-2 logarithm of the entries in an L2 table. */
    int l2Bits() {
        return clusterBits - (isExtendedL2() ? 4 : 3);
    }

    /** Entries of an L1 table that a disk of {@code bytes} needs. */
    long l1EntriesFor(long bytes) {
        int shift = clusterBits + l2Bits();
        return (bytes >>> shift) + ((bytes & ((1L << shift) - 1)) == 0 ? 0 : 1);
    }

    String compressionName() {
        return compressionType == COMPRESSION_ZSTD ? "zstd" : "zlib";
    }

    /**
     * Reads and checks the header.
     *
     * @throws CorruptImageException if it contradicts the format
     * @throws UnsupportedFeatureException if it needs what is not supported
     */
    static Qcow2Header read(Storage storage) throws IOException {
        ByteBuffer fixed = ByteBuffer.allocate(V3_LENGTH + 8);
        storage.read(0, fixed);
        return new Parser(storage, fixed.flip()).parse();
    }

    /** The steps of the reading, with the values that later steps need. */
    private static final class Parser {
        private final Storage storage;
        private final ByteBuffer fixed;
        private final List<Warning> warnings = new ArrayList<>();

        Parser(Storage storage, ByteBuffer fixed) {
            this.storage = storage;
            this.fixed = fixed;
        }

        Qcow2Header parse() throws IOException {
            requireLength(8);
            if (fixed.getInt(0) != MAGIC) {
                throw corrupt(0, "the magic of a qcow2 image is missing");
            }
            long version = u32(4);
            if (version != 2 && version != 3) {
                throw version == 1
                        ? new UnsupportedFeatureException(storage.name() + ": this is a qcow image of version 1, the"
                                + " predecessor of qcow2, which cannot be read")
                        : corrupt(4, "the version is " + version + ", known are 2 and 3");
            }
            requireLength(version == 2 ? V2_LENGTH : V3_LENGTH);
            int clusterBits = clusterBits();
            long clusterSize = 1L << clusterBits;
            long headerLength = version == 2 ? V2_LENGTH : headerLength(clusterSize);
            ByteBuffer cluster = firstCluster(clusterSize, headerLength);
            long incompatible = version == 2 ? 0 : fixed.getLong(72);
            long backingOffset = fixed.getLong(8);
            HeaderExtensions extensions = HeaderExtensions.parse(
                    storage.name(), cluster, (int) headerLength, extensionsEnd(backingOffset, clusterSize));
            requireKnown(incompatible, extensions);
            if ((incompatible & INCOMPAT_EXTENDED_L2) != 0 && clusterBits < MIN_CLUSTER_BITS_EXTENDED) {
                throw corrupt(
                        20, "cluster_bits is " + clusterBits + ", with extended L2 entries at least 14 is needed");
            }
            long size = size();
            int l1Size = l1Size(clusterBits, (incompatible & INCOMPAT_EXTENDED_L2) != 0, size);
            long refcountOrder = version == 2 ? 4 : u32(96);
            if (refcountOrder > 6) {
                throw corrupt(96, "refcount_order is " + refcountOrder + ", allowed are 0 to 6");
            }
            long snapshots = u32(60);
            Qcow2Header header = new Qcow2Header(
                    (int) version,
                    backingFile(backingOffset, clusterSize, cluster),
                    clusterBits,
                    size,
                    cryptMethod(extensions),
                    l1Size,
                    alignedOffset(40, "L1 table", clusterSize),
                    alignedOffset(48, "refcount table", clusterSize),
                    refcountTableClusters(clusterSize),
                    snapshots,
                    snapshots == 0 ? fixed.getLong(64) : alignedOffset(64, "snapshot table", clusterSize),
                    incompatible,
                    version == 2 ? 0 : fixed.getLong(80),
                    version == 2 ? 0 : fixed.getLong(88),
                    (int) refcountOrder,
                    compressionType(incompatible, headerLength, cluster),
                    extensions,
                    warnings);
            return header.withStateWarnings();
        }

        private void requireLength(int bytes) throws CorruptImageException {
            if (fixed.limit() < bytes) {
                throw corrupt(0, "the file ends after " + fixed.limit() + " bytes, inside the header: it is truncated");
            }
        }

        private int clusterBits() throws CorruptImageException {
            long bits = u32(20);
            if (bits < MIN_CLUSTER_BITS || bits > MAX_CLUSTER_BITS) {
                throw corrupt(20, "cluster_bits is " + bits + ", allowed are 9 to 21");
            }
            return (int) bits;
        }

        private long headerLength(long clusterSize) throws CorruptImageException {
            long length = u32(100);
            if (length < V3_LENGTH || length > clusterSize) {
                throw corrupt(
                        100, "header_length is " + length + ", allowed are 104 to the cluster size " + clusterSize);
            }
            if (length % 8 != 0) {
                throw corrupt(100, "header_length is " + length + ", which is no multiple of 8");
            }
            return length;
        }

        /** Reads as much of cluster 0 as header, extensions and backing name can take; shorter where the file ends. */
        private ByteBuffer firstCluster(long clusterSize, long headerLength) throws IOException {
            ByteBuffer cluster = ByteBuffer.allocate((int) Math.min(clusterSize, storage.size()));
            storage.read(0, cluster);
            cluster.flip();
            if (cluster.limit() < headerLength) {
                throw corrupt(
                        0, "the file ends after " + cluster.limit() + " bytes, inside the header: it is truncated");
            }
            return cluster;
        }

        private int extensionsEnd(long backingOffset, long clusterSize) throws CorruptImageException {
            if (backingOffset < 0 || backingOffset > clusterSize) {
                throw corrupt(
                        8,
                        "the backing file name is said to be at " + Long.toUnsignedString(backingOffset)
                                + ", outside the first cluster (" + clusterSize + " bytes)");
            }
            return (int) (backingOffset == 0 ? clusterSize : backingOffset);
        }

        private void requireKnown(long incompatible, HeaderExtensions extensions) throws UnsupportedFeatureException {
            long unknown = incompatible & ~INCOMPAT_KNOWN;
            if (unknown == 0) {
                return;
            }
            StringBuilder names = new StringBuilder();
            for (long bits = unknown; bits != 0; bits &= bits - 1) {
                int bit = Long.numberOfTrailingZeros(bits);
                names.append(names.length() == 0 ? "" : ", ")
                        .append("bit ")
                        .append(bit)
                        .append(extensions.featureName(HeaderExtensions.FEATURE_INCOMPATIBLE, bit));
            }
            throw new UnsupportedFeatureException(storage.name()
                    + ": header at 72: unknown incompatible features, the image cannot be read without them: "
                    + names);
        }

        private long size() throws CorruptImageException {
            long size = fixed.getLong(24);
            if (size < 0) {
                throw corrupt(
                        24,
                        "the disk is said to have " + Long.toUnsignedString(size)
                                + " bytes, at most 2^63-1 are possible");
            }
            long whole = size - size % SECTOR;
            if (whole != size) {
                warnings.add(new Warning(
                        24,
                        storage.name() + ": the disk size " + size + " is no multiple of 512; " + whole
                                + " bytes are used"));
            }
            return whole;
        }

        private int l1Size(int clusterBits, boolean extended, long size) throws CorruptImageException {
            long entries = u32(36);
            if (entries > MAX_L1_BYTES / Long.BYTES) {
                throw corrupt(36, "the L1 table has " + entries + " entries, at most 4194304 are allowed");
            }
            int shift = 2 * clusterBits - (extended ? 4 : 3);
            long needed = (size >>> shift) + ((size & ((1L << shift) - 1)) == 0 ? 0 : 1);
            if (entries < needed) {
                throw corrupt(
                        36, "the L1 table has " + entries + " entries, a disk of " + size + " bytes needs " + needed);
            }
            return (int) entries;
        }

        private int cryptMethod(HeaderExtensions extensions) throws DiskImageException {
            long method = u32(32);
            if (method > CRYPT_LUKS) {
                throw new UnsupportedFeatureException(
                        storage.name() + ": header at 32: unknown encryption method " + method);
            }
            if (method == CRYPT_LUKS && !extensions.hasCryptoHeader()) {
                throw corrupt(32, "LUKS encryption is announced, but the crypto header extension is missing");
            }
            return (int) method;
        }

        private long refcountTableClusters(long clusterSize) {
            long clusters = u32(56);
            if (clusters == 0 || clusters > MAX_REFCOUNT_TABLE_BYTES / clusterSize) {
                warnings.add(new Warning(
                        56,
                        storage.name() + ": header at 56: the refcount table is said to have " + clusters
                                + " clusters; reading does not need it, a check fails"));
            }
            return clusters;
        }

        private long alignedOffset(int at, String what, long clusterSize) throws CorruptImageException {
            long offset = fixed.getLong(at);
            if (offset < 0 || (offset & (clusterSize - 1)) != 0) {
                throw corrupt(
                        at,
                        "the " + what + " is said to be at " + Long.toUnsignedString(offset)
                                + ", which is not aligned to the cluster size " + clusterSize);
            }
            return offset;
        }

        private @Nullable String backingFile(long offset, long clusterSize, ByteBuffer cluster)
                throws CorruptImageException {
            long length = u32(16);
            if (offset == 0) {
                return null;
            }
            if (length > Math.min(MAX_BACKING_NAME, clusterSize - offset)) {
                throw corrupt(
                        16,
                        "the backing file name has " + length + " bytes at " + offset + ", at most "
                                + Math.min(MAX_BACKING_NAME, clusterSize - offset) + " are allowed there");
            }
            if (length == 0) {
                return null;
            }
            if (offset + length > cluster.limit()) {
                throw corrupt(8, "the backing file name lies beyond the end of the file: it is truncated");
            }
            return HeaderExtensions.fileName(storage.name(), "backing file name", cluster, (int) offset, (int) length);
        }

        private int compressionType(long incompatible, long headerLength, ByteBuffer cluster)
                throws DiskImageException {
            int type = headerLength > V3_LENGTH ? cluster.get(V3_LENGTH) & 0xff : COMPRESSION_DEFLATE;
            boolean announced = (incompatible & INCOMPAT_COMPRESSION) != 0;
            if (type > COMPRESSION_ZSTD) {
                throw new UnsupportedFeatureException(
                        storage.name() + ": header at 104: unknown compression type " + type);
            }
            if (announced != (type != COMPRESSION_DEFLATE)) {
                throw corrupt(
                        104,
                        "the compression type is " + type + ", but the incompatible feature bit 3 that goes with other"
                                + " types than 0 is " + (announced ? "set" : "not set"));
            }
            return type;
        }

        private long u32(int at) {
            return fixed.getInt(at) & 0xffff_ffffL;
        }

        private CorruptImageException corrupt(int at, String text) {
            return new CorruptImageException(storage.name() + ": header at " + at + ": " + text);
        }
    }

    private Qcow2Header withStateWarnings() {
        if (isDirty()) {
            warnings.add(
                    new Warning(
                            72,
                            "the image was not closed properly (dirty bit): its refcounts may be wrong, its data are readable"));
        }
        if (isCorrupt()) {
            warnings.add(new Warning(72, "the image is marked as corrupt: what is read may be wrong"));
        }
        return this;
    }

    /** Decodes UTF-8 strictly: a name that is no text cannot be the name of a file. */
    static String strictUtf8(ByteBuffer bytes) throws CharacterCodingException {
        return StandardCharsets.UTF_8.newDecoder().decode(bytes).toString();
    }
}
