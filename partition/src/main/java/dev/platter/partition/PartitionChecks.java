package dev.platter.partition;

import dev.platter.partition.Partition.Role;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What can be wrong with partitions of any table: they leave the disk, or lie upon each other. */
final class PartitionChecks {

    private PartitionChecks() {}

    static void check(List<Partition> partitions, long diskSize, Findings findings) {
        List<Partition> outer = new ArrayList<>();
        List<Partition> logical = new ArrayList<>();
        for (Partition partition : partitions) {
            checkEnd(partition, diskSize, findings);
            (partition.role() == Role.LOGICAL ? logical : outer).add(partition);
        }
        checkOverlaps(outer, findings);
        checkOverlaps(logical, findings); // these lie in an extended one, which the line above has compared
    }

    private static void checkEnd(Partition partition, long diskSize, Findings findings) {
        long end = partition.start() + partition.size();
        if (partition.start() >= diskSize) {
            findings.add(
                    partition.start(),
                    name(partition) + ": starts at " + partition.start() + ", beyond the end of the disk (" + diskSize
                            + " bytes)");
        } else if (end > diskSize) {
            findings.add(
                    partition.start(),
                    name(partition) + ": ends at " + end + ", beyond the end of the disk (" + diskSize + " bytes)");
        }
    }

    /** Sorts by start and compares each with the one that reaches farthest before it: n log n, one finding each. */
    private static void checkOverlaps(List<Partition> partitions, Findings findings) {
        partitions.sort(Comparator.comparingLong(Partition::start));
        Partition farthest = null;
        for (Partition partition : partitions) {
            if (partition.size() == 0) {
                continue;
            }
            if (farthest != null && partition.start() < end(farthest)) {
                findings.add(partition.start(), name(partition) + ": overlaps partition " + farthest.number());
            }
            farthest = reachingFarther(farthest, partition);
        }
    }

    private static Partition reachingFarther(@Nullable Partition one, Partition other) {
        return one == null || end(other) > end(one) ? other : one;
    }

    private static long end(Partition partition) {
        return partition.start() + partition.size();
    }

    private static String name(Partition partition) {
        return "partition " + partition.number();
    }
}
