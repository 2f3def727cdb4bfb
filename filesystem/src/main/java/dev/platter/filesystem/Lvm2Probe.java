package dev.platter.filesystem;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/** Physical volumes of LVM2, by their label in one of the first four sectors. LVM2, lib/label/label.h and label.c. */
final class Lvm2Probe implements Probe {
    private static final int SECTOR = 512;
    private static final int LABEL_SECTORS = 4;
    private static final int TYPE_OFFSET = 24;
    private static final int UUID_OFFSET = 32;
    private static final int CHECKED_FROM = 20;
    private static final int INITIAL_CRC = 0xf597_a6cf;

    /** Where the dashes go in a UUID of 32 characters: groups of 6-4-4-4-4-4-6. */
    private static final int[] GROUPS = {0, 6, 10, 14, 18, 22, 26, 32};

    @Override
    public Family family() {
        return Family.RAID;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        for (int i = 0; i < LABEL_SECTORS; i++) {
            int at = i * SECTOR;
            ByteBuffer label = volume.bytes(at, SECTOR);
            if (label == null
                    || !Fields.has(label, 0, "LABELONE")
                    || !Fields.has(label, TYPE_OFFSET, "LVM2 001")
                    || label.getLong(8) != i) {
                continue;
            }
            int stored = label.getInt(16);
            int computed = Checksums.crc32(INITIAL_CRC, label.slice(CHECKED_FROM, SECTOR - CHECKED_FROM));
            if (stored == computed) {
                return new Findings(volume, "LVM2_member", at + TYPE_OFFSET)
                        .uuid(uuid(label))
                        .version("LVM2 001")
                        .build();
            }
            volume.warn(
                    at,
                    String.format(
                            "LVM2_member: label at %d: checksum is 0x%08x, computed is 0x%08x; not recognised",
                            at, stored, computed));
        }
        return null;
    }

    private static String uuid(ByteBuffer label) {
        String text =
                StandardCharsets.ISO_8859_1.decode(label.slice(UUID_OFFSET, 32)).toString();
        StringBuilder out = new StringBuilder(38).append(text, 0, GROUPS[1]);
        for (int i = 1; i < GROUPS.length - 1; i++) {
            out.append('-').append(text, GROUPS[i], GROUPS[i + 1]);
        }
        return out.toString();
    }
}
