package dev.platter.qcow2;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import java.io.IOException;

/** Adds what a bitmap says, of this or another image, to a bitmap of an image that is written. */
final class BitmapMerge {
    /** Bits that are added at once: 16 MiB of memory at most. */
    private static final long STEP = 1L << 20;

    private static final int MOST_PAGES = 4096;

    private final TableWriter tables;
    private final String name;
    private final int granularityBits;
    private DirtyBits bits;

    BitmapMerge(TableWriter tables, String name) throws DiskImageException {
        this.tables = tables;
        this.name = name;
        tables.changing.lock();
        try {
            this.granularityBits = tables.bitmaps.granularityBits(name);
            this.bits = tables.bitmaps.bitsFor(name);
        } finally {
            tables.changing.unlock();
        }
    }

    /** Bitmaps of other granularity make dirty all that their ranges touch. */
    void add(DiskImage source, String sourceBitmap) throws IOException {
        source.dirtyRanges(sourceBitmap, (offset, length) -> {
            long last = ((offset + length - 1) >>> granularityBits) + 1;
            for (long at = offset >>> granularityBits; at < last; at += STEP) {
                bits.set(at, Math.min(last, at + STEP));
                if (bits.usedPages() >= MOST_PAGES) {
                    merge();
                }
            }
            return true;
        });
        merge();
    }

    private void merge() throws IOException {
        DirtyBits taken = bits;
        tables.changeBitmaps(bitmaps -> {
            bitmaps.merge(name, taken);
            bits = bitmaps.bitsFor(name);
        });
    }
}
