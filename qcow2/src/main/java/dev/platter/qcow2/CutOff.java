package dev.platter.qcow2;

import dev.platter.core.CheckListener;
import dev.platter.core.CorruptImageException;
import java.io.IOException;

/**
 * Refuses to write to a file that was cut off: where it grew, clusters that are lost would read as zeros. All tables are
 * walked only where something hints at that: a cluster in use beyond the end, or a data file shorter than its disk.
 */
final class CutOff {
    private final Qcow2Opening opening;
    private final Qcow2Header header;
    private final HostFile file;
    private final HostFile dataFile;

    CutOff(Qcow2Opening opening) {
        this.opening = opening;
        this.header = opening.header;
        this.file = opening.file;
        this.dataFile = opening.dataFile;
    }

    /**
     * Looks for what lies beyond the end.
     *
     * @throws CorruptImageException if something does
     */
    void refuse(Allocator allocator) throws IOException {
        requireDataFile();
        if (dataFile != file || !allocator.isUsedFrom(Qcow2Check.clustersOf(file.askSize(), header.clusterBits()))) {
            return;
        }
        CheckListener silent = new CheckListener() {};
        Qcow2Check check =
                new Qcow2Check(header, file, opening.snapshots, opening.bitmaps, opening.options.limits(), silent);
        check.run();
        if (check.firstBeyondEnd() >= 0) {
            throw new CorruptImageException(file.name() + ": tables or data, the first at " + check.firstBeyondEnd()
                    + ", lie beyond the end of the file (" + file.fileSize()
                    + " bytes): the image is truncated; it can be read, but not written");
        }
    }

    /**
     * Looks for what lies beyond the end of an external data file.
     *
     * @throws CorruptImageException if something does
     */
    void requireDataFile() throws IOException {
        if (dataFile == file || dataFile.askSize() >= header.size()) {
            return;
        }
        ClusterMapper walk = new ClusterMapper(
                header,
                file,
                dataFile,
                header.l1TableOffset(),
                header.l1EntriesFor(header.size()),
                1,
                opening.walkBytes(),
                // whoever uses the image is told
                warning -> {});
        for (long at = 0; at < header.size(); ) {
            long empty = walk.runEnd(at, header.size(), L2Entry.UNALLOCATED);
            if (empty > at) {
                at = empty;
                continue;
            }
            long entry = walk.lookup(at);
            int kind = L2Entry.kind(entry);
            boolean subclusters =
                    kind == L2Entry.SUBCLUSTERS && (walk.subclusters(at) & SubclusterWriter.ALL_ALLOCATED) != 0;
            if (kind == L2Entry.BEYOND_END || (subclusters && !dataFile.holds(L2Entry.offset(entry), 1))) {
                throw new CorruptImageException(dataFile.name() + ": the data of guest offset " + at + " at "
                        + L2Entry.offset(entry) + " lie beyond the end of the file (" + dataFile.fileSize()
                        + " bytes): it is truncated; the image can be read, but not written");
            }
            at += header.clusterSize();
        }
    }
}
