package dev.platter.core;

/** How {@link BlockDevice#writeZeroes} may go about it. The range reads as zeros in every case. */
public enum ZeroMode {
    /** The space stays allocated. */
    KEEP_ALLOCATION,
    /** The space may be given back. */
    MAY_UNMAP,
    /** As {@link #KEEP_ALLOCATION}, or {@link NotFasterException} where that is no faster than writing zeros. */
    FAST_KEEP,
    /** As {@link #MAY_UNMAP}, or {@link NotFasterException} where that is no faster than writing zeros. */
    FAST_UNMAP;

    /** Returns whether the space may be given back. */
    public boolean mayUnmap() {
        return this == MAY_UNMAP || this == FAST_UNMAP;
    }

    /** Returns whether plain writing of zeros must be refused. */
    public boolean isFast() {
        return this == FAST_KEEP || this == FAST_UNMAP;
    }
}
