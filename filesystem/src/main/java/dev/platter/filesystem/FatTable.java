package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The first file allocation table of a FAT volume. */
final class FatTable {
    /** A multiple of every entry size: no entry, and no pair of 12-bit ones, lies across two chunks. */
    private static final int CHUNK = 48 << 10;

    private final Volume volume;
    private final FatBootSector sector;
    private final long offset;

    FatTable(Volume volume, FatBootSector sector) {
        this.volume = volume;
        this.sector = sector;
        this.offset = (long) sector.reservedSectors() * sector.sectorSize();
    }

    /**
     * Says whether entry 1 has its "clean shutdown" and "no errors" bits set; null where it cannot be read, or with
     * FAT12, which has none. Microsoft, "FAT: General Overview", "FAT[1]".
     */
    @Nullable
    Boolean isClean() throws IOException {
        if (sector.entryBits() == 12) {
            return null;
        }
        ByteBuffer start = volume.bytes(offset, 8);
        if (start == null) {
            return null;
        }
        return sector.entryBits() == 16
                ? (u16(start, 2) & 0xC000) == 0xC000
                : (u32(start, 4) & 0x0C00_0000) == 0x0C00_0000;
    }

    /** Returns the entry of a cluster, or -1 when it cannot be read; FAT32 only. */
    long next(long cluster) throws IOException {
        ByteBuffer entry = volume.bytes(offset + 4 * cluster, 4);
        return entry == null ? -1 : u32(entry, 0) & 0x0FFF_FFFF;
    }

    /** Counts the entries that are 0, or returns -1 when the table cannot be read within the limits. */
    long countFree() throws IOException {
        int bits = sector.entryBits();
        long entries = sector.usableClusters() + 2;
        long bytes = (entries * bits + 7) / 8;
        if (bytes > volume.budget()) {
            return -1;
        }
        long free = 0;
        long left = entries;
        for (long at = 0; at < bytes; at += CHUNK) {
            ByteBuffer chunk = volume.bytes(offset + at, (int) Math.min(CHUNK, bytes - at));
            if (chunk == null) {
                return -1;
            }
            int count = (int) Math.min(left, CHUNK * 8L / bits);
            free += countFree(chunk, at == 0 ? 2 : 0, count, bits);
            left -= count;
        }
        return free;
    }

    private static int countFree(ByteBuffer chunk, int first, int end, int bits) {
        return switch (bits) {
            case 32 -> countFree32(chunk, first, end);
            case 16 -> countFree16(chunk, first, end);
            default -> countFree12(chunk, first, end);
        };
    }

    /** Two entries at a time: of most volumes most are 0, and both together then too. */
    private static int countFree32(ByteBuffer chunk, int first, int end) {
        int free = 0;
        int i = first;
        for (; i + 1 < end; i += 2) {
            long pair = chunk.getLong(4 * i) & 0x0FFF_FFFF_0FFF_FFFFL;
            if (pair == 0) {
                free += 2;
            } else if ((int) pair == 0 || pair >>> 32 == 0) {
                free++;
            }
        }
        return i < end && (chunk.getInt(4 * i) & 0x0FFF_FFFF) == 0 ? free + 1 : free;
    }

    private static int countFree16(ByteBuffer chunk, int first, int end) {
        int free = 0;
        for (int i = first; i < end; i++) {
            free += chunk.getShort(2 * i) == 0 ? 1 : 0;
        }
        return free;
    }

    private static int countFree12(ByteBuffer chunk, int first, int end) {
        int free = 0;
        for (int i = first; i < end; i++) {
            int pair = u16(chunk, i + i / 2);
            free += (i % 2 == 0 ? pair & 0xfff : pair >> 4) == 0 ? 1 : 0;
        }
        return free;
    }
}
