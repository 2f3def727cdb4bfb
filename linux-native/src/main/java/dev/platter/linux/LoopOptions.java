package dev.platter.linux;

/**
 * How a file becomes a loop device. Immutable; the factories give the whole file, the sector size that the kernel chooses,
 * and nothing else.
 *
 * @param offset first byte of the file that is the device's, a multiple of 512
 * @param sizeLimit bytes of the device, a multiple of 512; 0 for all up to the end of the file
 * @param readOnly whether writes are refused
 * @param partitionScan whether the kernel looks for partitions, and removes their nodes at the end. Not where a partition
 *     holds a physical volume and this system runs LVM, which would take it for its own
 * @param directIo whether the kernel passes by its cache of the file; kept off silently where the file cannot
 * @param blockSize bytes of a logical sector, 0 for the kernel's choice
 * @param autoclear whether the device goes away with the last that has it open or mounted. {@link LoopDevice} then has it
 *     open until it is closed, so that a process that is killed leaves nothing that is not mounted, and no other process can
 *     take it away before
 */
public record LoopOptions(
        long offset,
        long sizeLimit,
        boolean readOnly,
        boolean partitionScan,
        boolean directIo,
        int blockSize,
        boolean autoclear) {

    /** Checks the values that are wrong for every file. */
    public LoopOptions {
        if (offset < 0 || sizeLimit < 0) {
            throw new IllegalArgumentException("offset: " + offset + ", sizeLimit: " + sizeLimit + ": one is negative");
        }
        if (blockSize != 0 && (blockSize < 512 || Integer.bitCount(blockSize) != 1)) {
            throw new IllegalArgumentException("blockSize: " + blockSize + " is no power of two from 512 on");
        }
    }

    /** Returns options for a device that cannot be written to. */
    public static LoopOptions ofReadOnly() {
        return new LoopOptions(0, 0, true, false, false, 0, false);
    }

    /** Returns options for a device whose writes go to the file. */
    public static LoopOptions ofWritable() {
        return new LoopOptions(0, 0, false, false, false, 0, false);
    }

    /** Returns these options for a part of the file; see {@link #offset()} and {@link #sizeLimit()}. */
    public LoopOptions withRange(long first, long length) {
        return new LoopOptions(first, length, readOnly, partitionScan, directIo, blockSize, autoclear);
    }

    /** Returns these options, saying whether the kernel looks for partitions. */
    public LoopOptions withPartitionScan(boolean scan) {
        return new LoopOptions(offset, sizeLimit, readOnly, scan, directIo, blockSize, autoclear);
    }

    /** Returns these options, saying whether the kernel passes by its cache of the file. */
    public LoopOptions withDirectIo(boolean direct) {
        return new LoopOptions(offset, sizeLimit, readOnly, partitionScan, direct, blockSize, autoclear);
    }

    /** Returns these options with another logical sector size, in bytes. */
    public LoopOptions withBlockSize(int bytes) {
        return new LoopOptions(offset, sizeLimit, readOnly, partitionScan, directIo, bytes, autoclear);
    }

    /** Returns these options, saying whether the device goes away with its last user. */
    public LoopOptions withAutoclear(boolean clear) {
        return new LoopOptions(offset, sizeLimit, readOnly, partitionScan, directIo, blockSize, clear);
    }
}
