package dev.platter.linux;

import dev.platter.core.DeviceCatalog;
import java.io.IOException;
import java.time.Duration;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/** How a device becomes one of the kernel's. Immutable; each method returns changed options. */
public final class BindOptions {
    private static final BindOptions READ_ONLY =
            new BindOptions(false, Via.AUTO, null, null, false, false, null, 2, null, false, error -> {});

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

    private BindOptions(
            boolean writable,
            Via via,
            @Nullable DeviceCatalog catalog,
            @Nullable String disk,
            boolean partitions,
            boolean volumes,
            @Nullable String tag,
            int threads,
            @Nullable Duration timeout,
            boolean autoclear,
            Consumer<? super IOException> onError) {
        this.writable = writable;
        this.via = via;
        this.catalog = catalog;
        this.disk = disk;
        this.partitions = partitions;
        this.volumes = volumes;
        this.tag = tag;
        this.threads = threads;
        this.timeout = timeout;
        this.autoclear = autoclear;
        this.onError = onError;
    }

    /** Returns options for a device that cannot be written to. */
    public static BindOptions readOnly() {
        return READ_ONLY;
    }

    /** Returns options for a device whose writes go to the image, which must have been opened for writing. */
    public static BindOptions writable() {
        return new BindOptions(true, Via.AUTO, null, null, false, false, null, 2, null, false, error -> {});
    }

    /** Returns these options with another way. */
    public BindOptions as(Via way) {
        return new BindOptions(
                writable, way, catalog, disk, partitions, volumes, tag, threads, timeout, autoclear, onError);
    }

    /** Returns these options with what an inspection found in the image, of which it is the first disk. */
    public BindOptions catalog(DeviceCatalog found) {
        return new BindOptions(
                writable, via, found, null, partitions, volumes, tag, threads, timeout, autoclear, onError);
    }

    /**
     * Returns these options with what an inspection found in the disks of a guest.
     *
     * @param name of the disk, or of the part of one, that is bound, in the catalog: {@code /dev/sdb}
     */
    public BindOptions catalog(DeviceCatalog found, String name) {
        return new BindOptions(
                writable, via, found, name, partitions, volumes, tag, threads, timeout, autoclear, onError);
    }

    /**
     * Returns these options with devices for the partitions; they need a catalog. Those that hold a physical volume or a
     * member of a RAID get none: this system would take them for its own.
     */
    public BindOptions partitions() {
        return new BindOptions(writable, via, catalog, disk, true, volumes, tag, threads, timeout, autoclear, onError);
    }

    /**
     * Returns these options with devices for the logical volumes; they need a catalog. They are {@code
     * /dev/mapper/platter-TAG-VG-LV} where the kernel has device-mapper, made of pieces of the disk's device, and so are the
     * partitions then; otherwise, and with {@link #autoclear}, loop devices.
     */
    public BindOptions volumes() {
        return new BindOptions(
                writable, via, catalog, disk, partitions, true, tag, threads, timeout, autoclear, onError);
    }

    /**
     * Returns these options with a name for the binding.
     *
     * @param name 1 to 63 letters, digits, dots, lines and underscores, the first a letter or a digit
     */
    public BindOptions tag(String name) {
        RunFolder.requireTag(name);
        return new BindOptions(
                writable, via, catalog, disk, partitions, volumes, name, threads, timeout, autoclear, onError);
    }

    /**
     * Returns these options with another number of threads that answer the kernel, for each device that this process serves;
     * 2 if not set.
     */
    public BindOptions threads(int count) {
        if (count < 1) {
            throw new IllegalArgumentException("count: " + count + " is less than 1");
        }
        return new BindOptions(
                writable, via, catalog, disk, partitions, volumes, tag, count, timeout, autoclear, onError);
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
        return new BindOptions(
                writable, via, catalog, disk, partitions, volumes, tag, threads, limit, autoclear, onError);
    }

    /**
     * Returns these options for devices that go away with the last who uses them, once {@link Binding#leave} was called. No
     * other process can take them away before. An nbd device stays nevertheless: close the binding when it is not {@link
     * Binding#isUsed() used} any more.
     */
    public BindOptions autoclear() {
        return new BindOptions(writable, via, catalog, disk, partitions, volumes, tag, threads, timeout, true, onError);
    }

    /**
     * Returns these options with somebody who is told why a request of the kernel failed, which itself only learns that it
     * did. Called by the threads that answer; what takes long there keeps the device waiting.
     */
    public BindOptions onError(Consumer<? super IOException> listener) {
        return new BindOptions(
                writable, via, catalog, disk, partitions, volumes, tag, threads, timeout, autoclear, listener);
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

    Consumer<? super IOException> onError() {
        return onError;
    }
}
