package dev.platter.core;

/**
 * A persistent dirty bitmap.
 *
 * @param name its name, unique in the image
 * @param granularity bytes of the disk that one bit stands for
 * @param inUse whether it was not saved properly, and so misses writes: it must not be the base of a backup
 * @param auto whether it was recording
 */
public record BitmapInfo(String name, long granularity, boolean inUse, boolean auto) {}
