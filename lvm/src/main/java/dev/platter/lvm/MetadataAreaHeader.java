package dev.platter.lvm;

import dev.platter.core.Bounds;
import dev.platter.core.CorruptImageException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;

/**
 * The header of a metadata area. lvm2, lib/format_text/layout.h ("struct mda_header", "struct raw_locn");
 * little-endian. Only slot 0 of its locations is committed; slot 1 belongs to an update that may never have ended.
 *
 * @param start first byte of the area on the device
 * @param size bytes of the area, this header included
 * @param textOffset where the text begins, from the start of the area; 0 when there is none
 * @param textSize bytes of the text with its final NUL
 * @param textChecksum over {@code textSize} bytes
 * @param ignored whether the area is not kept up to date, so that its text is stale
 */
record MetadataAreaHeader(long start, long size, long textOffset, long textSize, int textChecksum, boolean ignored) {

    static final int HEADER_SIZE = 512;

    private static final byte[] MAGIC = " LVM2 x[5A%r0N*>".getBytes(StandardCharsets.US_ASCII);
    private static final int IGNORED = 1;

    /**
     * Reads a header and checks everything that later steps rely on.
     *
     * @param header {@link #HEADER_SIZE} bytes
     * @param at where they were read
     * @param deviceSize bytes of the device that must hold the area
     * @param where begins the messages
     */
    static MetadataAreaHeader parse(ByteBuffer header, long at, long deviceSize, String where)
            throws CorruptImageException {
        ByteBuffer in = header.duplicate().order(ByteOrder.LITTLE_ENDIAN);
        if (in.getInt(0) != LvmCrc.of(in, 4, HEADER_SIZE)) {
            throw new CorruptImageException(where + ": the checksum of the header is wrong");
        }
        for (int i = 0; i < MAGIC.length; i++) {
            if (in.get(4 + i) != MAGIC[i]) {
                throw new CorruptImageException(where + ": the header has not the magic of a metadata area");
            }
        }
        if (in.getInt(20) != 1) {
            throw new CorruptImageException(
                    where + ": version " + Integer.toUnsignedString(in.getInt(20)) + " is unknown, only 1 is known");
        }
        MetadataAreaHeader area = new MetadataAreaHeader(
                in.getLong(24),
                in.getLong(32),
                in.getLong(40),
                in.getLong(48),
                in.getInt(56),
                (in.getInt(60) & IGNORED) != 0);
        area.check(at, deviceSize, where);
        return area;
    }

    private void check(long at, long deviceSize, String where) throws CorruptImageException {
        if (start != at) {
            throw new CorruptImageException(
                    where + ": the header says that it lies at " + Long.toUnsignedString(start));
        }
        if (size < HEADER_SIZE || !Bounds.inside(start, size, deviceSize)) {
            throw new CorruptImageException(where + ": its " + Long.toUnsignedString(size)
                    + " bytes do not lie inside the device (" + deviceSize + " bytes)");
        }
        if (ignored || (textOffset == 0 && textSize == 0)) {
            return;
        }
        if (textOffset < HEADER_SIZE || textOffset >= size) {
            throw new CorruptImageException(where + ": the text begins at byte " + Long.toUnsignedString(textOffset)
                    + " of the area, allowed are " + HEADER_SIZE + ".." + (size - 1));
        }
        if (textSize < 1 || textSize > size - HEADER_SIZE) {
            throw new CorruptImageException(where + ": the text is said to have " + Long.toUnsignedString(textSize)
                    + " bytes, allowed are 1.." + (size - HEADER_SIZE));
        }
    }

    /** Returns whether a text is committed here; an area without one is that of an orphan or of a fresh volume. */
    boolean hasText() {
        return textOffset != 0 && !ignored;
    }

    /** Returns the bytes of the text that lie before the end of the area; the others follow its header. */
    long bytesBeforeWrap() {
        return Math.min(textSize, size - textOffset);
    }
}
