package dev.platter.nbd.protocol;

/** The chunks of a structured reply; section "Structured reply types". */
public final class ChunkTypes {
    /** Flag, not type: no chunk of this reply follows. */
    public static final int DONE = 1;

    public static final int NONE = 0;
    /** u64 offset, then the bytes. */
    public static final int OFFSET_DATA = 1;
    /** u64 offset, u32 length: zeros. */
    public static final int OFFSET_HOLE = 2;
    /** u32 context, then pairs of u32 length and u32 flags. */
    public static final int BLOCK_STATUS = 5;
    /** u32 context, u32 count, then pairs of u64 length and u64 flags; with extended headers. */
    public static final int BLOCK_STATUS_EXT = 6;
    /** u32 error, u16 length, text. */
    public static final int ERROR = 0x8001;
    /** u32 error, u16 length, text, u64 offset. */
    public static final int ERROR_OFFSET = 0x8002;

    private ChunkTypes() {}

    /** Returns whether a chunk of that type, known or not, says that its request failed: bit 15. */
    public static boolean isError(int type) {
        return (type & 0x8000) != 0;
    }
}
