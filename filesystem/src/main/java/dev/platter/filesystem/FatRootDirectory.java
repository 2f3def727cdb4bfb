package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u8;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The root directory of a FAT volume, as far as its label. Microsoft, "FAT: General Overview", "Directory Structure". */
final class FatRootDirectory {
    private static final int ENTRY = 32;
    private static final int CHUNK = 4096;
    /** libblkid looks no further along the chain of FAT32. */
    private static final int MAX_CLUSTERS = 100;

    private static final int ATTR_VOLUME_ID = 0x08;
    private static final int ATTR_DIRECTORY = 0x10;
    private static final int ATTR_LONG_NAME = 0x0f;

    private final Volume volume;
    private final FatBootSector sector;
    private final FatTable table;
    private @Nullable String label;
    private boolean ended;

    FatRootDirectory(Volume volume, FatBootSector sector, FatTable table) {
        this.volume = volume;
        this.sector = sector;
        this.table = table;
    }

    /** Returns the label of the volume as its root directory has it, or null. The copy in the boot sector is no label. */
    @Nullable
    String label() throws IOException {
        if (!sector.wide()) {
            search(sector.rootSector() * sector.sectorSize(), (long) sector.rootEntries() * ENTRY);
            return label;
        }
        long cluster = sector.rootCluster();
        for (int i = 0; i < MAX_CLUSTERS && !ended; i++) {
            if (cluster < 2 || cluster >= sector.usableClusters() + 2) {
                break;
            }
            search(sector.clusterOffset(cluster), sector.clusterSize());
            cluster = ended ? 0 : table.next(cluster);
        }
        return label;
    }

    private void search(long offset, long length) throws IOException {
        for (long at = 0; at < length && !ended; at += CHUNK) {
            ByteBuffer entries = volume.bytes(offset + at, (int) Math.min(CHUNK, length - at));
            if (entries == null) {
                ended = true;
                return;
            }
            searchEntries(entries);
        }
    }

    private void searchEntries(ByteBuffer entries) {
        for (int i = 0; i < entries.limit() && !ended; i += ENTRY) {
            int first = u8(entries, i);
            int attributes = u8(entries, i + 11);
            if (first == 0) {
                ended = true;
            } else if (first != 0xE5
                    && u16(entries, i + 20) == 0
                    && u16(entries, i + 26) == 0
                    && (attributes & 0x3f) != ATTR_LONG_NAME
                    && (attributes & (ATTR_VOLUME_ID | ATTR_DIRECTORY)) == ATTR_VOLUME_ID) {
                ended = true;
                label = decode(entries, i, first);
            }
        }
    }

    private static @Nullable String decode(ByteBuffer entries, int index, int first) {
        if (first != 0x05) {
            String text = Fields.text(entries, index, 11);
            return "NO NAME".equals(text) ? null : text;
        }
        byte[] name = new byte[11];
        entries.get(index, name);
        name[0] = (byte) 0xE5; // stored as 05, because E5 marks a deleted entry
        return Fields.text(ByteBuffer.wrap(name), 0, name.length);
    }
}
