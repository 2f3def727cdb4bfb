package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.ReadOnlyDeviceException;
import java.io.IOException;

/**
 * An opened qcow2 image: what {@link dev.platter.core.DiskImages} returns for one. Its changes are crash-safe: after the
 * power went at any moment, the image opens and holds what it had before or what it was to have after.
 */
public interface Qcow2Disk extends DiskImage {

    /**
     * Compares the image's own accounts with what is there, reading only. Of an image that was opened for writing, all that
     * was written before is put into the file first; until the check has returned, whoever needs a new cluster or another
     * table waits, {@link #flush()} and changes of snapshots and bitmaps too. Reads, and writes to clusters that have their
     * place, go on.
     *
     * @throws java.util.concurrent.CancellationException if the listener asked to stop
     */
    @Override
    CheckReport check(CheckListener listener) throws IOException;

    /**
     * Returns the same disk, with whole clusters written compressed, by the image's compression type. A cluster that does
     * not become smaller, and all that is no write of a whole cluster, goes to the disk as it is; the last cluster can be
     * shorter. Several threads that write compress at once; closing the view does not close the image.
     *
     * @throws ReadOnlyDeviceException if the image was not opened for writing
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if the image has an external data file
     */
    BlockDevice compressing() throws IOException;

    /**
     * Makes an internal snapshot of the disk as it is. Its id is the next number.
     *
     * @throws ReadOnlyDeviceException if the image was not opened for writing
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if the image has an external data file, or if refcounts are
     *     too narrow for another reference
     */
    void createSnapshot(String name) throws IOException;

    /**
     * Makes the disk what it was when a snapshot of the same size was made. Snapshots stay.
     *
     * @param idOrName looked up as an id first, then as a name
     * @throws DiskImageException if there is no such snapshot, or its tables are damaged
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if its disk has another size; see {@link
     *     Qcow2#applySnapshot}
     */
    void applySnapshot(String idOrName) throws IOException;

    /**
     * Deletes an internal snapshot; what nothing else refers to is free afterwards.
     *
     * @param idOrName looked up as an id first, then as a name
     * @throws BlockIOException of kind {@code BUSY} if it is open
     */
    void deleteSnapshot(String idOrName) throws IOException;

    /**
     * Deletes the first internal snapshot that has a name, as {@code qemu-img snapshot -d} does, which knows no ids: one may
     * be the name of another snapshot.
     *
     * @throws DiskImageException if none has that name
     * @throws BlockIOException of kind {@code BUSY} if it is open
     */
    void deleteSnapshotNamed(String name) throws IOException;

    /**
     * Makes a persistent bitmap, which says that nothing changed since.
     *
     * @param granularity bytes of the disk that one bit stands for: a power of two from 512 to 2 GiB
     * @param enabled whether it records changes from now on
     * @throws BlockIOException of kind {@code NOT_SUPPORTED} if there is one of that name, if name or granularity cannot
     *     be, or if the image is of version 2
     */
    void addBitmap(String name, long granularity, boolean enabled) throws IOException;

    /**
     * Deletes a bitmap, also one that is in use.
     *
     * @throws DiskImageException if there is none of that name, as in all that follow
     */
    void removeBitmap(String name) throws IOException;

    /**
     * Lets a bitmap record changes from now on. While the image is open and was changed, the file says that the bitmap is in
     * use; what it recorded is in the file when {@link #close()} has returned.
     *
     * @throws DiskImageException if it is in use: it misses changes, and can be deleted only, as in all that follow
     */
    void enableBitmap(String name) throws IOException;

    /** Lets a bitmap record nothing from now on; it keeps what it has. */
    void disableBitmap(String name) throws IOException;

    /** Makes a bitmap say that nothing changed. */
    void clearBitmap(String name) throws IOException;

    /**
     * Adds what a bitmap says, of this image or another one of the same size, to a bitmap of this image.
     *
     * @param name the bitmap that is changed
     * @param source where the other one is, which stays as it is
     * @param sourceBitmap the other one, of any granularity
     * @throws DiskImageException if the disks are not of the same size
     */
    void mergeBitmap(String name, DiskImage source, String sourceBitmap) throws IOException;
}
