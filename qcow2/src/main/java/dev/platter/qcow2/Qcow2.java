package dev.platter.qcow2;

import static java.util.Objects.requireNonNull;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.Copier;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.ImageInfo;
import dev.platter.core.OpenOptions;
import dev.platter.core.Printable;
import dev.platter.core.ReferencePolicy;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What can be done with qcow2 images as files. */
public final class Qcow2 {

    private Qcow2() {}

    /**
     * Makes an image, durably. Open it with {@link dev.platter.core.DiskImages}.
     *
     * @param file the new file
     * @throws java.nio.file.FileAlreadyExistsException if there is such a file, and it may not be replaced, or if there is
     *     its external data file
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if clusters of that size cannot map a disk of that size
     */
    public static void create(Path file, CreateOptions options) throws IOException {
        NewImage image = new NewImage(options);
        image.requirePossible(String.valueOf(file.getFileName()));
        boolean existed = options.overwrite() && Files.exists(file);
        if (!existed) {
            Files.newByteChannel(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)
                    .close();
        }
        boolean done = false;
        try {
            try (Storage storage = Storages.open(file, true)) {
                image.write(storage);
            }
            if (options.dataFile() != null) {
                createDataFile(file.resolveSibling(options.dataFile()), options);
            }
            if (options.preallocation() != CreateOptions.Preallocation.OFF) {
                preallocate(file, options);
            }
            if (!existed) {
                Storages.syncFolder(file);
            }
            done = true;
        } finally {
            if (!done && !existed) {
                Files.deleteIfExists(file);
            }
        }
    }

    /** A data file is never one that is there: it could be anybody's disk. */
    private static void createDataFile(Path file, CreateOptions options) throws IOException {
        Files.newByteChannel(file, StandardOpenOption.WRITE, StandardOpenOption.CREATE_NEW)
                .close();
        boolean done = false;
        try (Storage storage = Storages.open(file, true)) {
            storage.setSize(options.size());
            storage.flush();
            Storages.syncFolder(file);
            done = true;
        } finally {
            if (!done) {
                Files.deleteIfExists(file);
            }
        }
    }

    private static void preallocate(Path file, CreateOptions options) throws IOException {
        OpenOptions open = OpenOptions.builder()
                .format("qcow2")
                .writable(true)
                .references(ReferencePolicy.all())
                .build();
        try (DiskImage image = DiskImages.open(file, open)) {
            ((Qcow2Image) image).preallocate(0, options.preallocation() != CreateOptions.Preallocation.METADATA);
        }
    }

    /** What a repair may change. */
    public enum Repair {
        /** Only clusters that nobody uses are freed. */
        LEAKS,
        /** Wrong refcounts are made anew, and the marks "dirty" and "corrupt" are taken away. */
        ALL
    }

    /**
     * What a repair did.
     *
     * @param before what was wrong
     * @param after what is wrong still; the same object if nothing had to be repaired
     */
    public record Repaired(CheckReport before, CheckReport after) {}

    /**
     * Repairs an image that nobody else uses, also one that cannot be opened for writing. References that lead nowhere stay
     * as they are, and where nothing is wrong, nothing is written.
     *
     * @return what is wrong still
     * @throws dev.platter.core.DiskImageException if it is so damaged that it cannot be repaired
     */
    public static CheckReport repair(Path file, OpenOptions options, Repair what) throws IOException {
        return repair(file, options, what, new CheckListener() {}).after();
    }

    /**
     * Repairs an image, as {@link #repair(Path, OpenOptions, Repair)}.
     *
     * @param listener told what is wrong still
     */
    public static Repaired repair(Path file, OpenOptions options, Repair what, CheckListener listener)
            throws IOException {
        try (Storage storage = Storages.open(file, true)) {
            return repair(storage, options, what, listener);
        }
    }

    static CheckReport repair(Storage storage, OpenOptions options, Repair what) throws IOException {
        return repair(storage, options, what, new CheckListener() {}).after();
    }

