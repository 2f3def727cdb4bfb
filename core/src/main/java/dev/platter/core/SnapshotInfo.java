package dev.platter.core;

/**
 * An internal snapshot.
 *
 * @param id unique id, usually a number
 * @param name name that a person gave it; may be empty and need not be unique
 * @param vmStateSize bytes of saved machine state, 0 for a snapshot of the disk alone; unsigned, as the image states it
 * @param dateSeconds when it was taken, in seconds since 1970
 * @param dateNanos the fraction of that second
 * @param vmClockNanos how long the guest had been running, in nanoseconds; unsigned, as the image states it
 * @param instructionCount instructions executed, or -1 where that is not recorded
 * @param diskSize bytes of the disk at that time
 */
public record SnapshotInfo(
        String id,
        String name,
        long vmStateSize,
        long dateSeconds,
        long dateNanos,
        long vmClockNanos,
        long instructionCount,
        long diskSize) {}
