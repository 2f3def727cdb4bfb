package dev.platter.nbd.protocol;

/** The pieces of information about an export; section "Information types". */
public final class InfoTypes {
    /** Size in bytes and {@link TransmissionFlags}. */
    public static final int EXPORT = 0;

    /** The canonical name of the export. */
    public static final int NAME = 1;

    /** Its description, for a person. */
    public static final int DESCRIPTION = 2;

    /** Its {@link BlockSizes}. */
    public static final int BLOCK_SIZE = 3;

    private InfoTypes() {}
}
