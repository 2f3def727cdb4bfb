package dev.platter.filesystem;

import java.io.IOException;
import java.nio.ByteBuffer;
import org.jspecify.annotations.Nullable;

/** exFAT. */
final class ExfatProbe implements Probe {
    private static final int CHECKED_SECTORS = 11;

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(0, ExfatBootSector.SIZE);
        if (bytes == null || !Fields.has(bytes, ExfatBootSector.MAGIC_OFFSET, ExfatBootSector.MAGIC)) {
            return null;
        }
        ExfatBootSector sector = ExfatBootSector.parse(bytes);
        String flaw = sector.flaw();
        if (flaw == null) {
            flaw = checksumFlaw(volume, sector);
        }
        return flaw == null ? describe(volume, sector) : volume.reject(0, "exfat: boot sector at 0: " + flaw);
    }

    private static FileSystem describe(Volume volume, ExfatBootSector sector) throws IOException {
        ExfatRootDirectory root = ExfatRootDirectory.read(volume, sector);
        Findings findings = new Findings(volume, "exfat", ExfatBootSector.MAGIC_OFFSET)
                .label(root.label())
                .uuid(Fields.serial(sector.serial()))
                .version(sector.majorRevision() + "." + sector.minorRevision())
                .blockSize(sector.clusterSize())
                .size(sector.sectors(), sector.sectorSize())
                .state(sector.isClean());
        long free = root.countFree();
        if (free >= 0) {
            findings.free(free, sector.clusterSize())
                    .usage(DiskUsage.ofBlocks(sector.clusterSize(), sector.clusters(), free, free, true));
        }
        return findings.build();
    }

    /** "exFAT file system specification", section 3.4: every word of the twelfth sector is the sum of those before. */
    private static @Nullable String checksumFlaw(Volume volume, ExfatBootSector sector) throws IOException {
        int size = sector.sectorSize();
        ByteBuffer region = volume.bytes(0, (CHECKED_SECTORS + 1) * size);
        if (region == null) {
            return "is cut off, its boot region has " + (CHECKED_SECTORS + 1) * size + " bytes";
        }
        int sum = 0;
        for (int i = 0; i < CHECKED_SECTORS * size; i++) {
            if (i != 106 && i != 107 && i != 112) {
                sum = Integer.rotateRight(sum, 1) + Fields.u8(region, i);
            }
        }
        for (int i = 0; i < size; i += 4) {
            int stored = region.getInt(CHECKED_SECTORS * size + i);
            if (stored != sum) {
                return String.format("checksum is 0x%08x, computed is 0x%08x", stored, sum);
            }
        }
        return null;
    }
}
