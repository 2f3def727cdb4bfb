package dev.platter.qcow2;

import dev.platter.core.CheckListener;
import dev.platter.core.CorruptImageException;
import dev.platter.core.DirectBuffers;
import dev.platter.core.LimitExceededException;
import dev.platter.core.Printable;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.CancellationException;

/**
 * Walks everything in an image that refers to clusters of the file: header, L1 and L2 tables, snapshot table, refcount
 * table, LUKS header, bitmaps. One walk for each window of clusters that is counted.
 */
final class ReferenceWalk {
    private static final int PIECE_BYTES = 64 << 10;
    private static final long PROGRESS_BYTES = 1 << 20;
    private static final long WALK_BASE = 16 << 20;
    private static final int MIN_EXTRA_DATA_V3 = 16;

    private final Qcow2Header header;
    private final HostFile file;
    private final List<Snapshot> snapshots;
    private final List<Bitmap> bitmaps;
    private final CheckFindings findings;
    private final CheckListener listener;
    private final HostReferences references;
    private final L2TableWalk tables;
    private final long fileSize;
    private final int walkFactor;
    private final boolean withRefcounts;
    private final ByteBuffer piece = DirectBuffers.allocate(PIECE_BYTES);

    private long walkable;
    private long unreported;
    private long progressBase;
    private long progressDone;
    private long progressTotal;

    ReferenceWalk(
            Qcow2Header header,
            HostFile file,
            long fileSize,
            List<Snapshot> snapshots,
            List<Bitmap> bitmaps,
            int walkFactor,
            CheckFindings findings,
            CheckListener listener,
            HostReferences references,
            boolean withRefcounts) {
        this.withRefcounts = withRefcounts;
        this.header = header;
        this.file = file;
        this.fileSize = fileSize;
        this.snapshots = snapshots;
        this.bitmaps = bitmaps;
        this.walkFactor = walkFactor;
        this.findings = findings;
        this.listener = listener;
        this.references = references;
        this.tables = new L2TableWalk(header, file, fileSize, findings, references);
    }

    L2TableWalk tables() {
        return tables;
    }

    /** Returns the entries of all L1 tables: the units of progress of one walk. */
    long l1Entries() {
        long entries = header.l1Size();
        for (Snapshot snapshot : snapshots) {
            entries += snapshot.isTableSane(header) ? snapshot.l1Size() : 0;
        }
        return entries;
    }

    /** Says how far the check is before the next walk, in L1 entries. */
    void setProgress(long done, long total) {
        progressBase = done;
        progressDone = done;
        progressTotal = total;
        report();
    }

    /**
     * Walks everything once.
     *
     * @throws LimitExceededException if the tables alias each other to make work without end
     * @throws CorruptImageException if a bitmap is so damaged that the image cannot be checked
     * @throws CancellationException if the listener asked to stop
     */
    void walk() throws IOException {
        walkable = WALK_BASE + Math.min(fileSize, Long.MAX_VALUE / 2 / walkFactor) * walkFactor;
        references.add(0, header.clusterSize());
        walkL1(header.l1TableOffset(), header.l1Size(), true);
        walkSnapshots();
        if (withRefcounts) {
            references.add(header.refcountTableOffset(), header.refcountTableClusters() * header.clusterSize());
        }
        references.add(
                Math.max(0, header.extensions().cryptoOffset()),
                header.extensions().cryptoLength());
        walkBitmaps();
    }

    private boolean isFirst() {
        return references.window().isFirst();
    }

    private void walkL1(long offset, long entries, boolean active) throws IOException {
        references.add(offset, entries * Long.BYTES);
        long before = progressDone;
        for (long done = 0; done < entries && offset + done * Long.BYTES < fileSize; ) {
            int run = (int) Math.min(PIECE_BYTES / Long.BYTES, entries - done);
            long at = offset + done * Long.BYTES;
            readPiece(at, run * Long.BYTES);
            for (int i = 0; i < run; i++) {
                long entry = piece.getLong(i * Long.BYTES);
                if (entry != 0) {
                    progressDone = before + done + i;
                    walkL1Entry(entry, done + i, at + (long) i * Long.BYTES, active);
                }
            }
            done += run;
        }
        progressDone = before + entries;
    }

