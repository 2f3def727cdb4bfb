package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import dev.platter.partition.Partition.Role;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Makes partitions of an MBR: numbers 1 to 4 by their slot, logical ones from 5 in the order of the chain. Starts and counts
 * are in logical sectors, whatever their size.
 */
final class MbrReader {
    /** A disk with many partitions would feel {@link String#format}. */
    private static final HexFormat HEX = HexFormat.of();

    private final BlockDevice disk;
    private final Sectors sectors;
    private final Limits limits;
    private final Findings findings;
    private final Mbr mbr;
    private final List<Partition> partitions = new ArrayList<>();

    /** Takes what was found. */
    @FunctionalInterface
    interface Sink {
        /** Takes one partition; {@code start} is its first sector on the disk. */
        void add(int number, MbrEntry entry, long start, Role role);
    }

    MbrReader(BlockDevice disk, Sectors sectors, Limits limits, Findings findings, Mbr mbr) {
        this.disk = disk;
        this.sectors = sectors;
        this.limits = limits;
        this.findings = findings;
        this.mbr = mbr;
    }

    PartitionTable read() throws IOException {
        for (int slot = 0; slot < mbr.entries().size(); slot++) {
            MbrEntry entry = mbr.entries().get(slot);
            if (entry.isUsed()) {
                checkPrimary(slot, entry);
                add(slot + 1, entry, entry.start(), entry.isExtended() ? Role.EXTENDED : Role.PRIMARY);
            }
        }
        addLogical();
        PartitionChecks.check(partitions, disk.size(), findings);
        return new PartitionTable(
                "dos", "0x" + diskId(mbr), sectors.sectorSize(), false, partitions, findings.toList());
    }

    private void addLogical() throws IOException {
        LogicalPartitions logical = new LogicalPartitions(sectors, limits, findings, mbr.entries(), this::add);
        int extended = 0;
        for (int slot = 0; slot < mbr.entries().size(); slot++) {
            MbrEntry entry = mbr.entries().get(slot);
            if (entry.isExtended() && entry.count() != 0) {
                extended++;
                if (extended == 2) {
                    findings.add(Mbr.entryAt(slot), "partition " + (slot + 1) + ": is a second extended partition");
                }
                logical.walk(slot + 1, entry);
            }
        }
    }

    private void checkPrimary(int slot, MbrEntry entry) {
        if (entry.count() == 0) {
            findings.add(Mbr.entryAt(slot), "partition " + (slot + 1) + ": has no length");
        } else if (entry.start() == 0) {
            findings.add(Mbr.entryAt(slot), "partition " + (slot + 1) + ": starts at sector 0 and covers the table");
        }
    }

    private void add(int number, MbrEntry entry, long start, Role role) {
        partitions.add(new Partition(
                number,
                start * sectors.sectorSize(),
                entry.count() * sectors.sectorSize(),
                "0x" + HEX.toHexDigits((byte) entry.type()),
                MbrTypes.nameOf(entry.type()),
                null,
                uuid(number),
                0,
                "",
                entry.isActive(),
                role));
    }

    private @Nullable String uuid(int number) {
        return mbr.diskId() == 0 ? null : diskId(mbr) + (number < 0x10 ? "-0" : "-") + Integer.toHexString(number);
    }

    private static String diskId(Mbr mbr) {
        return HEX.toHexDigits(mbr.diskId(), 8);
    }
}
