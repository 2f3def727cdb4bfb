package dev.platter.filesystem;

import static dev.platter.filesystem.Fields.u32;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** FAT12, FAT16 and FAT32, all of type {@code vfat}. */
final class FatProbe implements Probe {

    private record Magic(int offset, String text) {}

    /** libblkid, vfat.c. Only these are telling enough for a warning when the rest makes no sense. */
    private static final List<Magic> MAGICS = List.of(
            new Magic(0x52, "MSWIN"),
            new Magic(0x52, "FAT32   "),
            new Magic(0x36, "MSDOS"),
            new Magic(0x36, "FAT16   "),
            new Magic(0x36, "FAT12   "),
            new Magic(0x36, "FAT     "));

    /** What boot sectors without words begin or end with. */
    private static final List<Magic> WEAK_MAGICS =
            List.of(new Magic(0, "\u00eb"), new Magic(0, "\u00e9"), new Magic(0x1fe, "U\u00aa"));

    @Override
    public @Nullable FileSystem probe(Volume volume) throws IOException {
        ByteBuffer bytes = volume.bytes(0, FatBootSector.SIZE);
        if (bytes == null) {
            return null;
        }
        Magic magic = find(MAGICS, bytes);
        if (magic != null) {
            FatBootSector sector = FatBootSector.parse(bytes);
            String flaw = sector.flaw();
            return flaw == null
                    ? describe(volume, sector, magic.offset())
                    : volume.reject(0, "vfat: boot sector at 0: " + flaw);
        }
        Magic weak = find(WEAK_MAGICS, bytes);
        if (weak == null || !isPlainBootSector(bytes)) {
            return null;
        }
        FatBootSector sector = FatBootSector.parse(bytes);
        return sector.flaw() == null ? describe(volume, sector, weak.offset()) : null;
    }

    private static @Nullable Magic find(List<Magic> magics, ByteBuffer bytes) {
        for (Magic magic : magics) {
            if (Fields.has(bytes, magic.offset(), magic.text())) {
                return magic;
            }
        }
        return null;
    }

    /** OS/2 puts a sector that looks like FAT before JFS and HPFS. */
    private static boolean isPlainBootSector(ByteBuffer bytes) {
        return Fields.has(bytes, 0x1fe, "U\u00aa")
                && !Fields.has(bytes, 0x36, "JFS     ")
                && !Fields.has(bytes, 0x36, "HPFS    ");
    }

    private static FileSystem describe(Volume volume, FatBootSector sector, int offset) throws IOException {
        FatTable table = new FatTable(volume, sector);
        Findings findings = new Findings(volume, "vfat", offset)
                .label(new FatRootDirectory(volume, sector, table).label())
                .version("FAT" + sector.entryBits())
                .blockSize(sector.clusterSize())
                .size(sector.totalSectors(), sector.sectorSize());
        Long serial = sector.serial();
        if (serial != null) {
            findings.uuid(Fields.serial(serial));
        }
        if (sector.usableClusters() < sector.clusters()) {
            findings.warn(
                    0, "table has entries for " + sector.usableClusters() + " of " + sector.clusters() + " clusters");
        }
        addState(sector, table, findings);
        addUsage(volume, sector, table, findings);
        return findings.build();
    }

    private static void addState(FatBootSector sector, FatTable table, Findings findings) throws IOException {
        Boolean flag = table.isClean();
        boolean clean = flag == null || flag;
        findings.state(clean && (sector.dirtyFlags() & 1) == 0);
    }

    /** Linux, fs/fat/inode.c, {@code fat_statfs}: it counts the table and does not trust the FSInfo sector. */
    private static void addUsage(Volume volume, FatBootSector sector, FatTable table, Findings findings)
            throws IOException {
        long clusters = sector.usableClusters();
        long free = table.countFree();
        boolean exact = free >= 0;
        if (!exact) {
            free = infoFree(volume, sector);
        }
        if (free < 0 || free > clusters) {
            return;
        }
        findings.free(free, sector.clusterSize())
                .usage(DiskUsage.ofBlocks(sector.clusterSize(), clusters, free, free, exact));
    }

    /** Free clusters as the FSInfo sector of FAT32 says, or -1. */
    private static long infoFree(Volume volume, FatBootSector sector) throws IOException {
        if (!sector.wide() || sector.infoSector() == 0) {
            return -1;
        }
        ByteBuffer info = volume.bytes((long) sector.infoSector() * sector.sectorSize(), 512);
        if (info == null || !Fields.has(info, 0, "RRaA") || !Fields.has(info, 484, "rrAa")) {
            return -1;
        }
        long free = u32(info, 488);
        return free == 0xffff_ffffL ? -1 : free;
    }
}
