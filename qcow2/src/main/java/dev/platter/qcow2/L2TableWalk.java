package dev.platter.qcow2;

import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * Walks L2 tables: counts what they refer to, looks at their entries, and counts the clusters of the guest. Source:
 * qcow2.rst, "Cluster mapping"; what is counted and how, as qemu-img check does it.
 */
final class L2TableWalk {
    private static final int PIECE_BYTES = 64 << 10;

    /** Bytes that are looked at together once one of them is not zero. */
    private static final int RUN_BYTES = 1024;

    private static final long ALLOCATED_SUBCLUSTERS = 0xffff_ffffL;

    private final Qcow2Header header;
    private final HostFile file;
    private final long fileSize;
    private final CheckFindings findings;
    private final HostReferences references;
    private final ByteBuffer piece;
    private final boolean extended;
    private final boolean hasDataFile;
    private final int clusterBits;

    /** All bits of an entry that is not simply a cluster in the file, copied or not. */
    private final long notPlain;

    private final int compressedShift;

    private boolean active;
    private boolean checkCopied;
    private CheckWindow window;
    private long tablePiece;
    private long nextContiguous;

    private long allocated;
    private long compressed;
    private long fragmented;

    L2TableWalk(Qcow2Header header, HostFile file, long fileSize, CheckFindings findings, HostReferences references) {
        this.header = header;
        this.file = file;
        this.fileSize = fileSize;
        this.findings = findings;
        this.references = references;
        this.window = references.window();
        this.piece = DirectBuffers.allocate(Math.min(header.clusterSize(), PIECE_BYTES));
        this.extended = header.isExtendedL2();
        this.hasDataFile = header.hasDataFile();
        this.clusterBits = header.clusterBits();
        this.notPlain = ~(L2Entry.COPIED | (L2Entry.OFFSET_MASK & -header.clusterSize()));
        this.compressedShift = 62 - (clusterBits - 8);
    }

    long allocated() {
        return allocated;
    }

    long compressed() {
        return compressed;
    }

    long fragmented() {
        return fragmented;
    }

    /**
     * Walks a table.
     *
     * @param offset its offset in the file; what lies beyond the end of the file reads as zeros
     * @param active whether it belongs to the active L1 table, whose clusters make up the guest's disk
     * @param checkCopied whether its copied flags mean anything
     */
    void walk(long offset, boolean active, boolean checkCopied) throws IOException {
        this.active = active;
        this.checkCopied = checkCopied;
        this.window = references.window();
        this.nextContiguous = 0;
        for (long at = 0; at < header.clusterSize() && offset + at < fileSize; at += piece.capacity()) {
            file.readPadded(offset + at, piece.clear());
            tablePiece = offset + at;
            if (extended || hasDataFile) {
                walkEach();
            } else {
                walkPlain();
            }
        }
    }

    /** The loop for ordinary tables: nearly all entries are zero or a cluster in the window. */
    private void walkPlain() throws IOException {
        ReferenceCounts counts = window.counts();
        boolean isFirst = window.isFirst();
        boolean countAllocation = active && isFirst;
        long first = counts.first();
        // the cluster behind the last one of the file is counted, but a whole cluster cannot be there
        long size = Math.min(counts.size(), Qcow2Check.clustersOf(fileSize, clusterBits) - first);
        int bytes = piece.capacity();
        long next = nextContiguous;
        for (int at = HostFile.nextUsed(piece, 0); at < bytes; at = HostFile.nextUsed(piece, at)) {
            int end = Math.min(at + RUN_BYTES, bytes);
            for (; at < end; at += Long.BYTES) {
                long entry = piece.getLong(at);
                if (entry == 0) {
                    continue;
                }
                long offset = entry & L2Entry.OFFSET_MASK;
                long index = (offset >>> clusterBits) - first;
                boolean inWindow = index >= 0 && index < size;
                if ((entry & notPlain) != 0 || offset == 0 || !inWindow) {
                    if (isFirst || (entry & notPlain) != 0) {
                        nextContiguous = next;
                        examine(entry, 0, at);
                        next = nextContiguous;
                    }
                    continue;
                }
                if (countAllocation) {
                    allocated++;
                    fragmented += next != 0 && next != offset ? 1 : 0;
                    next = offset + (1L << clusterBits);
                }
                counts.increment((int) index);
                if (checkCopied && window.contradicts(offset >>> clusterBits, entry >>> 63)) {
                    reportCopied(entry, at);
                }
            }
        }
        nextContiguous = next;
    }

