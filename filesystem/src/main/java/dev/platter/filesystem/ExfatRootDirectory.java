package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;
import static dev.platter.filesystem.Fields.u8;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** The root directory of exFAT, as far as label and allocation bitmap. "exFAT file system specification", section 7. */
final class ExfatRootDirectory {
    private static final int ENTRY = 32;
    private static final int CHUNK = 4096;
    private static final int BITMAP_CHUNK = 64 << 10;
    /** The entries looked for come first in the directories that all programs write. */
    private static final int MAX_BYTES = 1 << 20;

    private static final int ALLOCATION_BITMAP = 0x81;
    private static final int VOLUME_LABEL = 0x83;
    private static final int MAX_LABEL = 11;

    private final Volume volume;
    private final ExfatBootSector sector;
    private @Nullable String label;
    private boolean labelSeen;
    private long bitmapCluster;
    private long bitmapBytes;
    private boolean ended;

    private ExfatRootDirectory(Volume volume, ExfatBootSector sector) {
        this.volume = volume;
        this.sector = sector;
    }

    static ExfatRootDirectory read(Volume volume, ExfatBootSector sector) throws IOException {
        ExfatRootDirectory root = new ExfatRootDirectory(volume, sector);
        long cluster = sector.rootCluster();
        for (int bytes = 0; bytes < MAX_BYTES && !root.ended && sector.hasCluster(cluster); ) {
            root.readCluster(cluster);
            bytes += sector.clusterSize();
            ByteBuffer next = root.ended ? null : volume.bytes(sector.entryOffset(cluster), 4);
            cluster = next == null ? 0 : u32(next, 0);
        }
        return root;
    }

    @Nullable
    String label() {
        return label;
    }

    /** Counts the clear bits of the allocation bitmap, or returns -1 when it cannot be read or is not in one piece. */
    long countFree() throws IOException {
        long needed = (sector.clusters() + 7) / 8;
        if (!sector.hasCluster(bitmapCluster) || bitmapBytes < needed || needed > volume.budget() || !isInOnePiece()) {
            return -1;
        }
        long offset = sector.clusterOffset(bitmapCluster);
        long left = sector.clusters();
        long free = 0;
        for (long at = 0; at < needed; at += BITMAP_CHUNK) {
            ByteBuffer chunk = volume.bytes(offset + at, (int) Math.min(BITMAP_CHUNK, needed - at));
            if (chunk == null) {
                return -1;
            }
            int bits = (int) Math.min(left, 8L * chunk.limit());
            free += bits - Fields.countSetBits(chunk, bits);
            left -= bits;
        }
        return free;
    }

    /** Whether the clusters of the bitmap follow one another, so that it can be read without walking its chain. */
    private boolean isInOnePiece() throws IOException {
        long pieces = ((sector.clusters() + 7) / 8 - 1) / sector.clusterSize() + 1;
        if (pieces == 1) {
            return true;
        }
        if (4 * pieces > volume.budget()) {
            return false;
        }
        ByteBuffer chain = volume.bytes(sector.entryOffset(bitmapCluster), (int) (4 * (pieces - 1)));
        if (chain == null) {
            return false;
        }
        for (int i = 0; i < pieces - 1; i++) {
            if (u32(chain, 4 * i) != bitmapCluster + i + 1) {
                return false;
            }
        }
        return true;
    }

    private void readCluster(long cluster) throws IOException {
        long offset = sector.clusterOffset(cluster);
        int length = Math.min(MAX_BYTES, sector.clusterSize());
        for (int at = 0; at < length && !ended; at += CHUNK) {
            ByteBuffer entries = volume.bytes(offset + at, Math.min(CHUNK, length - at));
            if (entries == null) {
                ended = true;
                return;
            }
            for (int i = 0; i < entries.limit() && !ended; i += ENTRY) {
                readEntry(entries, i);
            }
        }
    }

    private void readEntry(ByteBuffer entries, int at) {
        int type = u8(entries, at);
        if (type == 0) {
            ended = true;
        } else if (type == VOLUME_LABEL && !labelSeen) {
            labelSeen = true;
            label = Fields.utf16le(entries, at + 2, Math.min(MAX_LABEL, u8(entries, at + 1)));
        } else if (type == ALLOCATION_BITMAP && bitmapCluster == 0 && (u8(entries, at + 1) & 1) == 0) {
            bitmapCluster = u32(entries, at + 20);
            bitmapBytes = entries.getLong(at + 24);
        }
        ended |= labelSeen && bitmapCluster != 0;
    }
}
