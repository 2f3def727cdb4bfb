package dev.platter.partition;

import dev.platter.core.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32;
import org.jspecify.annotations.Nullable;

/**
 * One of the two copies of a GPT whose header and entries both match their checksums.
 *
 * @param header what the header says
 * @param entries the bytes of all entries; not changed after this was made
 * @param misfit why it contradicts the disk it is on, or null
 */
record GptCopy(
        GptHeader header, ByteBuffer entries, @Nullable String misfit) {

    /** What sfdisk takes at most; 32768 entries of the usual size. */
    private static final int MOST_ENTRY_BYTES = 4 << 20;

    /**
     * Reads the copy whose header is at {@code lba}. Nothing is allocated before its size is checked.
     *
     * @param name {@code primary} or {@code backup}
     * @return null if it cannot be used; a finding says why
     */
    static @Nullable GptCopy load(String name, long lba, Sectors sectors, Limits limits, Findings findings)
            throws IOException {
        String what = name + " GPT header";
        ByteBuffer sector = sectors.tryRead(what, lba, sectors.sectorSize());
        if (sector == null) {
            return null;
        }
        GptHeader header = GptHeader.parse(sector);
        String defect = header == null ? "has no signature \"EFI PART\"" : defect(header, lba, sectors, limits);
        if (header == null || defect != null) {
            findings.add(sectors.offset(lba), what + " at sector " + lba + ": " + defect);
            return null;
        }
        int length = (int) (header.entryCount() * header.entrySize());
        ByteBuffer entries = sectors.tryRead(name + " GPT entries", header.entriesLba(), length);
        if (entries == null) {
            return null;
        }
        CRC32 crc = new CRC32();
        crc.update(entries.duplicate());
        if (crc.getValue() != header.entriesCrc()) {
            findings.add(
                    sectors.offset(header.entriesLba()),
                    name + " GPT entries at sector " + header.entriesLba() + ": checksum does not match");
            return null;
        }
        return new GptCopy(header, entries, header.misfit(sectors.count()));
    }

    boolean fits() {
        return misfit == null;
    }

    boolean agreesWith(GptCopy other) {
        return header.agreesWith(other.header) && entries.equals(other.entries);
    }

    private static @Nullable String defect(GptHeader header, long lba, Sectors sectors, Limits limits) {
        String defect = header.defect(lba, sectors.sectorSize());
        int most = Math.min(MOST_ENTRY_BYTES, limits.tableBytes());
        if (defect == null && header.entryCount() > most / header.entrySize()) {
            return "has " + header.entryCount() + " entries of " + header.entrySize() + " bytes, the limit is " + most
                    + " bytes";
        }
        return defect;
    }
}
