package dev.platter.linux;

import dev.platter.core.DeviceCatalog;
import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a device becomes one of the kernel's. Immutable; each method returns changed options. */
public final class BindOptions {
    private static final BindOptions READ_ONLY = new BindOptions(new Draft());

    private final boolean writable;
    private final Via via;
    private final @Nullable DeviceCatalog catalog;
    private final @Nullable String disk;
    private final boolean partitions;
    private final boolean volumes;
    private final @Nullable String tag;
    private final int threads;
    private final @Nullable Duration timeout;
    private final boolean autoclear;
    private final boolean duplicates;
    private final Consumer<? super IOException> onError;

    /** The ways from a device to one of the kernel's. */
    public enum Via {
        /** A loop device directly on the file of a raw image; whatever serves for others. */
        AUTO,
        /** A loop device directly on the file; for raw images only. */
        LOOP,
        /** A network block device that this process serves. */
        NBD,
        /** A file that this process serves, and a loop device on it. */
        FUSE
    }

    private BindOptions(Draft draft) {
        this.writable = draft.writable;
        this.via = draft.via;
        this.catalog = draft.catalog;
        this.disk = draft.disk;
        this.partitions = draft.partitions;
        this.volumes = draft.volumes;
        this.tag = draft.tag;
        this.threads = draft.threads;
        this.timeout = draft.timeout;
        this.autoclear = draft.autoclear;
        this.duplicates = draft.duplicates;
        this.onError = draft.onError;
    }

    /** Returns options for a device that cannot be written to. */
    public static BindOptions readOnly() {
        return READ_ONLY;
    }

    /** Returns options for a device whose writes go to the image, which must have been opened for writing. */
    public static BindOptions writable() {
        return READ_ONLY.with(draft -> draft.writable = true);
    }

    /** Returns these options with another way. */
    public BindOptions as(Via way) {
        return with(draft -> draft.via = way);
    }

    /** Returns these options with what an inspection found in the image, of which it is the first disk. */
    public BindOptions catalog(DeviceCatalog found) {
        return with(draft -> {
            draft.catalog = found;
            draft.disk = null;
        });
    }

    /**
     * Returns these options with what an inspection found in the disks of a guest.
     *
     * @param name of the disk, or of the part of one, that is bound, in the catalog: {@code /dev/sdb}
     */
    public BindOptions catalog(DeviceCatalog found, String name) {
        return with(draft -> {
            draft.catalog = found;
            draft.disk = name;
        });
    }

    /**
     * Returns these options with devices for the partitions; they need a catalog. Those that hold a physical volume or a
     * member of a RAID get none: this system would take them for its own.
     */
    public BindOptions partitions() {
        return with(draft -> draft.partitions = true);
    }

    /**
     * Returns these options with devices for the logical volumes; they need a catalog. They are {@code
     * /dev/mapper/platter-TAG-VG-LV} where the kernel has device-mapper, made of pieces of the disk's device, and so are the
     * partitions then; otherwise, and with {@link #autoclear}, loop devices.
     */
    public BindOptions volumes() {
        return with(draft -> draft.volumes = true);
    }

    /**
     * Returns these options with a name for the binding.
     *
     * @param name 1 to 63 letters, digits, dots, lines and underscores, the first a letter or a digit
     */
    public BindOptions tag(String name) {
        RunFolder.requireTag(name);
        return with(draft -> draft.tag = name);
    }

    /**
     * Returns these options with another number of threads that answer the kernel, for each device that this process serves;
     * 2 if not set.
     */
    public BindOptions threads(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("count: " + count + " is less than 1");
        }
        return with(draft -> draft.threads = count);
    }

    /**
     * Returns these options with a limit of time after which a device that this process does not serve any more fails instead
     * of waiting for ever. A small process watches for each device then.
     *
     * @param limit 1 second or more; longer than the longest single request and the longest pause of this process
     */
    public BindOptions timeout(Duration limit) {
        if (limit.compareTo(Duration.ofSeconds(1)) < 0) {
            throw new IllegalArgumentException("limit: " + limit + " is less than 1 second");
        }
        return with(draft -> draft.timeout = limit);
    }

    /**
     * Returns these options for devices that go away with the last who uses them, once {@link Binding#leave} was called. No
     * other process can take them away before. An nbd device stays nevertheless: close the binding when it is not {@link
     * Binding#isUsed() used} any more.
     */
    public BindOptions autoclear() {
        return with(draft -> draft.autoclear = true);
    }

    /**
     * Returns these options for file systems that may be written to although this system has one of the same UUID or label:
     * an image of the same template, say. Not for btrfs, of which two with one UUID damage each other.
     */
    public BindOptions allowDuplicates() {
        return with(draft -> draft.duplicates = true);
    }

    /**
     * Returns these options with somebody who is told why a request of the kernel failed, which itself only learns that it
     * did. Called by the threads that answer; what takes long there keeps the device waiting.
     */
    public BindOptions onError(Consumer<? super IOException> listener) {
        return with(draft -> draft.onError = listener);
    }

    boolean isWritable() {
        return writable;
    }

    Via via() {
        return via;
    }

    @Nullable
    DeviceCatalog catalog() {
        return catalog;
    }

    /** Returns the name of the disk in the catalog; null for the first one. */
    @Nullable
    String disk() {
        return disk;
    }

    boolean wantsPartitions() {
        return partitions;
    }

    boolean wantsVolumes() {
        return volumes;
    }

    @Nullable
    String tag() {
        return tag;
    }

    int threads() {
        return threads;
    }

    @Nullable
    Duration timeout() {
        return timeout;
    }

    boolean isAutoclear() {
        return autoclear;
    }

    boolean allowsDuplicates() {
        return duplicates;
    }

    Consumer<? super IOException> onError() {
        return onError;
    }

    /** Options that are being changed, by the one thread that changes them. */
    private static final class Draft {
        private boolean writable;
        private Via via = Via.AUTO;
        private @Nullable DeviceCatalog catalog;
        private @Nullable String disk;
        private boolean partitions;
        private boolean volumes;
        private @Nullable String tag;
        private int threads = 2;
        private @Nullable Duration timeout;
        private boolean autoclear;
        private boolean duplicates;
        private Consumer<? super IOException> onError = error -> {};
    }

    private BindOptions with(Consumer<Draft> change) {
        Draft draft = new Draft();
        draft.writable = writable;
        draft.via = via;
        draft.catalog = catalog;
        draft.disk = disk;
        draft.partitions = partitions;
        draft.volumes = volumes;
        draft.tag = tag;
        draft.threads = threads;
        draft.timeout = timeout;
        draft.autoclear = autoclear;
        draft.duplicates = duplicates;
        draft.onError = onError;
        change.accept(draft);
        return new BindOptions(draft);
    }
}
