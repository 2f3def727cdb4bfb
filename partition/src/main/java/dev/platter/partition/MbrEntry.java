package dev.platter.partition;

import java.nio.ByteBuffer;

/**
 * One of the four entries of a master or extended boot record, as stored. The CHS addresses are not kept: nothing has
 * used them for decades, and beyond 8 GB they cannot say anything.
 *
 * @param flag 0x80 active, 0x00 not; anything else means that this is no partition table
 * @param type 0..255, 0 for an unused entry
 * @param start first sector, relative to what depends on where the entry stands; 0..2^32-1
 * @param count sectors, 0..2^32-1
 */
record MbrEntry(int flag, int type, long start, long count) {
    static final int SIZE = 16;
    static final int TYPE_PROTECTIVE = 0xee;

    static MbrEntry parse(ByteBuffer bytes, int at) {
        return new MbrEntry(
                Byte.toUnsignedInt(bytes.get(at)),
                Byte.toUnsignedInt(bytes.get(at + 4)),
                Integer.toUnsignedLong(bytes.getInt(at + 8)),
                Integer.toUnsignedLong(bytes.getInt(at + 12)));
    }

    boolean isActive() {
        return flag == 0x80;
    }

    boolean hasKnownFlag() {
        return flag == 0 || flag == 0x80;
    }

    /** Linux lists what has a length, sfdisk also what has only a type. */
    boolean isUsed() {
        return type != 0 || count != 0;
    }

    boolean isExtended() {
        return type == 0x05 || type == 0x0f || type == 0x85;
    }

    /** Returns one past the last sector, relative to the same as {@link #start}. */
    long end() {
        return start + count;
    }
}
