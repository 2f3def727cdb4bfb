package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u16;
import static dev.platter.filesystem.Fields.u8;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** NTFS. */
final class NtfsProbe implements Probe {
    private static final int VOLUME_IS_DIRTY = 1;

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(0, NtfsBootSector.SIZE);
        if (bytes == null || !Fields.has(bytes, NtfsBootSector.MAGIC_OFFSET, NtfsBootSector.MAGIC)) {
            return null;
        }
        NtfsBootSector sector = NtfsBootSector.parse(bytes);
        String flaw = sector.flaw();
        if (flaw != null) {
            return volume.reject(0, "ntfs: boot sector at 0: " + flaw);
        }
        long at = sector.recordOffset(0);
        ByteBuffer first = volume.bytes(at, sector.recordBytes());
        ByteBuffer third = volume.bytes(sector.recordOffset(MftRecord.VOLUME), sector.recordBytes());
        if (first == null || third == null || !Fields.has(first, 0, "FILE") || !Fields.has(third, 0, "FILE")) {
            return volume.reject(at, "ntfs: no master file table at " + at);
        }
        return describe(volume, sector, MftRecord.parse(third));
    }

    private static FileSystem describe(Volume volume, NtfsBootSector sector, @Nullable MftRecord record)
            throws IOException {
        Findings findings = new Findings(volume, "ntfs", NtfsBootSector.MAGIC_OFFSET)
                .uuid(String.format("%016X", sector.serial()))
                .blockSize(sector.clusterBytes())
                .size(sector.clusters(), sector.clusterBytes());
        if (record == null) {
            findings.warn(sector.recordOffset(MftRecord.VOLUME), "record 3 ($Volume) of the MFT is damaged");
        } else {
            addVolumeRecord(record, findings);
        }
        long free = new NtfsBitmap(volume, sector).countFree();
        if (free >= 0) {
            findings.free(free, sector.clusterBytes())
                    .usage(DiskUsage.ofBlocks(sector.clusterBytes(), sector.clusters(), free, free, true));
        }
        return findings.build();
    }

    private static void addVolumeRecord(MftRecord record, Findings findings) {
        ByteBuffer name = record.value(MftRecord.ATTR_VOLUME_NAME);
        if (name != null) {
            findings.label(Fields.utf16le(name, 0, name.limit() / 2));
        }
        ByteBuffer information = record.value(MftRecord.ATTR_VOLUME_INFORMATION);
        if (information != null && information.limit() >= 12) {
            findings.version(u8(information, 8) + "." + u8(information, 9))
                    .state((u16(information, 10) & VOLUME_IS_DIRTY) == 0);
        }
    }
}
