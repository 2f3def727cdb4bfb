package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * BitLocker of Windows Vista, of Windows 7 and later, and To Go. libbde, "BitLocker Drive Encryption (BDE) format
 * specification"; libblkid, bitlocker.c.
 */
final class BitLockerProbe implements Probe {
    private static final String VISTA = "\u00ebR\u0090-FVE-FS-";
    private static final String WINDOWS7 = "\u00ebX\u0090-FVE-FS-";
    private static final String TO_GO = "\u00ebX\u0090MSWIN4.1";
    private static final String METADATA_MAGIC = "-FVE-FS-";

    /** Block header (64 bytes) and metadata header (48 bytes), behind which the entries begin. */
    private static final int ENTRIES = 112;

    private static final int VOLUME_GUID = 80;
    private static final int LARGEST_METADATA = 64 << 10;
    private static final int DESCRIPTION_ENTRY = 7;
    private static final int UNICODE_VALUE = 2;

    @Override
    public Family family() {
        return Family.CRYPTO;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer sector = volume.bytes(0, 512);
        if (sector == null) {
            return null;
        }
        Findings findings = new Findings(volume, "BitLocker", 0);
        if (Fields.has(sector, 0, VISTA)) {
            return findings.build();
        }
        long offset;
        if (Fields.has(sector, 0, WINDOWS7)) {
            offset = sector.getLong(176);
        } else if (Fields.has(sector, 0, TO_GO)) {
            offset = sector.getLong(440);
        } else {
            return null;
        }
        if (offset <= 0 || offset % 64 != 0) {
            return null;
        }
        ByteBuffer metadata = volume.bytes(offset, ENTRIES);
        if (metadata == null || !Fields.has(metadata, 0, METADATA_MAGIC)) {
            return null;
        }
        long length = Math.min(u32(metadata, 64), LARGEST_METADATA);
        ByteBuffer entries = volume.bytesUpTo(offset + ENTRIES, (int) Math.max(0, length - 48));
        return findings.uuid(Fields.guid(metadata, VOLUME_GUID))
                .version(Integer.toString(u16(metadata, 10)))
                .label(entries == null ? null : description(entries))
                .build();
    }

    /** The entry that describes the volume: computer, drive and date of the encryption. */
    private static @Nullable String description(ByteBuffer entries) {
        int at = 0;
        while (at <= entries.limit() - 8) {
            int size = u16(entries, at);
            if (size < 8 || size > entries.limit() - at) {
                return null;
            }
            if (u16(entries, at + 2) == DESCRIPTION_ENTRY && u16(entries, at + 4) == UNICODE_VALUE) {
                return Fields.utf16le(entries, at + 8, (size - 8) / 2);
            }
            at += size;
        }
        return null;
    }
}
