package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * The binary header of LUKS as stored, big-endian. LUKS1 On-Disk Format Specification 1.2.3, "struct phdr"; LUKS2
 * On-Disk Format Specification 1.1.3, "Binary Header". The fields from {@code headerSize} to {@code checksumName} are
 * those of version 2, {@code payloadSector} that of version 1.
 *
 * @param headerSize bytes of this header with its JSON area
 * @param position where the header says that it lies
 */
record LuksHeader(
        int version,
        @Nullable String uuid,
        long headerSize,
        long position,
        @Nullable String label,
        @Nullable String checksumName,
        long payloadSector) {

    static final int SIZE = 512;
    static final String MAGIC = "LUKS\u00ba\u00be";
    static final String SECOND_MAGIC = "SKUL\u00ba\u00be";
    static final int CHECKSUM_OFFSET = 448;
    static final int CHECKSUM_SIZE = 64;
    static final int LARGEST_HEADER = 4 << 20;

    static LuksHeader parse(ByteBuffer bytes) {
        ByteBuffer header = bytes.duplicate().order(ByteOrder.BIG_ENDIAN);
        int version = u16(header, 6);
        boolean second = version == 2;
        return new LuksHeader(
                version,
                version == 1 || second ? Fields.text(header, 168, 40) : null,
                second ? header.getLong(8) : 0,
                second ? header.getLong(256) : 0,
                second ? Fields.text(header, 24, 48) : null,
                second ? Fields.text(header, 72, 32) : null,
                version == 1 ? u32(header, 104) : 0);
    }
}
