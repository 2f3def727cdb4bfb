package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The beginning of the list of names and values in a label of ZFS, as far as it names the pool. XDR encoding: ZFS On-Disk
 * Specification, section 1.3.3; RFC 4506.
 *
 * @param poolName null where the device is a spare or a cache
 */
record ZfsNameList(long version, @Nullable String poolName, long poolGuid) {

    /** libblkid reads no further either; what is looked for comes first. */
    static final int SIZE = 4096;

    private static final int HEADER = 12;
    private static final int UINT64 = 8;
    private static final int STRING = 9;

    /** Reads a list; null when it is none, or has no version and pool GUID. */
    static @Nullable ZfsNameList parse(ByteBuffer bytes) {
        ByteBuffer list = bytes.duplicate().order(ByteOrder.BIG_ENDIAN);
        // Encoding 1 is XDR; then the byte order of the host, two zeros; version 0, flag "unique names".
        if (u8(list, 0) != 1 || u8(list, 1) > 1 || u32(list, 4) != 0 || u32(list, 8) != 1) {
            return null;
        }
        Long version = null;
        Long poolGuid = null;
        String name = null;
        int at = HEADER;
        while (at <= list.limit() - 12 && u32(list, at) != 0) {
            long size = u32(list, at);
            if (size < 20 || size > list.limit() - at) {
                break;
            }
            ByteBuffer pair = list.slice(at, (int) size).order(ByteOrder.BIG_ENDIAN);
            version = version == null ? number(pair, "version") : version;
            poolGuid = poolGuid == null ? number(pair, "pool_guid") : poolGuid;
            name = name == null ? string(pair, "name") : name;
            at += (int) size;
        }
        return version == null || poolGuid == null ? null : new ZfsNameList(version, name, poolGuid);
    }

    private static @Nullable Long number(ByteBuffer pair, String name) {
        int value = value(pair, name, UINT64);
        return value < 0 || value > pair.limit() - 8 ? null : pair.getLong(value);
    }

    private static @Nullable String string(ByteBuffer pair, String name) {
        int value = value(pair, name, STRING);
        if (value < 0 || value > pair.limit() - 4) {
            return null;
        }
        long length = u32(pair, value);
        return length > pair.limit() - value - 4 ? null : Fields.text(pair, value + 4, (int) length);
    }

    /** Where the value of a pair begins (size, decoded size, name, type, count, value), or -1 if it is another pair. */
    private static int value(ByteBuffer pair, String name, int type) {
        int padded = name.length() + 3 & ~3;
        if (u32(pair, 8) != name.length() || !Fields.has(pair, 12, name) || pair.limit() < 12 + padded + 8) {
            return -1;
        }
        return u32(pair, 12 + padded) == type ? 12 + padded + 8 : -1;
    }
}