    /** The loop for tables with subclusters or of an image with a data file. */
    private void walkEach() throws IOException {
        int bytes = piece.capacity();
        int step = header.l2EntryBytes();
        for (int at = HostFile.nextUsed(piece, 0); at < bytes; at = HostFile.nextUsed(piece, at)) {
            int end = Math.min(at + RUN_BYTES, bytes);
            for (; at < end; at += step) {
                long entry = piece.getLong(at);
                long bitmap = extended ? piece.getLong(at + Long.BYTES) : 0;
                if ((entry | bitmap) != 0) {
                    examine(entry, bitmap, at);
                }
            }
        }
    }

    private void examine(long entry, long bitmap, int at) throws IOException {
        if (L2Entry.isCompressed(entry)) {
            examineCompressed(entry, bitmap, at);
            return;
        }
        if (window.isFirst() && (entry & L2Entry.RESERVED) != 0) {
            corruption(at, "ERROR found l2 entry with reserved bits set: " + Long.toHexString(entry));
        }
        long offset = L2Entry.offset(entry);
        boolean readsAsZero = !extended && (entry & L2Entry.ZERO_FLAG) != 0;
        if (offset == 0 && (readsAsZero || !hasDataFile || (entry & L2Entry.COPIED) == 0)) {
            if (window.isFirst() && (bitmap & ALLOCATED_SUBCLUSTERS) != 0) {
                corruption(at, "ERROR: Unallocated cluster has non-zero subcluster allocation map");
            }
            return;
        }
        if (window.isFirst()) {
            examineFirst(entry, bitmap, at);
        }
        if (!hasDataFile) {
            references.add(offset, header.clusterSize());
        }
        if (checkCopied) {
            boolean contradicts = hasDataFile
                    ? window.isFirst() && (entry & L2Entry.COPIED) == 0
                    : window.contradicts(offset >>> clusterBits, entry >>> 63);
            if (contradicts) {
                reportCopied(entry, at);
            }
        }
    }

    /** What is looked at once, in the first walk, at an entry that has space. */
    private void examineFirst(long entry, long bitmap, int at) {
        long offset = L2Entry.offset(entry);
        if ((bitmap >>> 32 & bitmap) != 0) {
            corruption(
                    at,
                    "ERROR offset=" + Long.toHexString(offset)
                            + ": Allocated cluster has corrupted subcluster allocation bitmap");
        }
        if ((offset & (header.clusterSize() - 1)) != 0) {
            boolean hasData = extended ? (bitmap & ALLOCATED_SUBCLUSTERS) != 0 : (entry & L2Entry.ZERO_FLAG) == 0;
            corruption(
                    at,
                    "ERROR offset=" + Long.toHexString(offset) + (hasData ? ": Data" : ": Preallocated")
                            + " cluster is not properly aligned; L2 entry corrupted.");
        }
        if (active) {
            allocated++;
            fragmented += nextContiguous != 0 && nextContiguous != offset ? 1 : 0;
            nextContiguous = offset + header.clusterSize();
        }
    }

    private void examineCompressed(long entry, long bitmap, int at) throws IOException {
        long descriptor = entry & ~L2Entry.COPIED;
        long offset = descriptor & ((1L << compressedShift) - 1);
        if (window.isFirst()) {
            if (descriptor != entry) {
                corruption(
                        at,
                        "ERROR: coffset=0x" + Long.toHexString(offset)
                                + ": copied flag must never be set for compressed clusters");
            }
            if (hasDataFile || bitmap != 0) {
                corruption(
                        at,
                        "ERROR compressed cluster "
                                + (hasDataFile ? "with data file" : "with non-zero subcluster allocation bitmap")
                                + ", entry=0x" + Long.toHexString(descriptor));
            }
        }
        if (hasDataFile || bitmap != 0) {
            if (window.isFirst()) {
                references.noteUncounted(tablePiece + at);
            }
            return;
        }
        long sectors = (descriptor >>> compressedShift & ((1L << (clusterBits - 8)) - 1)) + 1;
        references.add(offset, sectors * 512 - (offset & 511));
        if (offset >= fileSize) {
            references.noteBeyondEnd(offset);
        }
        if (active && window.isFirst()) {
            allocated++;
            compressed++;
            fragmented++;
        }
    }

    private void reportCopied(long entry, int at) throws IOException {
        if (hasDataFile) {
            corruption(at, "ERROR OFLAG_COPIED data cluster: l2_entry=" + Long.toHexString(entry) + " refcount=1");
        } else {
            window.reportCopied(
                    L2Entry.offset(entry) >>> clusterBits,
                    "data cluster: l2_entry=" + Long.toHexString(entry),
                    tablePiece + at);
        }
    }

    private void corruption(int at, String text) {
        findings.corruption(tablePiece + at, text);
    }
}
