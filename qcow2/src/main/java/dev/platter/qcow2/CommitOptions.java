package dev.platter.qcow2;

import dev.platter.core.Copier;
import org.jspecify.annotations.Nullable;

/** How an overlay is committed. Immutable; the defaults are those of {@code qemu-img commit}. */
public final class CommitOptions {
    private final @Nullable String base;
    private final boolean keepOverlay;
    private final Copier.Progress progress;

    private CommitOptions(Builder from) {
        base = from.base;
        keepOverlay = from.keepOverlay || from.base != null;
        progress = from.progress;
    }

    /** Returns a builder that begins with the defaults. */
    public static Builder builder() {
        return new Builder();
    }

    /** Returns the image of the chain that is written to, or null for the one right below the overlay. */
    public @Nullable String base() {
        return base;
    }

    /** Returns whether the overlay stays as it is. */
    public boolean keepOverlay() {
        return keepOverlay;
    }

    /** Returns what watches the commit. */
    public Copier.Progress progress() {
        return progress;
    }

    /** Builds {@link CommitOptions}. Not safe for several threads. */
    public static final class Builder {
        private @Nullable String base;
        private boolean keepOverlay;
        private Copier.Progress progress = (done, total) -> true;

        private Builder() {}

        /**
         * Sets which image of the chain is written to. The images between it and the overlay make no sense afterwards, and
         * the overlay stays as it is.
         *
         * @param name as the image above it stores it, or its path
         */
        public Builder base(String name) {
            base = name;
            return this;
        }

        /** Sets whether the overlay stays as it is, because it is to be deleted anyway; else it is emptied. */
        public Builder keepOverlay(boolean keep) {
            keepOverlay = keep;
            return this;
        }

        /** Sets what watches the commit, and can stop it: then what the guest sees is as it was. */
        public Builder onProgress(Copier.Progress listener) {
            progress = listener;
            return this;
        }

        /** Returns the options. */
        public CommitOptions build() {
            return new CommitOptions(this);
        }
    }
}
