package dev.platter.partition;

import dev.platter.core.Warning;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the partition table of a disk says. Immutable.
 *
 * @param type {@code dos} or {@code gpt}; for tables that are recognised but not read, the name that blkid gives them
 *     ({@code aix}, {@code bsd}, {@code mac}, {@code sgi}, {@code sun}); null if the disk has no partition table
 * @param id the disk's own id as sfdisk prints it: {@code 0x38ba5c5c} for dos, a GUID in upper case for gpt; null for all
 *     else
 * @param sectorSize logical sector size in bytes that the table was read with; every start and size is a multiple of it
 * @param fromBackup whether this is the backup GPT at the end of the disk, because the primary one is damaged
 * @param partitions in the order of their numbers
 * @param warnings what is odd or damaged, at most 101
 */
public record PartitionTable(
        @Nullable String type,
        @Nullable String id,
        int sectorSize,
        boolean fromBackup,
        List<Partition> partitions,
        List<Warning> warnings) {

    /** Copies the lists. */
    public PartitionTable {
        partitions = List.copyOf(partitions);
        warnings = List.copyOf(warnings);
    }

    static PartitionTable ofNone(int sectorSize, Findings findings) {
        return new PartitionTable(null, null, sectorSize, false, List.of(), findings.toList());
    }
}
