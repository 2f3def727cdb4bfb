package dev.platter.qcow2;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
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
}
