package dev.platter.core;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** An opened disk image: the bytes its guest sees, and what the format knows besides. */
public interface DiskImage extends BlockDevice, BlockStatusSource {

    /** Returns what the image says of itself. */
    ImageInfo info();

    /** Returns the internal snapshots, in the order of the file. */
    List<SnapshotInfo> snapshots();

    /**
     * Opens an internal snapshot as a read-only device of the size that the disk had then. It can be closed without
     * closing the image, and dies with it.
     *
     * @param idOrName looked up as an id first, then as a name
     * @throws DiskImageException if there is no such snapshot, or its tables are damaged
     */
    BlockDevice openSnapshot(String idOrName) throws IOException;

    /** Returns the persistent bitmaps. */
    List<BitmapInfo> bitmaps();

    /**
     * Calls {@code visitor} for each dirty range of a persistent bitmap, ascending, neighbours merged.
     *
     * @throws DiskImageException if there is no such bitmap, or it cannot be trusted: in use, or out of date
     */
    default void dirtyRanges(String bitmap, RangeVisitor visitor) throws IOException {
        dirtyRanges(bitmap, 0, visitor);
    }

    /**
     * Calls {@code visitor} for the dirty ranges of a persistent bitmap from some place on, ascending, neighbours merged.
     * The first may begin before that place.
     *
     * @param from first byte that is asked about, 0 or more
     * @throws DiskImageException if there is no such bitmap, or it cannot be trusted: in use, or out of date
     */
    void dirtyRanges(String bitmap, long from, RangeVisitor visitor) throws IOException;

    /** Returns the contexts of every device, and one for each bitmap that can be trusted. */
    @Override
    default List<String> contexts() {
        List<String> contexts = new ArrayList<>(List.of(BASE_ALLOCATION, ALLOCATION_DEPTH));
        for (BitmapInfo bitmap : bitmaps()) {
            if (!bitmap.inUse()) {
                contexts.add(DIRTY_BITMAP + bitmap.name());
            }
        }
        return contexts;
    }

    @Override
    default void status(String context, long offset, long length, StatusVisitor visitor) throws IOException {
        if (context.startsWith(DIRTY_BITMAP)) {
            Bounds.check(this, offset, length);
            DirtyStatus status = new DirtyStatus(offset, length, visitor);
            dirtyRanges(context.substring(DIRTY_BITMAP.length()), offset, status);
            status.finish();
        } else {
            BlockStatus.ofExtents(this, context, offset, length, visitor);
        }
    }

    /** Returns the image below, or null if there is none or it could not be opened; {@link #problems()} says why. */
    @Nullable
    DiskImage backing();

    /**
     * Returns why parts of this image, or of one below, cannot be read: a backing file that was refused or is missing, a
     * snapshot table that is damaged. Empty for a whole image. Reads of the parts concerned throw the same.
     */
    List<DiskImageException> problems();

    /** Returns what is odd in this image and the images below, as far as opening them showed. */
    List<Warning> warnings();

    /** Returns whether {@link #check} can be asked of this format. */
    boolean isCheckable();

    /**
     * Compares the image's own accounts with what is there, reading only.
     *
     * @throws UnsupportedFeatureException if this format keeps no accounts
     * @throws java.util.concurrent.CancellationException if the listener asked to stop
     */
    CheckReport check(CheckListener listener) throws IOException;

    /** Takes ranges. */
    @FunctionalInterface
    interface RangeVisitor {
        /** Takes one range, in bytes; returns whether to go on. */
        boolean range(long offset, long length) throws IOException;
    }
}
