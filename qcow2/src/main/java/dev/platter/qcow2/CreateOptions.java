package dev.platter.qcow2;

import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** How a new image is made. Immutable; the defaults are those of {@code qemu-img create -f qcow2}. */
public final class CreateOptions {
    private static final int MAX_BACKING_NAME = 1023;

    private final long size;
    private final int version;
    private final int clusterSize;
    private final int refcountBits;
    private final boolean extendedL2;
    private final CompressionType compressionType;
    private final Preallocation preallocation;
    private final boolean lazyRefcounts;
    private final @Nullable String backingFile;
    private final @Nullable String backingFormat;
    private final @Nullable String dataFile;
    private final boolean dataFileRaw;
    private final boolean overwrite;

    /** How clusters are compressed. */
    public enum CompressionType {
        /** Raw deflate. */
        ZLIB,
        /** Zstandard. */
        ZSTD
    }

    /** What is allocated from the beginning. */
    public enum Preallocation {
        /** Nothing. */
        OFF,
        /** All tables; the clusters are holes of a sparse file. */
        METADATA,
        /** As {@link #FULL}: pure Java has no call that allocates without writing. */
        FALLOC,
        /** All tables and clusters, written with zeros. */
        FULL
    }

    private CreateOptions(Builder from) {
        size = from.size;
        version = from.version;
        clusterSize = from.clusterSize;
        refcountBits = from.refcountBits;
        extendedL2 = from.extendedL2;
        compressionType = from.compressionType;
        preallocation = from.preallocation;
        lazyRefcounts = from.lazyRefcounts;
        backingFile = from.backingFile;
        backingFormat = from.backingFormat;
        dataFile = from.dataFile;
        dataFileRaw = from.dataFileRaw;
        overwrite = from.overwrite;
    }

    /**
     * Returns a builder.
     *
     * @param size bytes of the guest's disk, 0 or more; rounded up to whole sectors of 512 bytes
     */
    public static Builder builder(long size) {
        return new Builder(size);
    }

    /** Returns a builder that begins with these options. */
    public Builder toBuilder() {
        return toBuilder(size);
    }

    /**
     * Returns a builder that begins with these options, but for another size.
     *
     * @param size bytes of the guest's disk, 0 or more; rounded up to whole sectors of 512 bytes
     */
    public Builder toBuilder(long size) {
        Builder builder = new Builder(size);
        builder.version = version;
        builder.clusterSize = clusterSize;
        builder.refcountBits = refcountBits;
        builder.extendedL2 = extendedL2;
        builder.compressionType = compressionType;
        builder.preallocation = preallocation;
        builder.lazyRefcounts = lazyRefcounts;
        builder.backingFile = backingFile;
        builder.backingFormat = backingFormat;
        builder.dataFile = dataFile;
        builder.dataFileRaw = dataFileRaw;
        builder.overwrite = overwrite;
        return builder;
    }

    /** Returns the bytes of the guest's disk. */
    public long size() {
        return size;
    }

    /** Returns the version of the format, 2 or 3. */
    public int version() {
        return version;
    }

    /** Returns the bytes of a cluster. */
    public int clusterSize() {
        return clusterSize;
    }

    /** Returns the bits of a refcount. */
    public int refcountBits() {
        return refcountBits;
    }

    /** Returns whether clusters have 32 subclusters. */
    public boolean extendedL2() {
        return extendedL2;
    }

    /** Returns how clusters will be compressed. */
    public CompressionType compressionType() {
        return compressionType;
    }

    /** Returns what is allocated from the beginning. */
    public Preallocation preallocation() {
        return preallocation;
    }

    /** Returns whether writers may leave refcounts out of date until the image is closed. */
    public boolean lazyRefcounts() {
        return lazyRefcounts;
    }

    /** Returns the name of the backing file, or null. */
    public @Nullable String backingFile() {
        return backingFile;
    }

    /** Returns the format of the backing file, or null if there is none. */
    public @Nullable String backingFormat() {
        return backingFormat;
    }

    /** Returns the name of the external data file, or null. */
    public @Nullable String dataFile() {
        return dataFile;
    }

    /** Returns whether the external data file is the disk as a raw image. */
    public boolean dataFileRaw() {
        return dataFileRaw;
    }

    /** Returns whether a file of that name may be replaced. */
    public boolean overwrite() {
        return overwrite;
    }

