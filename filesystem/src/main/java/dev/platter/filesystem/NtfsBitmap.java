package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u8;

import java.io.IOException;
import java.nio.ByteBuffer;

/** {@code $Bitmap}, which has a bit for every cluster of an NTFS volume. */
final class NtfsBitmap {
    private static final int CHUNK = 64 << 10;
    /** Where a non-resident attribute begins to say where its runs begin. */
    private static final int RUNS_FIELD = 32;

    private static final int NON_RESIDENT_HEADER = 64;

    private final Volume volume;
    private final NtfsBootSector sector;
    /** Bytes of the bitmap that are still to be counted. */
    private long left;
    /** Clusters that are still to be counted: the last bits of the bitmap are padding. */
    private long clusters;

    private long free;

    NtfsBitmap(Volume volume, NtfsBootSector sector) {
        this.volume = volume;
        this.sector = sector;
        this.clusters = sector.clusters();
        this.left = (clusters + 7) / 8;
    }

    /** Counts clear bits, or returns -1 when the bitmap is damaged, cannot be read, or is more than the limits allow. */
    long countFree() throws IOException {
        ByteBuffer bytes = volume.bytes(sector.recordOffset(MftRecord.BITMAP), sector.recordBytes());
        MftRecord record = bytes == null ? null : MftRecord.parse(bytes);
        ByteBuffer data = record == null ? null : record.attribute(MftRecord.ATTR_DATA);
        if (data == null || left > volume.budget() || !count(data) || left > 0) {
            return -1;
        }
        return free;
    }

    private boolean count(ByteBuffer data) throws IOException {
        if (u8(data, 8) == 0) {
            return false; // a bitmap is never small enough to be resident
        }
        if (data.limit() < NON_RESIDENT_HEADER || data.getLong(16) != 0) {
            return false;
        }
        int at = u16(data, RUNS_FIELD);
        long cluster = 0;
        while (left > 0 && at < data.limit() && u8(data, at) != 0) {
            int lengthBytes = u8(data, at) & 0xf;
            int offsetBytes = u8(data, at) >> 4;
            if (lengthBytes > 8 || offsetBytes > 8 || lengthBytes + offsetBytes >= data.limit() - at) {
                return false;
            }
            long length = signed(data, at + 1, lengthBytes);
            long delta = signed(data, at + 1 + lengthBytes, offsetBytes);
            cluster += delta;
            if (offsetBytes == 0
                    || length <= 0
                    || cluster < 0
                    || cluster > sector.clusters()
                    || !countRun(cluster, length)) {
                return false;
            }
            at += 1 + lengthBytes + offsetBytes;
        }
        return true;
    }

    private boolean countRun(long cluster, long length) throws IOException {
        int clusterBytes = sector.clusterBytes();
        long run = length > left / clusterBytes ? left : length * clusterBytes;
        for (long at = 0; at < run; at += CHUNK) {
            ByteBuffer chunk = volume.bytes(cluster * clusterBytes + at, (int) Math.min(CHUNK, run - at));
            if (chunk == null) {
                return false;
            }
            int bits = (int) Math.min(clusters, 8L * chunk.limit());
            free += bits - Fields.countSetBits(chunk, bits);
            clusters -= bits;
        }
        left -= run;
        return true;
    }

    private static long signed(ByteBuffer data, int index, int length) {
        long value = 0;
        for (int i = 0; i < length; i++) {
            value |= (long) u8(data, index + i) << (8 * i);
        }
        int unused = 64 - 8 * length;
        return length == 0 ? 0 : value << unused >> unused;
    }
}
