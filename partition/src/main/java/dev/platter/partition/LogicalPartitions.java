package dev.platter.partition;

import dev.platter.core.Limits;
import dev.platter.partition.Partition.Role;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Follows the chains of extended boot records (EBR) as Linux does (block/partitions/msdos.c, libblkid/src/partitions/dos.c).
 * Each EBR has up to four entries; those that are not extended are logical partitions, relative to this EBR; the first
 * extended one links to the next EBR, relative to the primary extended partition.
 *
 * <p>Each EBR is read at most once and there are at most {@link Limits#partitions()}, so the work is linear. Links may lead
 * backwards: sfdisk writes such chains and Linux follows them, though recent libblkid stops there. As there, what begins
 * outside the extended partition is neither followed nor listed, and a second partition at the same start is ignored.
 */
final class LogicalPartitions {
    private static final int FIRST_NUMBER = 5;

    private final Sectors sectors;
    private final Limits limits;
    private final Findings findings;
    private final MbrReader.Sink sink;
    private final Set<Long> visited = new HashSet<>();
    private final Set<Long> starts = new HashSet<>();
    private int nextNumber = FIRST_NUMBER;

    /** Takes the sink for what is found, and the primary entries, whose starts count as taken. */
    LogicalPartitions(
            Sectors sectors, Limits limits, Findings findings, List<MbrEntry> primaries, MbrReader.Sink sink) {
        this.sectors = sectors;
        this.limits = limits;
        this.findings = findings;
        this.sink = sink;
        primaries.stream().filter(entry -> entry.count() != 0).forEach(entry -> starts.add(entry.start()));
    }

    /** Lists the logical partitions of one extended one; what is wrong ends the chain and is a finding. */
    void walk(int number, MbrEntry extended) throws IOException {
        if (extended.start() == 0) {
            findings.add(0, "partition " + number + ": an extended partition at sector 0 is not followed");
            return;
        }
        long at = extended.start();
        long length = extended.count();
        while (true) {
            Mbr ebr = readEbr(at);
            if (ebr == null || !addData(ebr, at, length, extended)) {
                return;
            }
            MbrEntry link = linkOf(ebr);
            if (link == null) {
                return;
            }
            if (link.start() >= extended.count()) {
                findings.add(
                        sectors.offset(at),
                        ebrName(at) + ": links to sector " + (extended.start() + link.start())
                                + ", outside the extended partition; logical partitions may be missing");
                return;
            }
            at = extended.start() + link.start();
            length = link.count();
        }
    }

    private @Nullable Mbr readEbr(long at) throws IOException {
        if (visited.contains(at)) {
            findings.add(sectors.offset(at), ebrName(at) + ": is linked to twice: the chain is a loop and ends here");
            return null;
        }
        if (visited.size() == limits.partitions()) {
            findings.add(
                    sectors.offset(at),
                    ebrName(at) + ": the chain is longer than the limit of " + limits.partitions()
                            + " partitions; the rest is not shown");
            return null;
        }
        visited.add(at);
        ByteBuffer sector = sectors.tryRead(ebrName(at), at, Mbr.SIZE);
        if (sector == null) {
            return null;
        }
        Mbr ebr = Mbr.parse(sector);
        if (!ebr.signed()) {
            findings.add(sectors.offset(at), ebrName(at) + ": has no 55 AA at its end; the chain ends here");
            return null;
        }
        return ebr;
    }

    /** Lists the data entries of an EBR; returns whether there is room for more. */
    private boolean addData(Mbr ebr, long at, long length, MbrEntry extended) {
        for (int slot = 0; slot < ebr.entries().size(); slot++) {
            MbrEntry entry = ebr.entries().get(slot);
            if (!entry.isUsed() || entry.isExtended()) {
                continue;
            }
            String problem = problemOf(slot, entry, at, length, extended);
            if (problem != null) {
                findings.add(
                        sectors.offset(at) + Mbr.entryAt(slot),
                        ebrName(at) + ": entry " + (slot + 1) + " " + problem + " and is ignored");
            } else if (nextNumber - FIRST_NUMBER == limits.partitions()) {
                findings.add(
                        sectors.offset(at),
                        ebrName(at) + ": more logical partitions than the limit of " + limits.partitions()
                                + "; the rest is not shown");
                return false;
            } else {
                add(entry, at, extended);
            }
        }
        return true;
    }

    private void add(MbrEntry entry, long at, MbrEntry extended) {
        long start = at + entry.start();
        starts.add(start);
        if (start + entry.count() > extended.end()) {
            findings.add(sectors.offset(start), "partition " + nextNumber + ": ends outside the extended partition");
        }
        sink.add(nextNumber, entry, start, Role.LOGICAL);
        nextNumber++;
    }

    /** The third and fourth entry are used by OS/2 only, and hold junk elsewhere: they are believed if they fit. */
    private @Nullable String problemOf(int slot, MbrEntry entry, long at, long length, MbrEntry extended) {
        long start = at + entry.start();
        if (entry.count() == 0) {
            return "has no length";
        }
        if (start >= extended.end()) {
            return "starts at sector " + start + ", outside the extended partition,";
        }
        if (slot >= 2 && (entry.end() > length || start + entry.count() > extended.end())) {
            return "does not fit";
        }
        return starts.contains(start) ? "starts at sector " + start + " like another partition" : null;
    }

    private static @Nullable MbrEntry linkOf(Mbr ebr) {
        for (MbrEntry entry : ebr.entries()) {
            if (entry.isExtended() && entry.count() != 0) {
                return entry;
            }
        }
        return null;
    }

    private static String ebrName(long at) {
        return "extended boot record at sector " + at;
    }
}