    /** Builds {@link CreateOptions}. Not safe for several threads. */
    public static final class Builder {
        private final long size;
        private int version = 3;
        private int clusterSize = 64 << 10;
        private int refcountBits = 16;
        private boolean extendedL2;
        private CompressionType compressionType = CompressionType.ZLIB;
        private Preallocation preallocation = Preallocation.OFF;
        private boolean lazyRefcounts;
        private @Nullable String backingFile;
        private @Nullable String backingFormat;
        private @Nullable String dataFile;
        private boolean dataFileRaw;
        private boolean overwrite;

        private Builder(long size) {
            this.size = wholeSectors(size);
        }

        /** Sets the version of the format: 3, or 2, which qemu before 1.1 reads ("compat=0.10"). */
        public Builder version(int number) {
            version = requireVersion(number);
            return this;
        }

        /** Sets the bytes of a cluster: a power of two from 512 to 2 MiB. */
        public Builder clusterSize(int bytes) {
            require(
                    Integer.bitCount(bytes) == 1 && bytes >= 512 && bytes <= 2 << 20,
                    "bytes",
                    bytes,
                    "no power of two from 512 to 2097152");
            clusterSize = bytes;
            return this;
        }

        /** Sets the bits of a refcount: a power of two from 1 to 64. */
        public Builder refcountBits(int bits) {
            refcountBits = requireRefcountBits(bits);
            return this;
        }

        /** Sets whether clusters, of 16 KiB and more, have 32 subclusters, which are allocated one by one. */
        public Builder extendedL2(boolean extended) {
            extendedL2 = extended;
            return this;
        }

        /** Sets how clusters will be compressed. */
        public Builder compressionType(CompressionType type) {
            compressionType = type;
            return this;
        }

        /** Sets what is allocated from the beginning. */
        public Builder preallocation(Preallocation what) {
            preallocation = what;
            return this;
        }

        /** Sets whether writers may leave refcounts out of date until the image is closed. Platter never does. */
        public Builder lazyRefcounts(boolean lazy) {
            lazyRefcounts = lazy;
            return this;
        }

        /**
         * Sets what lies below. The file is not opened.
         *
         * @param name as it is stored: relative names are relative to the folder of the image
         * @param format {@code raw}, {@code qcow2}
         */
        public Builder backing(String name, String format) {
            int length = name.getBytes(StandardCharsets.UTF_8).length;
            require(length > 0 && length <= MAX_BACKING_NAME, "name", length, "bytes long; allowed are 1 to 1023");
            backingFile = name;
            backingFormat = format;
            return this;
        }

        /**
         * Sets that the guest's bytes lie in another file, which is made too.
         *
         * @param name as it is stored: relative names are relative to the folder of the image
         * @param raw whether that file is the disk as a raw image at all times
         */
        public Builder dataFile(String name, boolean raw) {
            dataFile = name;
            dataFileRaw = raw;
            return this;
        }

        /** Sets whether a file of that name may be replaced. */
        public Builder overwrite(boolean allowed) {
            overwrite = allowed;
            return this;
        }

        /**
         * Returns the options.
         *
         * @throws IllegalArgumentException if they contradict each other
         */
        public CreateOptions build() {
            String problem = null;
            if (version == 2
                    && (refcountBits != 16
                            || extendedL2
                            || lazyRefcounts
                            || dataFile != null
                            || compressionType != CompressionType.ZLIB)) {
                problem =
                        "refcounts of other than 16 bits, extended L2 entries, lazy refcounts, an external data file and"
                                + " zstd need version 3 of the format (compat=1.1)";
            } else if (extendedL2 && clusterSize < 16 << 10) {
                problem = "extended L2 entries need clusters of 16 KiB or more";
            } else if (dataFileRaw && backingFile != null) {
                problem = "a backing file and a raw external data file exclude each other";
            } else if (preallocation != Preallocation.OFF && backingFile != null) {
                problem =
                        "an image with a backing file cannot be preallocated: its clusters would hide what lies below";
            }
            if (problem != null) {
                throw new IllegalArgumentException(problem);
            }
            return new CreateOptions(this);
        }
    }

    static int requireVersion(int number) {
        require(number == 2 || number == 3, "version", number, "neither 2 nor 3");
        return number;
    }

    static int requireRefcountBits(int bits) {
        require(Integer.bitCount(bits) == 1 && bits >= 1 && bits <= 64, "bits", bits, "no power of two from 1 to 64");
        return bits;
    }

    /** Rounds the size of a disk up to whole sectors of 512 bytes. */
    static long wholeSectors(long size) {
        require(size >= 0 && size <= Long.MAX_VALUE - 511, "size", size, "not from 0 to 2^63-512");
        return size + 511 & -512L;
    }

    static void require(boolean valid, String what, long value, String but) {
        if (!valid) {
            throw new IllegalArgumentException(what + ": " + value + " is " + but);
        }
    }
}
