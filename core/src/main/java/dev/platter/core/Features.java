package dev.platter.core;

/**
 * What a {@link BlockDevice} can do and how it likes to be used. Every view passes the features of its base on, changed
 * only where the view itself changes them.
 *
 * @param readOnly whether all writes are refused
 * @param trim whether {@link BlockDevice#discard} may free space
 * @param fastZero whether {@link ZeroMode#FAST_UNMAP} can succeed
 * @param fua whether {@link Durability#FUA} is cheaper than a write followed by a flush
 * @param flushCoversAllViews whether one flush makes the writes through every other view of the same bytes durable too
 * @param logicalSectorSize bytes of a logical sector where the device knows, else 0
 * @param minimumTransfer smallest request that needs no read-modify-write below, in bytes, at least 1
 * @param preferredTransfer size and alignment of requests that are served best, in bytes, at least 1
 * @param maximumTransfer longest single request, in bytes
 * @param slowReads whether some reads cost more than copying: decompression, decryption or a network
 * @param slowWrites whether writes cost more than copying, for instance compression, so that several threads should write,
 *     in whole blocks of {@code preferredTransfer}
 */
public record Features(
        boolean readOnly,
        boolean trim,
        boolean fastZero,
        boolean fua,
        boolean flushCoversAllViews,
        int logicalSectorSize,
        int minimumTransfer,
        int preferredTransfer,
        int maximumTransfer,
        boolean slowReads,
        boolean slowWrites) {

    private static final Features READ_ONLY =
            new Features(true, false, false, false, true, 0, 1, 4096, Integer.MAX_VALUE, false, false);

    private static final Features WRITABLE =
            new Features(false, false, false, false, true, 0, 1, 4096, Integer.MAX_VALUE, false, false);

    /** Returns the features of a plain read-only device: any alignment, any length. */
    public static Features ofReadOnly() {
        return READ_ONLY;
    }

    /** Returns the features of a plain writable device: any alignment, any length, no trim, no fast zeroes. */
    public static Features ofWritable() {
        return WRITABLE;
    }

    /** Returns these features without the ability to write. */
    public Features asReadOnly() {
        return readOnly
                ? this
                : new Features(
                        true,
                        false,
                        false,
                        false,
                        true,
                        logicalSectorSize,
                        minimumTransfer,
                        preferredTransfer,
                        maximumTransfer,
                        slowReads,
                        slowWrites);
    }

    /** Returns these features with another logical sector size, in bytes; 0 means unknown. */
    public Features withLogicalSectorSize(int bytes) {
        return new Features(
                readOnly,
                trim,
                fastZero,
                fua,
                flushCoversAllViews,
                bytes,
                minimumTransfer,
                preferredTransfer,
                maximumTransfer,
                slowReads,
                slowWrites);
    }

    /** Returns these features, saying whether a discard may free space. */
    public Features withTrim(boolean frees) {
        return new Features(
                readOnly,
                frees,
                fastZero,
                fua,
                flushCoversAllViews,
                logicalSectorSize,
                minimumTransfer,
                preferredTransfer,
                maximumTransfer,
                slowReads,
                slowWrites);
    }

    /** Returns these features, saying whether {@link ZeroMode#FAST_UNMAP} can succeed. */
    public Features withFastZero(boolean fast) {
        return new Features(
                readOnly,
                trim,
                fast,
                fua,
                flushCoversAllViews,
                logicalSectorSize,
                minimumTransfer,
                preferredTransfer,
                maximumTransfer,
                slowReads,
                slowWrites);
    }

    /** Returns these features with another preferred request size, in bytes. */
    public Features withPreferredTransfer(int bytes) {
        return new Features(
                readOnly,
                trim,
                fastZero,
                fua,
                flushCoversAllViews,
                logicalSectorSize,
                minimumTransfer,
                bytes,
                maximumTransfer,
                slowReads,
                slowWrites);
    }

    /** Returns these features, saying whether some reads cost more than copying. */
    public Features withSlowReads(boolean slow) {
        return new Features(
                readOnly,
                trim,
                fastZero,
                fua,
                flushCoversAllViews,
                logicalSectorSize,
                minimumTransfer,
                preferredTransfer,
                maximumTransfer,
                slow,
                slowWrites);
    }

    /** Returns these features, saying whether writes cost more than copying. */
    public Features withSlowWrites(boolean slow) {
        return new Features(
                readOnly,
                trim,
                fastZero,
                fua,
                flushCoversAllViews,
                logicalSectorSize,
                minimumTransfer,
                preferredTransfer,
                maximumTransfer,
                slowReads,
                slow);
    }

    /**
     * Returns what a device made of two devices can do: only what both can, with the stricter of their sizes. The
     * sector size is kept where both agree.
     */
    public Features and(Features other) {
        return new Features(
                readOnly || other.readOnly,
                trim && other.trim,
                fastZero && other.fastZero,
                fua && other.fua,
                flushCoversAllViews && other.flushCoversAllViews,
                logicalSectorSize == other.logicalSectorSize ? logicalSectorSize : 0,
                Math.max(minimumTransfer, other.minimumTransfer),
                Math.max(preferredTransfer, other.preferredTransfer),
                Math.min(maximumTransfer, other.maximumTransfer),
                slowReads || other.slowReads,
                slowWrites || other.slowWrites);
    }
}
