package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * A record of the master file table of NTFS, with its fix-ups applied. Linux, fs/ntfs3/ntfs.h, "struct MFT_REC" and
 * "struct ATTRIB".
 */
final class MftRecord {
    static final int VOLUME = 3;
    static final int BITMAP = 6;

    static final long ATTR_VOLUME_NAME = 0x60;
    static final long ATTR_VOLUME_INFORMATION = 0x70;
    static final long ATTR_DATA = 0x80;
    private static final long ATTR_END = 0xffff_ffffL;

    /** Fix-ups guard units of this size whatever the sectors of the disk are. */
    private static final int FIXUP_UNIT = 512;

    private static final int ATTR_HEADER = 16;

    private final ByteBuffer record;

    private MftRecord(ByteBuffer record) {
        this.record = record;
    }

    /** Copies a record and applies its fix-ups; null when it is none, or was torn while it was written. */
    static @Nullable MftRecord parse(ByteBuffer bytes) {
        if (!Fields.has(bytes, 0, "FILE")) {
            return null;
        }
        ByteBuffer record =
                ByteBuffer.allocate(bytes.limit()).put(bytes.duplicate()).order(ByteOrder.LITTLE_ENDIAN);
        int array = u16(record, 4);
        int units = u16(record, 6) - 1;
        if (units < 0 || units * FIXUP_UNIT > record.capacity() || array + 2 * (units + 1) > record.capacity()) {
            return null;
        }
        int expected = u16(record, array);
        for (int i = 1; i <= units; i++) {
            int at = i * FIXUP_UNIT - 2;
            if (u16(record, at) != expected) {
                return null;
            }
            record.putShort(at, record.getShort(array + 2 * i));
        }
        return new MftRecord(record.flip().limit(record.capacity()).order(ByteOrder.LITTLE_ENDIAN));
    }

    /** The value of an unnamed resident attribute, or null. */
    @Nullable
    ByteBuffer value(long type) {
        ByteBuffer attribute = attribute(type);
        if (attribute == null || u8(attribute, 8) != 0 || attribute.limit() < 24) {
            return null;
        }
        long length = u32(attribute, 16);
        int offset = u16(attribute, 20);
        if (offset > attribute.limit() || length > attribute.limit() - offset) {
            return null;
        }
        return attribute.slice(offset, (int) length).order(ByteOrder.LITTLE_ENDIAN);
    }

    /** An unnamed attribute with its header, or null. */
    @Nullable
    ByteBuffer attribute(long type) {
        int at = u16(record, 20);
        while (at <= record.limit() - ATTR_HEADER && u32(record, at) != ATTR_END) {
            long length = u32(record, at + 4);
            if (length < ATTR_HEADER || length > record.limit() - at) {
                return null;
            }
            if (u32(record, at) == type && u8(record, at + 9) == 0) {
                return record.slice(at, (int) length).order(ByteOrder.LITTLE_ENDIAN);
            }
            at += (int) length;
        }
        return null;
    }
}
