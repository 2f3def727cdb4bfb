package dev.platter.partition;

import dev.platter.core.DiskUuid;
import java.nio.ByteBuffer;
import java.util.StringJoiner;

/**
 * A GPT partition entry as stored. Layout: UEFI specification, 5.3.3 "GPT Partition Entry Array".
 *
 * @param index place in the table, from 0
 * @param typeGuid upper case
 * @param uniqueGuid upper case
 * @param firstLba first sector; negative is beyond 2^63
 * @param lastLba last sector, inclusive; negative is beyond 2^63
 * @param attributes bits 0..2 by UEFI, 48..63 by the type
 * @param name up to 36 UTF-16 units, unpaired surrogates replaced
 */
record GptEntry(
        int index, String typeGuid, String uniqueGuid, long firstLba, long lastLba, long attributes, String name) {
    static final int LEAST_SIZE = 128;
    private static final int NAME_AT = 56;
    private static final int NAME_UNITS = 36;
    private static final String[] NAMED_BITS = {"RequiredPartition", "NoBlockIOProtocol", "LegacyBIOSBootable"};
    private static final int FIRST_TYPE_BIT = 48;

    /** Returns whether the entry at {@code at} is in use: its type is not all zero. */
    static boolean isUsed(ByteBuffer table, int at) {
        return !DiskUuid.isNil(table, at);
    }

    static GptEntry parse(ByteBuffer table, int at, int index) {
        return new GptEntry(
                index,
                DiskUuid.guid(table, at),
                DiskUuid.guid(table, at + 16),
                table.getLong(at + 32),
                table.getLong(at + 40),
                table.getLong(at + 48),
                name(table, at + NAME_AT));
    }

    boolean isBootable() {
        return (attributes & 1L << 2) != 0;
    }

    boolean isReversed() {
        return Long.compareUnsigned(lastLba, firstLba) < 0;
    }

    /** Returns the attributes in the words of sfdisk: names of bits 0..2, numbers of bits 48..63. */
    String attributesText() {
        StringJoiner words = new StringJoiner(" ");
        for (int bit = 0; bit < NAMED_BITS.length; bit++) {
            if ((attributes & 1L << bit) != 0) {
                words.add(NAMED_BITS[bit]);
            }
        }
        StringJoiner numbers = new StringJoiner(",", "GUID:", "");
        for (int bit = FIRST_TYPE_BIT; bit < Long.SIZE; bit++) {
            if ((attributes & 1L << bit) != 0) {
                numbers.add(Integer.toString(bit));
            }
        }
        if (attributes >>> FIRST_TYPE_BIT != 0) {
            words.add(numbers.toString());
        }
        return words.toString();
    }

    private static String name(ByteBuffer table, int at) {
        StringBuilder name = new StringBuilder(NAME_UNITS);
        for (int i = 0; i < NAME_UNITS; i++) {
            char unit = table.getChar(at + 2 * i);
            if (unit == 0) {
                break;
            }
            name.append(unit);
        }
        for (int i = 0; i < name.length(); i++) {
            if (Character.isSurrogatePair(name.charAt(i), i + 1 < name.length() ? name.charAt(i + 1) : 0)) {
                i++;
            } else if (Character.isSurrogate(name.charAt(i))) {
                name.setCharAt(i, '\ufffd');
            }
        }
        return name.toString();
    }
}
