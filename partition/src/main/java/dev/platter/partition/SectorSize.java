package dev.platter.partition;

import dev.platter.core.BlockDevice;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/**
 * Finds the logical sector size of a disk with a GPT, which no field tells: by where its headers are. Other disks do not
 * show it, and get 512.
 */
final class SectorSize {
    static final int DEFAULT = 512;
    static final int LARGE = 4096;

    private SectorSize() {}

    static boolean isKnown(int bytes) {
        return bytes == DEFAULT || bytes == LARGE;
    }

    /** Returns the size for which more of a GPT is there, 512 if both are equal. */
    static int detect(BlockDevice disk) throws IOException {
        return score(disk, LARGE) > score(disk, DEFAULT) ? LARGE : DEFAULT;
    }

    /** A header that points to the end of this disk is the best proof; a signature alone is better than none. */
    private static int score(BlockDevice disk, int sectorSize) throws IOException {
        Sectors sectors = new Sectors(disk, sectorSize, new Findings());
        long last = sectors.count() - 1;
        GptHeader primary = headerAt(sectors, 1);
        if (primary != null && primary.isGenuine(1)) {
            return Long.compareUnsigned(primary.alternateLba(), last) <= 0 ? 4 : 3;
        }
        GptHeader backup = headerAt(sectors, last);
        if (backup != null && backup.isGenuine(last)) {
            return 2;
        }
        return primary != null ? 1 : 0;
    }

    static @Nullable GptHeader headerAt(Sectors sectors, long lba) throws IOException {
        ByteBuffer sector = sectors.tryRead("GPT header", lba, sectors.sectorSize());
        return sector == null ? null : GptHeader.parse(sector);
    }
}
