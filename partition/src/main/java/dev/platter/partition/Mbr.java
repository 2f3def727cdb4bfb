package dev.platter.partition;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * A master boot record, or an extended one: the first 512 bytes of a sector of any size. Layout: UEFI specification,
 * "Legacy Master Boot Record".
 *
 * @param diskId the 32 bits at 440, 0..2^32-1; 0 means none
 * @param entries the four entries
 * @param signed whether 55 AA stands at 510
 */
record Mbr(long diskId, List<MbrEntry> entries, boolean signed) {
    static final int SIZE = 512;
    private static final int ENTRIES_AT = 446;

    static Mbr parse(ByteBuffer sector) {
        return new Mbr(
                Integer.toUnsignedLong(sector.getInt(440)),
                List.of(
                        MbrEntry.parse(sector, entryAt(0)),
                        MbrEntry.parse(sector, entryAt(1)),
                        MbrEntry.parse(sector, entryAt(2)),
                        MbrEntry.parse(sector, entryAt(3))),
                sector.getShort(510) == (short) 0xaa55);
    }

    /** Returns the offset of an entry in the record. */
    static int entryAt(int slot) {
        return ENTRIES_AT + slot * MbrEntry.SIZE;
    }

    /** Returns whether this stands in front of a GPT: as libblkid and sfdisk decide it, any entry of type EE will do. */
    boolean isProtective() {
        return entries.stream().anyMatch(entry -> entry.type() == MbrEntry.TYPE_PROTECTIVE);
    }

    /** Returns the slot of the only entry in use, if that is of type EE and begins behind this sector, or -1. */
    int slotOfPureProtection() {
        int found = -1;
        for (int slot = 0; slot < entries.size(); slot++) {
            MbrEntry entry = entries.get(slot);
            if (entry.isUsed()) {
                boolean pure = found < 0 && entry.type() == MbrEntry.TYPE_PROTECTIVE && entry.start() == 1;
                if (!pure) {
                    return -1;
                }
                found = slot;
            }
        }
        return found;
    }

    boolean isEmpty() {
        return entries.stream().noneMatch(MbrEntry::isUsed);
    }

    /** Returns the first slot whose flag is neither 0x00 nor 0x80, or -1. */
    int slotOfUnknownFlag() {
        for (int slot = 0; slot < entries.size(); slot++) {
            if (!entries.get(slot).hasKnownFlag()) {
                return slot;
            }
        }
        return -1;
    }
}