    private static Repaired repair(Storage storage, OpenOptions options, Repair what, CheckListener listener)
            throws IOException {
        Qcow2Header header = Qcow2Header.read(storage);
        HostFile file = new HostFile(storage, header.clusterSize(), options);
        List<Snapshot> snapshots = Snapshot.readTable(header, file, options.limits());
        List<Bitmap> bitmaps = Qcow2Check.readBitmaps(List.of(), header, file, options.limits());
        Qcow2Repair repair = new Qcow2Repair(header, file);
        CheckReport before = what == Repair.ALL
                ? repair.all(snapshots, bitmaps, options.limits())
                : repair.leaks(snapshots, bitmaps, options.limits());
        if (before.corruptions() == 0 && before.leaks() == 0 && before.checkErrors() == 0) {
            return new Repaired(before, before);
        }
        Qcow2Header now = Qcow2Header.read(storage);
        return new Repaired(before, new Qcow2Check(now, file, snapshots, bitmaps, options.limits(), listener).run());
    }

    /**
     * Applies an internal snapshot of any disk size.
     *
     * @param idOrName looked up as an id first, then as a name
     */
    public static void applySnapshot(Path file, OpenOptions options, String idOrName) throws IOException {
        OpenOptions writable =
                options.toBuilder().format("qcow2").writable(true).build();
        try (DiskImage image = DiskImages.open(file, writable)) {
            ((Qcow2Image) image).applyAndClose(idOrName);
        }
    }

    /**
     * Gives the disk of an image another size, with zeros where it grows.
     *
     * @param size bytes, a multiple of 512
     * @param shrink whether bytes may be lost
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if the disk would shrink and may not, or if this image cannot
     *     be resized
     */
    public static void resize(Path file, OpenOptions options, long size, boolean shrink) throws IOException {
        OpenOptions writable =
                options.toBuilder().format("qcow2").writable(true).build();
        try (DiskImage image = DiskImages.open(file, writable)) {
            resize(image, size, shrink);
        }
    }

    /**
     * Gives the disk of an image a larger size, with zeros of which some are allocated already.
     *
     * @param size bytes, a multiple of 512
     * @param preallocation what is allocated of the new part
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if the disk would shrink, or if this image cannot be resized
     */
    public static void grow(Path file, OpenOptions options, long size, CreateOptions.Preallocation preallocation)
            throws IOException {
        OpenOptions writable =
                options.toBuilder().format("qcow2").writable(true).build();
        long before;
        try (DiskImage image = DiskImages.open(file, writable)) {
            before = image.size();
            resize(image, size, false);
        }
        if (preallocation != CreateOptions.Preallocation.OFF) {
            try (DiskImage image = DiskImages.open(file, writable)) {
                ((Qcow2Image) image).preallocate(before, preallocation != CreateOptions.Preallocation.METADATA);
            }
        }
    }

    static void resize(DiskImage image, long size, boolean shrink) throws IOException {
        if (size < 0 || size % 512 != 0) {
            throw new IllegalArgumentException("size: " + size + " is no multiple of 512");
        }
        if (size < image.size() && !shrink) {
            throw new BlockIOException(
                    BlockIOException.Kind.NOT_SUPPORTED,
                    image.description() + ": a disk of " + size + " bytes would be smaller than it is (" + image.size()
                            + "), and its end would be lost; --shrink allows it",
                    null);
        }
        ((Qcow2Image) image).resizeAndClose(size);
    }

    /**
     * Writes what an image holds itself into its backing file, which grows if it is smaller, and empties the image. Both
     * are whole after the power went at any moment, and what the guest sees is the same.
     *
     * @throws dev.platter.core.DiskImageException if there is no backing file, or it may not be opened
     */
    public static void commit(Path file, OpenOptions options) throws IOException {
        commit(file, options, CommitOptions.builder().build());
    }

    /**
     * Writes what an image, and images between, hold themselves into an image below, which grows if it is smaller.
     *
     * @throws dev.platter.core.DiskImageException if there is no such image in the chain, or it may not be opened
     * @throws java.util.concurrent.CancellationException if the listener asked to stop; what the guest sees is as it was
     */
    public static void commit(Path file, OpenOptions options, CommitOptions how) throws IOException {
        commit(file, options, how, Storages::open);
    }

    /** Opens files, as {@link Storages#open(Path, boolean)} does. */
    interface Opener {
        /** Opens one. */
        Storage open(Path file, boolean writable) throws IOException;

        /** Opens an image. */
        default DiskImage image(Path file, OpenOptions options) throws IOException {
            return DiskImages.open(open(file, options.writable()), options);
        }
    }