    private void walkL1Entry(long entry, long index, long at, boolean active) throws IOException {
        long offset = L2Entry.offset(entry);
        if (isFirst() && (entry & L2Entry.L1_RESERVED) != 0) {
            findings.corruption(at, "ERROR found L1 entry with reserved bits set: " + Long.toHexString(entry));
        }
        references.add(offset, header.clusterSize());
        if (isFirst() && (offset & (header.clusterSize() - 1)) != 0) {
            findings.corruption(
                    at,
                    "ERROR l2_offset=" + Long.toHexString(offset)
                            + ": Table is not cluster aligned; L1 entry corrupted");
        }
        boolean checkCopied = active && offset != 0;
        long cluster = offset >>> header.clusterBits();
        if (checkCopied && references.window().contradicts(cluster, entry >>> 63)) {
            references
                    .window()
                    .reportCopied(
                            cluster, "L2 cluster: l1_index=" + index + " l1_entry=" + Long.toHexString(entry), at);
        }
        if (offset < fileSize) {
            spend(header.clusterSize());
            tables.walk(offset, active, checkCopied);
        }
    }

    private void walkSnapshots() throws IOException {
        if (isFirst() && header.hasDataFile() && !snapshots.isEmpty()) {
            findings.corruption(60, "ERROR " + snapshots.size() + " snapshots in image with data file");
        }
        int index = 0;
        for (Snapshot snapshot : snapshots) {
            if (isFirst()) {
                examine(snapshot, index);
            }
            index++;
            if (snapshot.isTableSane(header) && snapshot.l1Size() > 0) {
                walkL1(snapshot.l1TableOffset(), snapshot.l1Size(), false);
            }
        }
        if (!snapshots.isEmpty()) {
            Snapshot last = snapshots.get(snapshots.size() - 1);
            references.add(header.snapshotsOffset(), last.tableOffset() - header.snapshotsOffset() + last.entryBytes());
        }
    }

    private void examine(Snapshot snapshot, int index) {
        if (header.version() >= 3 && snapshot.extraDataSize() < MIN_EXTRA_DATA_V3) {
            findings.corruption(snapshot.tableOffset(), "ERROR snapshot table entry " + index + " is incomplete");
        }
        if (snapshot.isTableSane(header)) {
            return;
        }
        references.noteUncounted(snapshot.tableOffset());
        boolean aligned = (snapshot.l1TableOffset() & (header.clusterSize() - 1)) == 0;
        findings.corruption(
                snapshot.tableOffset(),
                "ERROR snapshot " + Printable.quote(snapshot.info().id()) + " ("
                        + Printable.quote(snapshot.info().name()) + ") "
                        + (aligned
                                ? "l1_size=0x" + Long.toHexString(snapshot.l1Size()) + ": L1 table is too large"
                                : "l1_offset=0x" + Long.toHexString(snapshot.l1TableOffset())
                                        + ": L1 table is not cluster aligned")
                        + "; snapshot table entry corrupted");
    }

    private void walkBitmaps() throws IOException {
        HeaderExtensions.BitmapDirectoryLocation directory = header.extensions().bitmaps();
        if (bitmaps.isEmpty() || directory == null) {
            return;
        }
        references.add(directory.offset(), directory.size());
        for (Bitmap bitmap : bitmaps) {
            bitmap.requireCheckable(header, file);
            walkBitmap(bitmap);
        }
    }

    private void walkBitmap(Bitmap bitmap) throws IOException {
        references.add(bitmap.tableOffset(), bitmap.tableSize() * Long.BYTES);
        for (long done = 0; done < bitmap.tableSize(); ) {
            long at = bitmap.tableOffset() + done * Long.BYTES;
            if (at >= fileSize) {
                return;
            }
            int run = (int) Math.min(PIECE_BYTES / Long.BYTES, bitmap.tableSize() - done);
            readPiece(at, run * Long.BYTES);
            for (int i = 0; i < run; i++) {
                long entry = piece.getLong(i * Long.BYTES);
                bitmap.requireEntry(header, file, at + (long) i * Long.BYTES, entry);
                if (L2Entry.offset(entry) != 0) {
                    references.add(L2Entry.offset(entry), header.clusterSize());
                }
            }
            done += run;
        }
    }

    private void readPiece(long offset, int bytes) throws IOException {
        spend(bytes);
        file.readPadded(offset, piece.clear().limit(bytes));
    }

    /** Takes bytes of tables off what this walk may read, and tells the listener now and then. */
    private void spend(long bytes) throws LimitExceededException {
        walkable -= bytes;
        if (walkable < 0) {
            throw new LimitExceededException(
                    file.name() + ": the tables to be walked have far more bytes than the file ("
                            + fileSize + "; the limit is " + walkFactor
                            + " times as many): tables alias each other to make work without end");
        }
        unreported += bytes;
        if (unreported >= PROGRESS_BYTES) {
            unreported = 0;
            report();
        }
    }

    /** Tells the listener how far this is. */
    void report() {
        if (!listener.progress(Math.max(progressBase, Math.min(progressDone, progressTotal)), progressTotal)) {
            throw new CancellationException(file.name() + ": the check was cancelled");
        }
    }
}
