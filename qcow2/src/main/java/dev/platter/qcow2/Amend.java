package dev.platter.qcow2;

import com.google.common.math.LongMath;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.Copier;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DiskImage;
import dev.platter.core.Extent;
import dev.platter.core.OpenOptions;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.Storage;
import dev.platter.core.UnsupportedFeatureException;
import java.io.IOException;
import java.util.concurrent.CancellationException;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Changes version and features of an image that nobody else uses. All that can be refused is refused before anything is
 * written. Then the tables are made such that the old and the new header agree with them, and one write of the header's
 * first sector changes all at once. Source: qcow2.rst, "Header"; what is refused, qemu: block/qcow2.c, qcow2_amend_options.
 */
final class Amend {
    private static final long MOST_STATE_OF_VERSION_2 = 0xffff_ffffL;

    /** What we keep true; all else has to be cleared by whoever changes an image. */
    private static final long AUTOCLEAR_KNOWN = Qcow2Header.AUTOCLEAR_BITMAPS | Qcow2Header.AUTOCLEAR_DATA_FILE_RAW;

    private final Opening opening;
    private final OpenOptions options;
    private final AmendOptions to;
    private final Copier.Progress progress;
    private String name = "";
    private long fileSize;
    private long total;
    private long done;

    /** Opens the image that is amended, for writing: as an image, or as its file. */
    interface Opening {
        /** Opens the image; for writing, with right refcounts. */
        DiskImage image(boolean writable) throws IOException;

        /** Opens the file. */
        Storage storage() throws IOException;
    }

    Amend(Opening opening, OpenOptions options, AmendOptions to, Copier.Progress progress) {
        this.opening = opening;
        this.options = options;
        this.to = to;
        this.progress = progress;
    }

    void run() throws IOException {
        Qcow2Header header = requirePossible();
        boolean downgrade = version(header) < header.version();
        if (downgrade) {
            requireDowngradable(header);
        }
        if (header.isDirty()) {
            header = repair();
        }
        long disks = downgrade ? LongMath.saturatedMultiply(header.size(), 1 + header.snapshotCount()) : 0;
        long refcounts = refcountOrder(header) == header.refcountOrder() ? 0 : LongMath.saturatedMultiply(fileSize, 2);
        total = LongMath.saturatedAdd(header.clusterSize(), LongMath.saturatedAdd(disks, refcounts));
        report(0);
        if (version(header) > header.version() && header.snapshotCount() > 0) {
            try (DiskImage image = opening.image(true)) {
                ((Qcow2Image) image).completeSnapshots();
            }
        }
        if (downgrade) {
            resize(header);
            try (DiskImage image = opening.image(true)) {
                ((Qcow2Image) image).expandZeros(step(disks));
            }
        }
        rewriteHeader(step(refcounts));
        if (!downgrade) {
            resize(header);
        }
        report(total);
    }

    /** Returns what takes how far a step is, of so many bytes. */
    private LongConsumer step(long bytes) {
        long begin = done;
        done = LongMath.saturatedAdd(done, bytes);
        return at -> report(LongMath.saturatedAdd(begin, Math.min(at, bytes)));
    }

    private void report(long at) {
        if (!progress.copied(at, total)) {
            throw new CancellationException(name + ": stopped at " + at + " of " + total);
        }
    }

    private int version(Qcow2Header header) {
        Integer asked = to.version();
        return asked == null ? header.version() : asked;
    }

    private int refcountOrder(Qcow2Header header) {
        Integer asked = to.refcountBits();
        return asked == null ? header.refcountOrder() : Integer.numberOfTrailingZeros(asked);
    }

    private static boolean isRaw(Qcow2Header header) {
        return (header.autoclearFeatures() & Qcow2Header.AUTOCLEAR_DATA_FILE_RAW) != 0;
    }