    static void commit(Path file, OpenOptions options, CommitOptions how, Opener opener) throws IOException {
        OpenOptions reading =
                options.toBuilder().format("qcow2").writable(false).build();
        try (DiskImage overlay = opener.image(file, reading)) {
            DiskImage above = overlay;
            DiskImage below = requireBacking(overlay);
            int layers = 1;
            String base = how.base();
            while (base != null && !isNamed(above.info(), file, base)) {
                above = below;
                below = above.backing();
                layers++;
                if (below == null) {
                    throw new DiskImageException(
                            overlay.description() + ": there is no " + Printable.quote(base) + " in its backing chain");
                }
            }
            String name = String.valueOf(above.info().fullBackingFilename());
            OpenOptions writing = options.toBuilder()
                    .format(below.info().format())
                    .writable(true)
                    .build();
            if (below.size() < overlay.size()) {
                grow(Path.of(name), writing, opener, overlay.size());
            }
            try (DiskImage target = opener.image(Path.of(name), writing)) {
                Chain.commit(overlay, target, layers, how.progress());
            }
        }
        if (how.keepOverlay()) {
            return;
        }
        try (DiskImage overlay =
                opener.image(file, reading.toBuilder().writable(true).build())) {
            ((Qcow2Image) overlay).makeEmpty();
        }
    }

    /** Returns whether the image below goes by a name: the one that is stored, or a path to it. */
    private static boolean isNamed(ImageInfo above, Path top, String name) {
        String full = above.fullBackingFilename();
        if (name.equals(above.backingFilename()) || name.equals(full)) {
            return true;
        }
        if (full == null) {
            return false;
        }
        try {
            Path path = Path.of(full).toAbsolutePath().normalize();
            return path.equals(Path.of(name).toAbsolutePath().normalize())
                    || path.equals(top.toAbsolutePath().resolveSibling(name).normalize());
        } catch (InvalidPathException e) {
            return false;
        }
    }

    private static DiskImage requireBacking(DiskImage overlay) throws DiskImageException {
        if (!overlay.problems().isEmpty()) {
            throw Problems.copy(overlay.problems().get(0));
        }
        DiskImage below = overlay.backing();
        if (below == null) {
            throw new DiskImageException(overlay.description() + ": there is no backing file");
        }
        return below;
    }

    private static void grow(Path file, OpenOptions options, Opener opener, long size) throws IOException {
        if ("qcow2".equals(options.format())) {
            try (DiskImage image = opener.image(file, options)) {
                resize(image, size, false);
            }
            return;
        }
        try (Storage storage = opener.open(file, true)) {
            storage.setSize(size);
            storage.flush();
        }
    }

    /**
     * Adds the bitmaps of an image to those of another one of the same size. Those that are in use are left out.
     *
     * @throws dev.platter.core.DiskImageException if the disks are not of the same size
     */
    public static void copyBitmaps(DiskImage from, Qcow2Disk to) throws IOException {
        for (BitmapInfo bitmap : from.bitmaps()) {
            if (!bitmap.inUse()) {
                to.addBitmap(bitmap.name(), bitmap.granularity(), bitmap.auto());
                to.mergeBitmap(bitmap.name(), from, bitmap.name());
            }
        }
    }

    /**
     * Gives an image another backing file. What the guest sees stays the same: where the new one holds other bytes, the
     * image gets the old ones.
     *
     * @param name the new backing file, as it is stored: relative names are relative to the folder of the image; null for
     *     none
     * @param format its format, {@code raw} or {@code qcow2}; null if there is none
     * @throws dev.platter.core.DiskImageException if the new one is the image itself or has it below it, or if an image
     *     is damaged
     */
    public static void rebase(Path file, OpenOptions options, @Nullable String name, @Nullable String format)
            throws IOException {
        rebase(file, options, name, format, (done, total) -> true);
    }

    /**
     * Gives an image another backing file, as {@link #rebase(Path, OpenOptions, String, String)}.
     *
     * @param progress watches it, and can stop it: then what the guest sees is as it was
     * @throws java.util.concurrent.CancellationException if the listener asked to stop
     */
    public static void rebase(
            Path file, OpenOptions options, @Nullable String name, @Nullable String format, Copier.Progress progress)
            throws IOException {
        OpenOptions writing = options.toBuilder().format("qcow2").writable(true).build();
        try (DiskImage overlay = DiskImages.open(file, writing)) {
            int clusterSize = Math.toIntExact(requireNonNull(overlay.info().clusterSize()));
            if (name == null) {
                Chain.keepContents(
                        overlay, BlockDevices.ofBytes("nothing", ByteBuffer.allocate(0)), clusterSize, progress);
            } else {
                OpenOptions reading =
                        options.toBuilder().format(format).writable(false).build();
                try (DiskImage below = DiskImages.open(file.toAbsolutePath().resolveSibling(name), reading)) {
                    Chain.requireWithout(file, below);
                    Chain.keepContents(overlay, below, clusterSize, progress);
                }
            }
        }
        rebaseUnsafely(file, name, format);
    }

