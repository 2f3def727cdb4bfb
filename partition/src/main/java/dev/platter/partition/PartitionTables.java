package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Reads the partition table of a disk. What is recognised, and in which order, follows libblkid and sfdisk of util-linux;
 * the layouts are those of the UEFI specification, chapter 5 "GUID Partition Table (GPT) Disk Layout".
 */
public final class PartitionTables {
    private static final int HEAD_SIZE = 8192;
    private static final long UNKNOWN_COUNT = 0xffff_ffffL;

    private final BlockDevice disk;
    private final Sectors sectors;
    private final Limits limits;
    private final Findings findings;
    private final ByteBuffer firstSector;
    private final Mbr mbr;

    private PartitionTables(
            BlockDevice disk, int sectorSize, Limits limits, Findings findings, ByteBuffer firstSector, Mbr mbr) {
        this.disk = disk;
        this.sectors = new Sectors(disk, sectorSize, findings);
        this.limits = limits;
        this.findings = findings;
        this.firstSector = firstSector;
        this.mbr = mbr;
    }

    /**
     * Reads the partition table of a disk. A disk without one, such as a bare file system, is a normal answer, and so is
     * one with a damaged table: what can be shown is shown, and the warnings say what is wrong. If a protective MBR is all
     * that is left of a GPT, the answer is what sfdisk shows, a dos table with a partition of type {@code 0xee}.
     *
     * <p>Safe for use by many threads, as far as {@code disk} is. Holds at most 8 MiB, less if the limits say so.
     *
     * @param disk the whole disk; it is only read
     * @param sectorSize logical sector size in bytes, 512 or 4096; 0 takes what the features of the disk say, or finds out:
     *     a GPT is found with either size, an MBR alone does not show it and is read with 512
     * @param limits {@link Limits#partitions()} and {@link Limits#tableBytes()} apply
     * @throws IllegalArgumentException if {@code sectorSize} is another number
     * @throws IOException if the first sector cannot be read, so that nothing can be said, or the disk is closed
     */
    public static PartitionTable read(BlockDevice disk, int sectorSize, Limits limits) throws IOException {
        if (sectorSize != 0 && !SectorSize.isKnown(sectorSize)) {
            throw new IllegalArgumentException("sectorSize: " + sectorSize + " is neither 0, 512 nor 4096");
        }
        int stated = sectorSize != 0 ? sectorSize : disk.features().logicalSectorSize();
        Findings findings = new Findings();
        if (disk.size() < Mbr.SIZE) {
            return PartitionTable.ofNone(SectorSize.isKnown(stated) ? stated : SectorSize.DEFAULT, findings);
        }
        ByteBuffer first = Sectors.read(disk, 0, Mbr.SIZE);
        Mbr mbr = Mbr.parse(first);
        int size = SectorSize.DEFAULT;
        if (SectorSize.isKnown(stated)) {
            size = stated;
        } else if (mbr.isProtective()) {
            size = SectorSize.detect(disk);
        }
        return new PartitionTables(disk, size, limits, findings, first, mbr).read();
    }

    private PartitionTable read() throws IOException {
        String other = OtherTables.beforeMbr(firstSector);
        if (other == null && !mbr.signed()) {
            other = OtherTables.withoutMbr(head());
        }
        if (other != null) {
            findings.add(0, "partition table: is of type " + other + ", whose partitions are not read");
            return new PartitionTable(other, null, sectors.sectorSize(), false, List.of(), findings.toList());
        }
        if (!mbr.signed()) {
            warnOfIgnoredGpt("the first sector does not end in 55 AA");
            return PartitionTable.ofNone(sectors.sectorSize(), findings);
        }
        return mbr.isProtective() ? readGpt() : readMbr();
    }

    private PartitionTable readGpt() throws IOException {
        checkProtection();
        PartitionTable gpt = new GptReader(disk, sectors, limits, findings).read();
        if (gpt != null) {
            return gpt;
        }
        if (BootSector.fileSystem(firstSector) != null) {
            return PartitionTable.ofNone(sectors.sectorSize(), new Findings());
        }
        findings.add(0, "GPT: neither copy can be read; what is shown is the protective MBR");
        return new MbrReader(disk, sectors, limits, findings, mbr).read();
    }

    /** The protective entry covers the disk, as far as 32 bits count; 2^32-1 is used by some tools for any disk. */
    private void checkProtection() {
        int slot = mbr.slotOfPureProtection();
        if (slot < 0) {
            return;
        }
        long covered = mbr.entries().get(slot).count();
        if (covered != UNKNOWN_COUNT && covered != sectors.count() - 1) {
            findings.add(
                    Mbr.entryAt(slot),
                    "protective MBR: covers " + covered + " sectors, there are " + (sectors.count() - 1)
                            + " behind it");
        }
    }

    private PartitionTable readMbr() throws IOException {
        String noTable = reasonAgainstMbr();
        if (noTable != null) {
            if (!mbr.isEmpty()) {
                findings.add(Mbr.entryAt(0), "MBR: " + noTable + "; its partition entries are ignored");
            }
            return PartitionTable.ofNone(sectors.sectorSize(), findings);
        }
        warnOfIgnoredGpt("the MBR has no entry of type 0xee");
        return new MbrReader(disk, sectors, limits, findings, mbr).read();
    }

    private @Nullable String reasonAgainstMbr() throws IOException {
        String fileSystem = BootSector.fileSystem(firstSector);
        if (fileSystem != null) {
            return "the first sector is the boot sector of a file system (" + fileSystem + ")";
        }
        int slot = mbr.slotOfUnknownFlag();
        if (slot >= 0) {
            return String.format(
                    "the boot flag of entry %d is 0x%02x, allowed are 0x00 and 0x80",
                    slot + 1, mbr.entries().get(slot).flag());
        }
        if (mbr.isEmpty() && BootSector.hasLvmLabel(head())) {
            return "the disk is an LVM physical volume";
        }
        return null;
    }

    /** Returns the first 8 KiB, or less if the disk is shorter or the rest cannot be read. */
    private ByteBuffer head() throws IOException {
        ByteBuffer head = sectors.tryRead("first sectors", 0, (int) Math.min(HEAD_SIZE, disk.size()));
        return head == null ? firstSector : head;
    }

    private void warnOfIgnoredGpt(String reason) throws IOException {
        Sectors quiet = new Sectors(disk, sectors.sectorSize(), new Findings());
        GptHeader header = SectorSize.headerAt(quiet, 1);
        if (header != null && header.isGenuine(1)) {
            findings.add(sectors.offset(1), "GPT: the header at sector 1 is ignored, because " + reason);
        }
    }
}
