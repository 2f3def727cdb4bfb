package dev.platter.filesystem;

/**
 * What {@code statvfs} would say of a file system that is mounted read-only, in bytes.
 *
 * @param total {@code f_blocks}: bytes that files can use, without the overhead that the file system leaves out
 * @param free {@code f_bfree}: bytes not in use, at most {@code total}
 * @param available {@code f_bavail}: bytes that an unprivileged user can still use, at most {@code free}
 * @param exact whether the kernel would come to the same numbers; otherwise they are the best that the superblock
 *     allows: a journal waits to be replayed, or a count is known to be approximate
 */
public record DiskUsage(long total, long free, long available, boolean exact) {

    /** Checks that {@code 0 <= available <= free <= total}. */
    public DiskUsage {
        if (available < 0 || available > free || free > total) {
            throw new IllegalArgumentException(
                    "available " + available + ", free " + free + " and total " + total + " are not in this order");
        }
    }

    /** Returns the numbers of a file system with {@code blocks} blocks; what is out of bounds is cut to fit. */
    static DiskUsage ofBlocks(long blockSize, long blocks, long free, long available, boolean exact) {
        long freeBlocks = Math.max(0, Math.min(free, blocks));
        long availableBlocks = Math.max(0, Math.min(available, freeBlocks));
        return new DiskUsage(blocks * blockSize, freeBlocks * blockSize, availableBlocks * blockSize, exact);
    }

    /** Returns the bytes in use: {@code total - free}. */
    public long used() {
        return total - free;
    }

    /** Returns {@code total} in KiB, as {@code virt-df} and {@code df} print it. */
    public long totalKiB() {
        return total / 1024;
    }

    /** Returns the bytes in use in KiB. */
    public long usedKiB() {
        return used() / 1024;
    }

    /** Returns {@code available} in KiB. */
    public long availableKiB() {
        return available / 1024;
    }

    /**
     * Returns the percentage in use as {@code virt-df} reckons it, {@code 100 - 100 * free / total}, not rounded; 0 when
     * {@code total} is 0. The {@code df} of coreutils divides by {@code used + available} instead.
     */
    public double usedPercent() {
        return total == 0 ? 0 : 100 - 100.0 * free / total;
    }
}
