package dev.platter.qcow2;

import dev.platter.core.DirectBuffers;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/**
 * Sets and clears, in place, the flags that say which tables and clusters belong to the disk alone, as refcounts that are
 * right have it. Where something else than a table lies in the same place, its bytes are no flags, and stay as they are.
 * Source: qcow2.rst, "Cluster mapping".
 */
final class OwnFlags {
    private static final int PIECE_BYTES = 64 << 10;

    /** Tables with a refcount of more than 1 for which L1 entries are counted together. */
    private static final int MOST_SHARED = 1 << 18;

    private final Qcow2Header header;
    private final HostFile file;
    private final List<Snapshot> snapshots;
    private final Refcounts refcounts;
    private final ByteBuffer l1Piece;
    private final ByteBuffer countedPiece;
    private final ByteBuffer l2Piece;

    private final long[] shared;
    private final long[] named;
    private int sharedCount;

    /** @param snapshots all of the image */
    OwnFlags(Qcow2Header header, HostFile file, List<Snapshot> snapshots) throws IOException {
        this(header, file, snapshots, MOST_SHARED);
    }

    /** @param mostShared how many shared tables are looked at together, for tests */
    OwnFlags(Qcow2Header header, HostFile file, List<Snapshot> snapshots, int mostShared) throws IOException {
        this.header = header;
        this.file = file;
        this.snapshots = snapshots;
        this.refcounts = Refcounts.read(header, file, file.askSize());
        this.shared = new long[Math.min(mostShared, header.l1Size())];
        this.named = new long[shared.length];
        // a piece lies in one cluster
        int pieceBytes = Math.min(PIECE_BYTES, header.clusterSize());
        this.l1Piece = DirectBuffers.allocate(pieceBytes);
        this.countedPiece = DirectBuffers.allocate(pieceBytes);
        this.l2Piece = DirectBuffers.allocate(pieceBytes);
    }

    /** Takes the entries of an L1 table. */
    private interface EntryVisitor {
        void entry(long entry) throws IOException;
    }

    void set() throws IOException {
        eachEntry(header.l1TableOffset(), header.l1Size(), l1Piece, entry -> {
            long table = L2Entry.offset(entry);
            if (table == 0 || !isAligned(table) || !file.holds(table, 1)) {
                return;
            }
            if (refcount(table) == 1) {
                setTable(table);
                return;
            }
            if (sharedCount == shared.length) {
                setShared();
            }
            shared[sharedCount++] = table;
        });
        setShared();
        long bytes = (long) header.l1Size() * Long.BYTES;
        for (long at = 0; at < bytes; at += l1Piece.capacity()) {
            if (refcount(header.l1TableOffset() + at) == 1) {
                setPiece(header.l1TableOffset() + at, Math.min(l1Piece.capacity(), bytes - at), l1Piece, false);
            }
        }
    }

    private boolean isAligned(long offset) {
        return (offset & (header.clusterSize() - 1)) == 0;
    }

    private long refcount(long offset) throws IOException {
        long cluster = offset >>> header.clusterBits();
        return refcounts.state(cluster) == Refcounts.State.PRESENT ? refcounts.of(cluster) : 0;
    }

    private void eachEntry(long offset, long entries, ByteBuffer piece, EntryVisitor visitor) throws IOException {
        long bytes = entries * Long.BYTES;
        for (long at = 0; at < bytes; at += piece.capacity()) {
            piece.clear().limit((int) Math.min(piece.capacity(), bytes - at));
            file.readPadded(offset + at, piece);
            for (int i = 0; i < piece.limit(); i += Long.BYTES) {
                visitor.entry(piece.getLong(i));
            }
        }
    }

    /** Sets the flags of tables that were gathered, where L1 entries are all that refers to the place. */
    private void setShared() throws IOException {
        int distinct = 0;
        Arrays.sort(shared, 0, sharedCount);
        for (int i = 0; i < sharedCount; i++) {
            if (distinct == 0 || shared[distinct - 1] != shared[i]) {
                shared[distinct++] = shared[i];
            }
        }
        sharedCount = 0;
        if (distinct == 0) {
            return;
        }
        int end = distinct;
        Arrays.fill(named, 0, end, 0);
        EntryVisitor count = entry -> {
            int found = Arrays.binarySearch(shared, 0, end, L2Entry.offset(entry));
            if (found >= 0) {
                named[found]++;
            }
        };
        eachEntry(header.l1TableOffset(), header.l1Size(), countedPiece, count);
        for (Snapshot snapshot : snapshots) {
            if (snapshot.isTableSane(header)) {
                eachEntry(snapshot.l1TableOffset(), snapshot.l1Size(), countedPiece, count);
            }
        }
        for (int i = 0; i < end; i++) {
            if (refcount(shared[i]) == named[i]) {
                setTable(shared[i]);
            }
        }
    }

    private void setTable(long table) throws IOException {
        for (long at = 0; at < header.clusterSize(); at += l2Piece.capacity()) {
            setPiece(table + at, l2Piece.capacity(), l2Piece, true);
        }
    }

    private void setPiece(long offset, long bytes, ByteBuffer piece, boolean ofL2Table) throws IOException {
        file.readPadded(offset, piece.clear().limit((int) bytes));
        piece.flip();
        boolean changed = ofL2Table
                ? setEntries(piece, header.l2EntryBytes(), header.hasDataFile())
                : setEntries(piece, Long.BYTES, false);
        if (changed) {
            file.write(offset, piece.duplicate());
        }
    }

    private boolean setEntries(ByteBuffer raw, int entryBytes, boolean inDataFile) throws IOException {
        boolean changed = false;
        for (int i = 0; i < raw.limit(); i += entryBytes) {
            long entry = raw.getLong(i);
            long offset = L2Entry.offset(entry);
            if (offset == 0 || (!isAligned(offset) && !L2Entry.isCompressed(entry))) {
                continue;
            }
            boolean own = !L2Entry.isCompressed(entry) && (inDataFile || refcount(offset) == 1);
            long right = own ? entry | L2Entry.COPIED : entry & ~L2Entry.COPIED;
            if (right != entry) {
                raw.putLong(i, right);
                changed = true;
            }
        }
        return changed;
    }
}
