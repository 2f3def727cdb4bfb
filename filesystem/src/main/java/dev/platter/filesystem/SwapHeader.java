package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The header of swap space of version 1 as stored, in the byte order of the machine that made it. Linux,
 * include/linux/swap.h, "union swap_header".
 */
record SwapHeader(
        long version,
        long lastPage,
        @Nullable String uuid,
        @Nullable String label) {

    static final int OFFSET = 1024;
    static final int SIZE = 512;
    /** Two words of padding that are zero where label and UUID were written at all; libblkid, swap.c. */
    private static final int PADDING = 44 + 128;

    static SwapHeader parse(ByteBuffer bytes) {
        ByteBuffer header = bytes.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        if (header.getInt(0) == 1 << 24) {
            header.order(ByteOrder.BIG_ENDIAN);
        }
        boolean named = header.getLong(PADDING) == 0;
        return new SwapHeader(
                u32(header, 0),
                u32(header, 4),
                named ? Fields.uuid(header, 12) : null,
                named ? Fields.text(header, 28, 16) : null);
    }

    /** What makes it unusable, or null. */
    @Nullable
    String flaw() {
        if (version != 1) {
            return "version is " + version + ", known is 1";
        }
        return lastPage == 0 ? "last page is 0" : null;
    }
}
