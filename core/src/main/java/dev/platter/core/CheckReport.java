package dev.platter.core;

/**
 * The outcome of a check, in the terms of {@code qemu-img check}.
 *
 * @param checkErrors places that could not be checked
 * @param corruptions contradictions that endanger data
 * @param leaks clusters that are counted as used and are not
 * @param totalClusters clusters of the guest's disk
 * @param allocatedClusters of them, those that have space in the file
 * @param compressedClusters of them, the compressed ones
 * @param fragmentedClusters of them, those that do not follow their predecessor in the file
 * @param imageEndOffset end of the last cluster in use, in bytes
 */
public record CheckReport(
        long checkErrors,
        long corruptions,
        long leaks,
        long totalClusters,
        long allocatedClusters,
        long compressedClusters,
        long fragmentedClusters,
        long imageEndOffset) {}
