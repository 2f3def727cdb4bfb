package dev.platter.qcow2;

import org.jspecify.annotations.Nullable;

/** What is to change in an image that is there. Immutable; what is not set stays as it is. */
public final class AmendOptions {
    private final @Nullable Integer version;
    private final @Nullable Integer refcountBits;
    private final @Nullable Boolean lazyRefcounts;
    private final @Nullable Boolean dataFileRaw;
    private final @Nullable String dataFile;
    private final @Nullable Long size;

    private AmendOptions(Builder from) {
        version = from.version;
        refcountBits = from.refcountBits;
        lazyRefcounts = from.lazyRefcounts;
        dataFileRaw = from.dataFileRaw;
        dataFile = from.dataFile;
        size = from.size;
    }

    /** Returns a builder that changes nothing yet. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns the version of the format, 2 or 3, or null to keep it. */
    public @Nullable Integer version() {
        return version;
    }

    /** Returns the bits of a refcount, or null to keep them. */
    public @Nullable Integer refcountBits() {
        return refcountBits;
    }

    /** Returns whether writers may leave refcounts out of date until the image is closed, or null to keep that. */
    public @Nullable Boolean lazyRefcounts() {
        return lazyRefcounts;
    }

    /** Returns whether the external data file is the disk as a raw image, or null to keep that. */
    public @Nullable Boolean dataFileRaw() {
        return dataFileRaw;
    }

    /** Returns the name of the external data file, or null to keep it. */
    public @Nullable String dataFile() {
        return dataFile;
    }

    /** Returns the bytes of the guest's disk, or null to keep them. */
    public @Nullable Long size() {
        return size;
    }

    /** Builds {@link AmendOptions}. Not safe for several threads. */
    public static final class Builder {
        private @Nullable Integer version;
        private @Nullable Integer refcountBits;
        private @Nullable Boolean lazyRefcounts;
        private @Nullable Boolean dataFileRaw;
        private @Nullable String dataFile;
        private @Nullable Long size;

        private Builder() {}

        /** Sets the version of the format: 3, or 2, which qemu before 1.1 reads ("compat=0.10"). */
        public Builder version(int number) {
            version = CreateOptions.requireVersion(number);
            return this;
        }

        /** Sets the bits of a refcount: a power of two from 1 to 64; 16 in version 2. */
        public Builder refcountBits(int bits) {
            refcountBits = CreateOptions.requireRefcountBits(bits);
            return this;
        }

        /** Sets whether writers may leave refcounts out of date until the image is closed. Platter never does. */
        public Builder lazyRefcounts(boolean lazy) {
            lazyRefcounts = lazy;
            return this;
        }

        /**
         * Sets whether the external data file is the disk as a raw image at all times. It can be given up, not begun: the
         * file of an image that is there may lack zeros that only the image knows of.
         */
        public Builder dataFileRaw(boolean raw) {
            dataFileRaw = raw;
            return this;
        }

        /**
         * Sets the name of the external data file of an image that has one, for instance because it was moved.
         *
         * @param name as it is stored: relative names are relative to the folder of the image; not opened
         */
        public Builder dataFile(String name) {
            if (name.isEmpty()) {
                throw new IllegalArgumentException("name: is empty");
            }
            dataFile = name;
            return this;
        }

        /**
         * Sets the size of the guest's disk, which may not shrink; see {@link Qcow2#resize}.
         *
         * @param bytes rounded up to whole sectors of 512 bytes
         */
        public Builder size(long bytes) {
            size = CreateOptions.wholeSectors(bytes);
            return this;
        }

        /** Returns the options. */
        public AmendOptions build() {
            return new AmendOptions(this);
        }
    }
}
