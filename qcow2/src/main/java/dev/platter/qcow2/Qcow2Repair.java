package dev.platter.qcow2;

import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.CorruptImageException;
import dev.platter.core.Limits;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Repairs an image that nobody uses, and writes only what is wrong. Refcounts that are too large are lowered in place.
 * Others are made anew from what refers to clusters, behind the end of the file, where nothing can be in their way, and one
 * write of the header leads there; what they took before is free afterwards. Then the flags that say which cluster belongs
 * to the disk alone. Source: qcow2.rst, "Host cluster management".
 */
final class Qcow2Repair {
    private static final int WINDOW = 1 << 22;
    private static final CheckListener SILENT = new CheckListener() {};

    private final Qcow2Header header;
    private final HostFile file;
    private final HeaderFields fields;
    private final int order;
    private final int blockBits;
    private final NewRefcounts counts;
    private boolean begun;

    Qcow2Repair(Qcow2Header header, HostFile file) throws IOException {
        this.header = header;
        this.file = file;
        this.fields = new HeaderFields(file);
        this.order = header.refcountOrder();
        this.blockBits = header.clusterBits() + 3 - order;
        this.counts =
                new NewRefcounts(header, file, order, Qcow2Check.clustersOf(file.askSize(), header.clusterBits()) + 1);
    }

    /** Repairs all that can be, and writes nothing where all is well; returns what was wrong. */
    CheckReport all(List<Snapshot> snapshots, List<Bitmap> bitmaps, Limits limits) throws IOException {
        Qcow2Check check = new Qcow2Check(header, file, snapshots, bitmaps, limits, SILENT);
        CheckReport report = check.run();
        boolean whole = report.corruptions() == 0 && report.checkErrors() == 0;
        if (!whole || report.leaks() > 0) {
            if (check.hasWrongRefcounts()) {
                rebuild(snapshots, bitmaps, limits);
            } else {
                requireAllCounted(check);
                lowerLeaks(snapshots, bitmaps, limits);
            }
            Qcow2Header now = Qcow2Header.read(file.storage());
            new OwnFlags(now, file, snapshots).set();
            file.sync();
            whole = new Qcow2Check(now, file, snapshots, bitmaps, limits, SILENT)
                            .run()
                            .corruptions()
                    == 0;
        }
        long marks = Qcow2Header.INCOMPAT_DIRTY | Qcow2Header.INCOMPAT_CORRUPT;
        if (whole && (header.incompatibleFeatures() & marks) != 0) {
            begin();
            fields.incompatibleFeatures(header.incompatibleFeatures() & ~marks);
            file.sync();
        }
        return report;
    }

    /** Makes the refcounts anew, whatever they were. */
    private void rebuild(List<Snapshot> snapshots, List<Bitmap> bitmaps, Limits limits) throws IOException {
        counts.requireRoom();
        // the new ones go behind the end of the file, so a look comes first
        Qcow2Check look = new Qcow2Check(header, file, snapshots, bitmaps, limits, SILENT, WINDOW, counts::requireFits);
        look.run();
        requireAllCounted(look);
        begin();
        new Qcow2Check(header, file, snapshots, bitmaps, limits, SILENT, WINDOW, this::take).run();
        NewRefcounts.Place place = counts.finish();
        fields.refcountTable(place.offset(), place.clusters());
        file.sync();
    }

    /** What is not counted would be free afterwards. */
    private void requireAllCounted(Qcow2Check check) throws CorruptImageException {
        if (check.firstUncounted() >= 0) {
            throw new CorruptImageException(file.name() + ": the entry at " + check.firstUncounted()
                    + " names clusters in a way that makes no sense; a repair would free what they hold");
        }
        if (check.firstBeyondEnd() >= 0) {
            throw new CorruptImageException(file.name() + ": tables or data lie beyond the end of the file ("
                    + file.fileSize() + " bytes): it is truncated, and a repair would hide what is lost");
        }
    }

    /** Before the first change: what a feature that we do not know keeps is said to be out of date. */
    private void begin() throws IOException {
        long kept = header.autoclearFeatures() & (Qcow2Header.AUTOCLEAR_BITMAPS | Qcow2Header.AUTOCLEAR_DATA_FILE_RAW);
        if (!begun && header.version() >= 3 && kept != header.autoclearFeatures()) {
            fields.autoclearFeatures(kept);
            file.sync();
        }
        begun = true;
    }

    /**
     * Lowers the refcounts of clusters that nobody uses, or fewer than it says, in place: each may stay undone. Returns what
     * was wrong.
     */
    CheckReport leaks(List<Snapshot> snapshots, List<Bitmap> bitmaps, Limits limits) throws IOException {
        Qcow2Check check = new Qcow2Check(header, file, snapshots, bitmaps, limits, SILENT);
        CheckReport report = check.run();
        if (report.leaks() == 0) {
            return report;
        }
        if (check.hasWrongBlocks()) {
            // what is lowered there may not be what it seems: only new refcounts help
            return report;
        }
        // what a table refers to that was cut off looks like leaks
        requireAllCounted(check);
        lowerLeaks(snapshots, bitmaps, limits);
        if (report.corruptions() == 0 && report.checkErrors() == 0) {
            // what two tables seemed to share can belong to the disk alone now
            new OwnFlags(header, file, snapshots).set();
            file.sync();
        }
        return report;
    }

    private void lowerLeaks(List<Snapshot> snapshots, List<Bitmap> bitmaps, Limits limits) throws IOException {
        begin();
        Refcounts refcounts = Refcounts.read(header, file, file.askSize());
        new Qcow2Check(header, file, snapshots, bitmaps, limits, SILENT)
                .tellLeaks((cluster, references) -> lower(refcounts, cluster, references))
                .run();
        file.sync();
    }

    private void lower(Refcounts refcounts, long cluster, long references) throws IOException {
        long inBlock = cluster & ((1L << blockBits) - 1);
        long at = (refcounts.tableEntry((int) (cluster >>> blockBits)) & Refcounts.OFFSET_MASK)
                + (inBlock << order >>> 3);
        ByteBuffer raw = ByteBuffer.allocate(Math.max(1, 1 << order >>> 3));
        file.readPadded(at, raw);
        Refcounts.put(raw, order >= 3 ? 0 : (int) inBlock & ((8 >>> order) - 1), order, references);
        file.write(at, raw.clear());
    }

    private void take(ReferenceCounts window) throws IOException {
        for (int i = 0; i < window.size(); i++) {
            long count = window.get(i);
            if (count != 0) {
                counts.put(window.first() + i, count);
            }
        }
    }
}
