package dev.platter.core;

import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * How an image is opened. Immutable; the defaults read, probe the format of the image itself, and open nothing that the
 * image names.
 */
public final class OpenOptions {
    private static final OpenOptions DEFAULTS = new OpenOptions(new Builder());

    private final @Nullable String format;
    private final boolean writable;
    private final boolean flushes;
    private final ReferencePolicy references;
    private final boolean probeBackingFormat;
    private final Limits limits;
    private final int cacheBytes;
    private final int sectorSize;
    private final TruncatedFile truncatedFile;
    private final Consumer<? super Warning> onWarning;

    private OpenOptions(Builder from) {
        format = from.format;
        writable = from.writable;
        flushes = from.flushes;
        references = from.references;
        probeBackingFormat = from.probeBackingFormat;
        limits = from.limits;
        cacheBytes = from.cacheBytes;
        sectorSize = from.sectorSize;
        truncatedFile = from.truncatedFile;
        onWarning = from.onWarning;
    }

    /** Returns the defaults. */
    public static OpenOptions defaults() {
        return DEFAULTS;
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns a builder that begins with these options. */
    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.format = format;
        builder.writable = writable;
        builder.flushes = flushes;
        builder.references = references;
        builder.probeBackingFormat = probeBackingFormat;
        builder.limits = limits;
        builder.cacheBytes = cacheBytes;
        builder.sectorSize = sectorSize;
        builder.truncatedFile = truncatedFile;
        builder.onWarning = onWarning;
        return builder;
    }

    /** Returns the stated format, or null to probe. What is stated to be {@code raw} is never probed. */
    public @Nullable String format() {
        return format;
    }

    /** Returns whether writes are to be allowed. */
    public boolean writable() {
        return writable;
    }

    /** Returns whether a flush waits for the medium. */
    public boolean flushes() {
        return flushes;
    }

    /** Returns what may be opened of the files and addresses that the image names. */
    public ReferencePolicy references() {
        return references;
    }

    /** Returns whether the format of a backing file may be probed where the image does not state it. */
    public boolean probeBackingFormat() {
        return probeBackingFormat;
    }

    /** Returns the limits. */
    public Limits limits() {
        return limits;
    }

    /**
     * Returns the bytes that caches of the image and its whole backing chain may take together. Pages of L1 tables
     * come on top, with an eighth of it at most; so does each image below the fifth of a chain, with up to 640 KiB.
     */
    public int cacheBytes() {
        return cacheBytes;
    }

    /** Returns the logical sector size of the disk in bytes, or 0 to find out. */
    public int sectorSize() {
        return sectorSize;
    }

    /** Returns how to treat what lies behind the end of a truncated file. */
    public TruncatedFile truncatedFile() {
        return truncatedFile;
    }

    /** Returns what takes the warnings; it may be called by any thread that reads. */
    public Consumer<? super Warning> onWarning() {
        return onWarning;
    }

    /** What reads behind the end of a file that ends too early. */
    public enum TruncatedFile {
        /** They fail and say that the image is truncated. */
        REFUSE,
        /** They give zeros, with a warning. */
        ZEROS
    }

    /** Builds {@link OpenOptions}. Not safe for several threads. */
    public static final class Builder {
        private @Nullable String format;
        private boolean writable;
        private boolean flushes = true;
        private ReferencePolicy references = ReferencePolicy.none();
        private boolean probeBackingFormat;
        private Limits limits = Limits.defaults();
        private int cacheBytes = 16 << 20;
        private int sectorSize;
        private TruncatedFile truncatedFile = TruncatedFile.REFUSE;
        private Consumer<? super Warning> onWarning = warning -> {};

        private Builder() {}

        /** Sets the format of the image, {@code raw} or {@code qcow2}; null probes. */
        public Builder format(@Nullable String name) {
            format = name;
            return this;
        }

        /** Sets whether writes are to be allowed. */
        public Builder writable(boolean allowed) {
            writable = allowed;
            return this;
        }

        /**
         * Sets whether a flush waits until what was written is on the medium; true if not set. False is for a new image that
         * is worth nothing until it is whole, and can be made again (qemu's {@code cache=unsafe}): the system decides when it
         * reaches the medium, and a loss of power can leave any part of it. Concerns the image, not those below it.
         */
        public Builder flushes(boolean wait) {
            flushes = wait;
            return this;
        }

        /** Sets what may be opened of the files and addresses that the image names. */
        public Builder references(ReferencePolicy policy) {
            references = policy;
            return this;
        }

        /** Sets whether the format of a backing file may be probed where the image does not state it. */
        public Builder probeBackingFormat(boolean allowed) {
            probeBackingFormat = allowed;
            return this;
        }

        /** Sets the limits. */
        public Builder limits(Limits values) {
            limits = values;
            return this;
        }

        /**
         * Sets the bytes that caches of the image and its backing chain may take together; 16 MiB if not set. Pages of
         * L1 tables come on top, with an eighth of it at most; so does each image below the fifth of a chain, with up to
         * 640 KiB.
         *
         * @param bytes at least 1 MiB; a power of two is used best
         */
        public Builder cacheBytes(int bytes) {
            if (bytes < 1 << 20) {
                throw new IllegalArgumentException("bytes: " + bytes + " is less than 1 MiB");
            }
            cacheBytes = bytes;
            return this;
        }

        /**
         * Sets the logical sector size of the disk.
         *
         * @param bytes 512 or 4096, or 0 to find out
         */
        public Builder sectorSize(int bytes) {
            if (bytes != 0 && bytes != 512 && bytes != 4096) {
                throw new IllegalArgumentException("bytes: " + bytes + " is neither 512 nor 4096");
            }
            sectorSize = bytes;
            return this;
        }

        /** Sets how to treat what lies behind the end of a truncated file. */
        public Builder truncatedFile(TruncatedFile treatment) {
            truncatedFile = treatment;
            return this;
        }

        /** Sets what takes warnings found while reading; it may be called by any thread that reads. */
        public Builder onWarning(Consumer<? super Warning> consumer) {
            onWarning = consumer;
            return this;
        }

        /** Returns the options. */
        public OpenOptions build() {
            return new OpenOptions(this);
        }
    }
}
