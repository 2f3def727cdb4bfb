package dev.platter.partition;

import dev.platter.core.BlockDevice;
import dev.platter.core.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Chooses one of the two copies of a GPT and makes partitions of it. UEFI specification, 5.3 "GUID Partition Table (GPT)
 * Disk Layout".
 *
 * <p>A copy is used if its checksums match and it fits the disk, the primary one first. If none fits, one that is whole but
 * contradicts the disk, by a range of usable sectors that is reversed or that a longer disk would have, is shown with a
 * warning, so that a cut-off image can be looked at; sfdisk refuses those.
 */
final class GptReader {
    private static final long PRIMARY_LBA = 1;

    private final BlockDevice disk;
    private final Sectors sectors;
    private final Limits limits;
    private final Findings findings;

    GptReader(BlockDevice disk, Sectors sectors, Limits limits, Findings findings) {
        this.disk = disk;
        this.sectors = sectors;
        this.limits = limits;
        this.findings = findings;
    }

    /** Returns the table, or null if neither copy can be used; findings say why. */
    @Nullable
    PartitionTable read() throws IOException {
        GptCopy primary = GptCopy.load("primary", PRIMARY_LBA, sectors, limits, findings);
        GptCopy backup = primary == null ? loadAt(sectors.count() - 1) : loadBackupOf(primary);
        boolean useBackup = backup != null && (primary == null || (!primary.fits() && backup.fits()));
        GptCopy chosen = useBackup ? backup : primary;
        if (chosen == null) {
            return null;
        }
        String name = useBackup ? "backup" : "primary";
        if (primary != null && !primary.fits()) {
            findings.add(sectors.offset(PRIMARY_LBA), "primary GPT header: " + primary.misfit());
        }
        if (backup != null && !backup.fits()) {
            findings.add(sectors.offset(backup.header().myLba()), "backup GPT header: " + backup.misfit());
        }
        if (primary == null || backup == null) {
            findings.add(-1, "GPT: only the " + name + " copy can be read; it is used");
        } else if (!primary.agreesWith(backup)) {
            findings.add(-1, "GPT: the primary and the backup copy differ; the " + name + " one is used");
        }
        return toTable(chosen, useBackup);
    }

    /** Looks where the primary copy points, as sfdisk and the kernel do, and otherwise at the last sector. */
    private @Nullable GptCopy loadBackupOf(GptCopy primary) throws IOException {
        long last = sectors.count() - 1;
        long alternate = primary.header().alternateLba();
        if (alternate == last) {
            return loadAt(last);
        }
        findings.add(
                sectors.offset(PRIMARY_LBA),
                "primary GPT header: says that the backup lies at sector " + Long.toUnsignedString(alternate)
                        + ", not at the last, " + last);
        if (alternate <= PRIMARY_LBA || alternate > last) {
            return loadAt(last);
        }
        return loadAt(alternate);
    }

    private @Nullable GptCopy loadAt(long lba) throws IOException {
        return GptCopy.load("backup", lba, sectors, limits, findings);
    }

    private PartitionTable toTable(GptCopy copy, boolean fromBackup) {
        GptHeader header = copy.header();
        List<Partition> partitions = new ArrayList<>();
        Map<String, Integer> numbers = new HashMap<>();
        ByteBuffer table = copy.entries();
        int entrySize = (int) header.entrySize();
        for (int index = 0; index < header.entryCount(); index++) {
            int at = index * entrySize;
            if (!GptEntry.isUsed(table, at)) {
                continue;
            }
            long offset = sectors.offset(header.entriesLba()) + at;
            if (partitions.size() == limits.partitions()) {
                findings.add(
                        offset,
                        "GPT entries: more partitions than the limit of " + limits.partitions() + "; those from number "
                                + (index + 1) + " are not shown");
                break;
            }
            GptEntry entry = GptEntry.parse(table, at, index);
            checkEntry(entry, header, offset);
            Integer twin = numbers.putIfAbsent(entry.uniqueGuid(), index + 1);
            if (twin != null) {
                findings.add(offset, name(entry) + ": has the same unique id as partition " + twin);
            }
            partitions.add(toPartition(entry));
        }
        PartitionChecks.check(partitions, disk.size(), findings);
        return new PartitionTable(
                "gpt", header.diskGuid(), sectors.sectorSize(), fromBackup, partitions, findings.toList());
    }

    private void checkEntry(GptEntry entry, GptHeader header, long offset) {
        String range = Long.toUnsignedString(entry.firstLba()) + ".." + Long.toUnsignedString(entry.lastLba());
        if (entry.isReversed()) {
            findings.add(offset, name(entry) + ": ends before it starts (sectors " + range + ")");
        } else if (!isCountable(entry)) {
            findings.add(offset, name(entry) + ": ends beyond what a disk can have (sectors " + range + ")");
        } else if (entry.firstLba() < header.firstUsableLba()
                || (entry.lastLba() > header.lastUsableLba() && entry.lastLba() < sectors.count())) {
            findings.add(
                    offset,
                    name(entry) + ": sectors " + range + " leave the usable ones, "
                            + Long.toUnsignedString(header.firstUsableLba()) + ".."
                            + Long.toUnsignedString(header.lastUsableLba()));
        }
    }

    private Partition toPartition(GptEntry entry) {
        long mostSectors = Long.MAX_VALUE / sectors.sectorSize();
        long start = entry.firstLba() >= 0 && entry.firstLba() < mostSectors ? entry.firstLba() : mostSectors;
        long count = isCountable(entry) ? entry.lastLba() - entry.firstLba() + 1 : 0;
        return new Partition(
                entry.index() + 1,
                start * sectors.sectorSize(),
                count * sectors.sectorSize(),
                entry.typeGuid(),
                GptTypes.nameOf(entry.typeGuid()),
                entry.name().isEmpty() ? null : entry.name(),
                entry.uniqueGuid(),
                entry.attributes(),
                entry.attributesText(),
                entry.isBootable(),
                null);
    }

    /** Returns whether first and last sector are in order, and the end is at most 2^63-1 in bytes. */
    private boolean isCountable(GptEntry entry) {
        return entry.firstLba() >= 0
                && entry.lastLba() >= entry.firstLba()
                && entry.lastLba() < Long.MAX_VALUE / sectors.sectorSize();
    }

    private static String name(GptEntry entry) {
        return "partition " + (entry.index() + 1);
    }
}
