package dev.platter.linux;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.BlockIOException.Kind;
import dev.platter.core.Features;
import dev.platter.nbd.client.ExportDetails;
import dev.platter.nbd.protocol.TransmissionFlags;

/**
 * What the kernel is told of the disk behind an nbd device.
 *
 * @param size bytes, a multiple of {@code blockSize}
 * @param blockSize bytes of a logical block: a power of two from 512 to 4096
 * @param flags sum of those of {@link TransmissionFlags} that the kernel knows
 */
record NbdGeometry(long size, int blockSize, int flags) {
    private static final int SMALLEST_BLOCK = 512;
    private static final int LARGEST_BLOCK = 4096;

    private static final int KERNEL_FLAGS = TransmissionFlags.HAS_FLAGS
            | TransmissionFlags.READ_ONLY
            | TransmissionFlags.SEND_FLUSH
            | TransmissionFlags.SEND_FUA
            | TransmissionFlags.ROTATIONAL
            | TransmissionFlags.SEND_TRIM
            | TransmissionFlags.SEND_WRITE_ZEROES
            | TransmissionFlags.CAN_MULTI_CONN;

    /**
     * Returns that of a device that this process serves.
     *
     * @throws BlockIOException if its size or its blocks are nothing that the kernel can have
     */
    static NbdGeometry of(BlockDevice device) throws BlockIOException {
        Features features = device.features();
        int flags = TransmissionFlags.HAS_FLAGS | TransmissionFlags.SEND_FLUSH | TransmissionFlags.SEND_FUA;
        if (features.readOnly()) {
            flags |= TransmissionFlags.READ_ONLY;
        } else {
            // a device may do nothing about a trim, and need not know before whether it will
            flags |= TransmissionFlags.SEND_TRIM | TransmissionFlags.SEND_WRITE_ZEROES;
        }
        if (features.readOnly() || features.flushCoversAllViews()) {
            flags |= TransmissionFlags.CAN_MULTI_CONN;
        }
        int block = Math.max(features.minimumTransfer(), features.logicalSectorSize());
        return of(device.description(), device.size(), block, flags);
    }

    /**
     * Returns that of an export of another server.
     *
     * @param name of the export, for messages
     */
    static NbdGeometry of(String name, ExportDetails export) throws BlockIOException {
        long block = export.blockSizes() == null ? 1 : export.blockSizes().minimum();
        return of(name, export.size(), block, export.flags() & KERNEL_FLAGS);
    }

    private static NbdGeometry of(String name, long size, long wantedBlock, int flags) throws BlockIOException {
        long block = Math.max(SMALLEST_BLOCK, wantedBlock);
        if (block > LARGEST_BLOCK || Long.bitCount(block) != 1) {
            throw refuse(name + ": has blocks of " + block + " bytes; an nbd device can have blocks of "
                    + SMALLEST_BLOCK + " to " + LARGEST_BLOCK + " bytes, a power of two");
        }
        if (size < block || size % block != 0) {
            throw refuse(name + ": has " + size + " bytes, which is no multiple of its blocks of " + block
                    + " bytes; the kernel would cut off the end, so bind a part of it that is, or make it longer");
        }
        return new NbdGeometry(size, (int) block, flags);
    }

    private static BlockIOException refuse(String message) {
        return new BlockIOException(Kind.NOT_SUPPORTED, message, null);
    }

    boolean isReadOnly() {
        return (flags & TransmissionFlags.READ_ONLY) != 0;
    }

    /** Returns how many connections there can be, of those wanted. */
    int connections(int wanted) {
        return (flags & TransmissionFlags.CAN_MULTI_CONN) != 0 ? wanted : 1;
    }

    /** Returns the same, for reading only. */
    NbdGeometry asReadOnly() {
        int changing = TransmissionFlags.SEND_TRIM | TransmissionFlags.SEND_WRITE_ZEROES;
        return new NbdGeometry(size, blockSize, (flags | TransmissionFlags.READ_ONLY) & ~changing);
    }
}
