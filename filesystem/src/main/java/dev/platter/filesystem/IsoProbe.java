package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/**
 * ISO 9660, with the label of Joliet where there is one, and its forerunner High Sierra. ECMA-119, section 8, "Volume
 * descriptors"; libblkid, iso9660.c.
 */
final class IsoProbe implements Probe {
    private static final int SECTOR = 2048;
    private static final int FIRST = 16 * SECTOR;
    /** libblkid looks at no more descriptors. */
    private static final int MAX_DESCRIPTORS = 16;

    private static final int SUPPLEMENTARY = 2;
    private static final int TERMINATOR = 255;
    private static final int DATE_CREATED = 813;
    private static final int DATE_MODIFIED = 830;
    private static final int LABEL = 40;
    private static final int LABEL_BYTES = 32;

    @Override
    public Family family() {
        return Family.TOLERANT;
    }

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer primary = volume.bytes(FIRST, SECTOR);
        if (primary == null) {
            return null;
        }
        if (Fields.has(primary, 9, "CDROM")) {
            return new Findings(volume, "iso9660", FIRST + 9)
                    .label(Fields.text(primary, 48, LABEL_BYTES))
                    .version("High Sierra")
                    .build();
        }
        if (!Fields.has(primary, 1, "CD001")) {
            return null;
        }
        Findings findings = new Findings(volume, "iso9660", FIRST + 1)
                .label(Fields.text(primary, LABEL, LABEL_BYTES))
                .uuid(uuid(primary));
        ByteBuffer joliet = joliet(volume);
        if (joliet != null) {
            findings.version("Joliet Extension").label(jolietLabel(primary, joliet));
        }
        int blockSize = u16(primary, 128);
        if (!Fields.isPowerOfTwo(blockSize)) {
            findings.warn(FIRST + 128, "block size is " + blockSize + ", which is no power of two");
            return findings.build();
        }
        long blocks = u32(primary, 80);
        return findings.blockSize(blockSize)
                .size(blocks, blockSize)
                .free(0, blockSize)
                .used(blocks, blockSize)
                .usage(DiskUsage.ofBlocks(blockSize, blocks, 0, 0, true))
                .build();
    }

    private static @Nullable ByteBuffer joliet(Volume volume) throws IOException {
        for (int i = 1; i <= MAX_DESCRIPTORS; i++) {
            ByteBuffer descriptor = volume.bytes(FIRST + (long) i * SECTOR, SECTOR);
            if (descriptor == null || u8(descriptor, 0) == TERMINATOR || !Fields.has(descriptor, 1, "CD001")) {
                return null;
            }
            // Joliet specification, "SVD Escape Sequences": UCS-2 of level 1, 2 and 3.
            boolean escape = Fields.has(descriptor, 88, "%/@")
                    || Fields.has(descriptor, 88, "%/C")
                    || Fields.has(descriptor, 88, "%/E");
            if (u8(descriptor, 0) == SUPPLEMENTARY && escape) {
                return descriptor;
            }
        }
        return null;
    }

    /**
     * The label of Joliet has room for 16 characters, that of ISO 9660 for 32 in capitals. Where one begins like the
     * other, the rest comes from the longer one. An underscore stands for all that is not in the small alphabet.
     */
    private static @Nullable String jolietLabel(ByteBuffer primary, ByteBuffer joliet) {
        String wide = Fields.utf16(joliet, LABEL, LABEL_BYTES / 2, StandardCharsets.UTF_16BE);
        String plain = Fields.text(primary, LABEL, LABEL_BYTES);
        if (wide == null || plain == null) {
            return wide == null ? plain : wide;
        }
        if (wide.length() < LABEL_BYTES / 2 || plain.length() <= wide.length()) {
            return wide;
        }
        String capitals = wide.toUpperCase(Locale.ROOT);
        for (int i = 0; i < wide.length(); i++) {
            char c = Character.toUpperCase(plain.charAt(i));
            if (c != '_' && (capitals.length() != wide.length() || c != capitals.charAt(i))) {
                return wide;
            }
        }
        return wide + plain.substring(wide.length());
    }

    /** The date of modification, or when that is not set of creation, with dashes. */
    private static @Nullable String uuid(ByteBuffer primary) {
        String modified = date(primary, DATE_MODIFIED);
        return modified == null ? date(primary, DATE_CREATED) : modified;
    }

    private static @Nullable String date(ByteBuffer primary, int at) {
        String digits =
                StandardCharsets.ISO_8859_1.decode(primary.slice(at, 16)).toString();
        if (digits.equals("0".repeat(16)) && primary.get(at + 16) == 0) {
            return null;
        }
        StringBuilder out = new StringBuilder(22).append(digits, 0, 4);
        for (int i = 4; i < digits.length(); i += 2) {
            out.append('-').append(digits, i, i + 2);
        }
        return out.toString();
    }
}