    /**
     * Changes only what the header of an image says of its backing file, for instance because that was moved. Neither the
     * old nor the new one is opened.
     */
    public static void rebaseUnsafely(Path file, @Nullable String name, @Nullable String format) throws IOException {
        if ((name == null) != (format == null)) {
            throw new IllegalArgumentException("a backing file needs a format, and no backing file has none");
        }
        try (Storage storage = Storages.open(file, true)) {
            new HeaderRewrite(storage).backing(name, format);
        }
    }

    /**
     * Changes version and features of an image that nobody else uses. What cannot be is refused before anything is
     * written. After the power went at any moment, the image opens as it was or as it is to be, and its check finds leaks
     * at most; if the size changes too, in between as well.
     *
     * @param options how the backing file is opened, where it has to be: for another size, and for version 2
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if the image is, or holds, what it could not say afterwards
     * @throws dev.platter.core.CorruptImageException if it is damaged: it has to be repaired first
     */
    public static void amend(Path file, OpenOptions options, AmendOptions to) throws IOException {
        amend(file, options, to, (done, total) -> true);
    }

    /**
     * Changes version and features of an image, as {@link #amend(Path, OpenOptions, AmendOptions)}.
     *
     * @param progress watches it, and can stop it: then what the guest sees is as it was. Told the bytes of disks and file
     *     whose tables were gone through
     * @throws java.util.concurrent.CancellationException if the listener asked to stop
     */
    public static void amend(Path file, OpenOptions options, AmendOptions to, Copier.Progress progress)
            throws IOException {
        OpenOptions writable =
                options.toBuilder().format("qcow2").writable(true).build();
        Amend.Opening opening = new Amend.Opening() {
            @Override
            public DiskImage image(boolean forWriting) throws IOException {
                return DiskImages.open(
                        file, writable.toBuilder().writable(forWriting).build());
            }

            @Override
            public Storage storage() throws IOException {
                return Storages.open(file, true);
            }
        };
        new Amend(opening, writable, to, progress).run();
    }

    /**
     * Returns how large a new, empty image would be. Nothing is opened or written.
     *
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if clusters of that size cannot map a disk of that size
     */
    public static Measurement measure(CreateOptions options) throws IOException {
        Measure measure = new Measure(options);
        return measurement(measure, options, 0, null);
    }

    /**
     * Returns how large an image would be that {@code source} is converted to.
     *
     * @param options of the new image; its size is that of {@code source}
     * @param snapshot an internal snapshot of {@code source} (id or name) to measure instead, or null
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if clusters of that size cannot map a disk of that size
     * @throws DiskImageException if there is no such snapshot
     */
    public static Measurement measure(CreateOptions options, DiskImage source, @Nullable String snapshot)
            throws IOException {
        boolean hasBitmaps = options.version() >= 3
                && "1.1".equals(source.info().formatSpecific().get("compat"));
        if (snapshot != null) {
            try (BlockDevice device = source.openSnapshot(snapshot)) {
                return measure(options, device, hasBitmaps ? source.bitmaps() : null);
            }
        }
        return measure(options, source, hasBitmaps ? source.bitmaps() : null);
    }

    private static Measurement measure(CreateOptions options, BlockDevice source, @Nullable List<BitmapInfo> bitmaps)
            throws IOException {
        CreateOptions sized = options.toBuilder(source.size()).build();
        Measure measure = new Measure(sized);
        // nobody knows what of a backing file the copy can leave out
        long data = sized.backingFile() != null ? measure.diskBytes() : measure.dataBytes(source);
        return measurement(measure, sized, data, bitmaps == null ? null : measure.bitmapBytes(bitmaps));
    }

    private static Measurement measurement(Measure measure, CreateOptions options, long data, @Nullable Long bitmaps)
            throws IOException {
        boolean full = options.preallocation() == CreateOptions.Preallocation.FULL
                || options.preallocation() == CreateOptions.Preallocation.FALLOC;
        long all = measure.fullyAllocated();
        return new Measurement(all - measure.diskBytes() + (full ? measure.diskBytes() : data), all, bitmaps);
    }
}