    private Qcow2Header requirePossible() throws IOException {
        try (Storage storage = opening.storage()) {
            Qcow2Header header = Qcow2Header.read(storage);
            name = storage.name();
            fileSize = storage.size();
            if (header.isCorrupt()) {
                throw new CorruptImageException(
                        name + ": the image is marked as corrupt; repair it first (check -r all)");
            }
            if (header.cryptMethod() != Qcow2Header.CRYPT_NONE) {
                throw new UnsupportedFeatureException(
                        name + ": the contents are encrypted; such an image cannot be amended yet");
            }
            boolean version2 = version(header) == 2;
            require(
                    !version2 || refcountOrder(header) == 4,
                    name,
                    "version 2 of the format (compat=0.10) has refcounts of 16 bits only (refcount_bits=16)");
            require(
                    !version2 || !Boolean.TRUE.equals(to.lazyRefcounts()),
                    name,
                    "lazy refcounts need version 3 of the format (compat=1.1)");
            require(
                    to.dataFile() == null || header.hasDataFile(),
                    name,
                    "data_file can only be set for an image that has an external data file");
            require(
                    !Boolean.TRUE.equals(to.dataFileRaw()) || isRaw(header),
                    name,
                    "data_file_raw cannot be set for an image that is there: its data file may lack what it should hold");
            Long size = to.size();
            require(
                    size == null || size >= header.size(),
                    name,
                    "a disk of " + size + " bytes would be smaller than it is (" + header.size()
                            + "), and its end would be lost; resize --shrink does that");
            return header;
        }
    }

    private Qcow2Header repair() throws IOException {
        try (Storage storage = opening.storage()) {
            Qcow2.repair(storage, options, Qcow2.Repair.ALL);
            return Qcow2Header.read(storage);
        }
    }

    private static void require(boolean possible, String name, String problem) throws BlockIOException {
        if (!possible) {
            throw new BlockIOException(BlockIOException.Kind.NOT_SUPPORTED, name + ": " + problem, null);
        }
    }

    private void requireDowngradable(Qcow2Header header) throws IOException {
        try (DiskImage image = opening.image(false)) {
            require(!header.hasDataFile(), name, "version 2 of the format has no external data files");
            require(!header.isExtendedL2(), name, "version 2 of the format has no extended L2 entries");
            require(
                    image.bitmaps().isEmpty(),
                    name,
                    "version 2 of the format has no persistent bitmaps; remove them first");
            Long size = to.size();
            for (SnapshotInfo snapshot : image.snapshots()) {
                require(
                        Long.compareUnsigned(snapshot.vmStateSize(), MOST_STATE_OF_VERSION_2) <= 0
                                && snapshot.diskSize() == (size == null ? header.size() : size),
                        name,
                        "a snapshot has another disk size or more than 4 GiB of state, which version 2 of the format"
                                + " cannot say");
            }
            if ((header.incompatibleFeatures() & Qcow2Header.INCOMPAT_COMPRESSION) != 0) {
                boolean compressed = hasCompressed(image);
                for (SnapshotInfo snapshot : image.snapshots()) {
                    try (BlockDevice device = image.openSnapshot(snapshot.id())) {
                        compressed |= hasCompressed(device);
                    }
                }
                require(!compressed, name, "version 2 of the format has no clusters that are compressed with zstd");
            }
        }
    }

    private static boolean hasCompressed(BlockDevice device) throws IOException {
        boolean[] found = {false};
        device.extents(0, device.size(), (offset, length, facts, depth, below, belowOffset) -> {
            found[0] = depth == 0 && (facts & Extent.COMPRESSED) != 0;
            return !found[0];
        });
        return found[0];
    }

    private void resize(Qcow2Header header) throws IOException {
        Long size = to.size();
        if (size != null && size != header.size()) {
            try (DiskImage image = opening.image(true)) {
                Qcow2.resize(image, size, false);
            }
        }
    }

    private void rewriteHeader(LongConsumer refcountsWritten) throws IOException {
        try (Storage storage = opening.storage()) {
            Qcow2Header header = Qcow2Header.read(storage);
            int order = refcountOrder(header);
            NewRefcounts.Place refcounts =
                    new NewRefcounts.Place(header.refcountTableOffset(), (int) header.refcountTableClusters());
            if (order != header.refcountOrder()) {
                HostFile file = new HostFile(storage, header.clusterSize(), options);
                refcounts = new RefcountWidth(header, file, order).write(refcountsWritten);
            }
            HeaderRewrite.Features features = new HeaderRewrite.Features(
                    version(header),
                    flag(header.compatibleFeatures(), Qcow2Header.COMPAT_LAZY_REFCOUNTS, to.lazyRefcounts()),
                    flag(
                            header.autoclearFeatures() & AUTOCLEAR_KNOWN,
                            Qcow2Header.AUTOCLEAR_DATA_FILE_RAW,
                            to.dataFileRaw()),
                    order,
                    refcounts,
                    to.dataFile());
            new HeaderRewrite(storage).features(features);
        }
    }

    private static long flag(long flags, long flag, @Nullable Boolean set) {
        return set == null ? flags : set ? flags | flag : flags & ~flag;
    }
}
