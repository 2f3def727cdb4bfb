package dev.platter.qcow2;

import dev.platter.core.CorruptImageException;
import dev.platter.core.Limits;
import dev.platter.core.Printable;
import dev.platter.core.SnapshotInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * An entry of the snapshot table. Source: qcow2.rst, "Snapshots".
 *
 * @param tableOffset where the entry lies in the file
 * @param entryBytes how long the entry is, without padding
 * @param l1TableOffset its L1 table, not checked yet
 * @param l1Size entries of its L1 table, not checked yet
 * @param extraDataSize bytes of extra data; version 3 asks for at least 16
 * @param info what a person wants to know of it
 */
record Snapshot(
        long tableOffset, long entryBytes, long l1TableOffset, long l1Size, long extraDataSize, SnapshotInfo info) {
    private static final int FIXED = 40;
    private static final int MAX_SNAPSHOTS = 65536;
    private static final int MAX_EXTRA_DATA = 1024;

    /**
     * Reads the snapshot table.
     *
     * @throws CorruptImageException if it is damaged
     */
    static List<Snapshot> readTable(Qcow2Header header, HostFile file, Limits limits) throws IOException {
        return read(
                header,
                file,
                new TableReader(file, "snapshot table", header.snapshotsOffset(), limits.metadataBytes()));
    }

    /**
     * Reads the snapshot table, with zeros for what lies beyond the end of the file.
     *
     * @throws CorruptImageException if it is damaged otherwise
     */
    static List<Snapshot> readPadded(Qcow2Header header, HostFile file, Limits limits) throws IOException {
        return read(
                header,
                file,
                TableReader.padded(file, "snapshot table", header.snapshotsOffset(), limits.metadataBytes()));
    }

    private static List<Snapshot> read(Qcow2Header header, HostFile file, TableReader table) throws IOException {
        if (header.snapshotCount() > MAX_SNAPSHOTS) {
            throw new CorruptImageException(file.name() + ": header at 60: " + header.snapshotCount()
                    + " snapshots, at most " + MAX_SNAPSHOTS + " are allowed");
        }
        long offset = header.snapshotsOffset();
        if (header.snapshotCount() > 0 && (offset <= 0 || (offset & (header.clusterSize() - 1)) != 0)) {
            throw new CorruptImageException(file.name() + ": header at 64: the snapshot table is said to be at "
                    + Long.toUnsignedString(offset) + ", which is not aligned to the cluster size "
                    + header.clusterSize());
        }
        List<Snapshot> snapshots = new ArrayList<>();
        for (long i = 0; i < header.snapshotCount(); i++) {
            snapshots.add(readEntry(table, header, file));
        }
        return List.copyOf(snapshots);
    }

    private static Snapshot readEntry(TableReader table, Qcow2Header header, HostFile file) throws IOException {
        long offset = table.offset();
        ByteBuffer fixed = table.next(FIXED);
        long l1TableOffset = fixed.getLong(0);
        long l1Size = u32(fixed, 8);
        int idLength = fixed.getShort(12) & 0xffff;
        int nameLength = fixed.getShort(14) & 0xffff;
        long seconds = u32(fixed, 16);
        long nanos = u32(fixed, 20);
        long vmClock = fixed.getLong(24);
        long vmStateSize = u32(fixed, 32);
        long extraLength = u32(fixed, 36);
        if (extraLength > MAX_EXTRA_DATA) {
            throw new CorruptImageException(file.name() + ": snapshot table entry at " + offset + ": " + extraLength
                    + " bytes of extra data, at most " + MAX_EXTRA_DATA + " are allowed");
        }
        ByteBuffer extra = table.next((int) extraLength);
        long diskSize = header.size();
        long instructions = -1;
        if (extraLength >= 8) {
            vmStateSize = extra.getLong(0);
        }
        if (extraLength >= 16) {
            diskSize = extra.getLong(8);
        }
        if (extraLength >= 24) {
            instructions = extra.getLong(16);
        }
        String id = Printable.utf8(table.next(idLength));
        String name = Printable.utf8(table.next(nameLength));
        table.align();
        return new Snapshot(
                offset,
                FIXED + extraLength + idLength + nameLength,
                l1TableOffset,
                l1Size,
                extraLength,
                new SnapshotInfo(id, name, vmStateSize, seconds, nanos, vmClock, instructions, diskSize));
    }

    /** Returns whether the entry has the extra data that version 3 asks for. */
    boolean isComplete() {
        return extraDataSize >= 16;
    }

    /** Returns whether a check can follow its L1 table, wherever in the file that is. */
    boolean isTableSane(Qcow2Header header) {
        return (l1TableOffset & (header.clusterSize() - 1)) == 0 && l1Size <= Qcow2Header.MAX_L1_BYTES / Long.BYTES;
    }

    /**
     * Checks that this snapshot can be read at all: its disk size and its L1 table.
     *
     * @throws CorruptImageException if not
     */
    void requireReadable(Qcow2Header header, HostFile file) throws IOException {
        long diskSize = info.diskSize();
        if (diskSize < 0) {
            throw corrupt(file, "its disk is said to have " + Long.toUnsignedString(diskSize) + " bytes");
        }
        long needed = header.l1EntriesFor(diskSize);
        if (l1Size > Qcow2Header.MAX_L1_BYTES / Long.BYTES) {
            throw corrupt(file, "its L1 table has " + l1Size + " entries, at most 4194304 are allowed");
        }
        if (needed > l1Size) {
            throw corrupt(
                    file, "its L1 table has " + l1Size + " entries, a disk of " + diskSize + " bytes needs " + needed);
        }
        if (needed == 0) {
            // qemu gives the table of an empty disk no place
            return;
        }
        if (l1TableOffset <= 0 || (l1TableOffset & (header.clusterSize() - 1)) != 0) {
            throw corrupt(
                    file,
                    "its L1 table is said to be at " + Long.toUnsignedString(l1TableOffset)
                            + ", which is not aligned to the cluster size " + header.clusterSize());
        }
        if (!file.holds(l1TableOffset, needed * Long.BYTES) && !file.zerosFor("L1 table", l1TableOffset)) {
            throw file.truncated("L1 table of snapshot " + Printable.quote(info.name()), l1TableOffset);
        }
    }

    /**
     * Checks that all of its L1 table, which may be larger than its disk needs, lies in the file.
     *
     * @throws CorruptImageException if not
     */
    void requireTable(Qcow2Header header, HostFile file) throws IOException {
        boolean aligned = l1TableOffset > 0 && (l1TableOffset & (header.clusterSize() - 1)) == 0;
        if (l1Size > 0
                && (!aligned
                        || l1Size > Qcow2Header.MAX_L1_BYTES / Long.BYTES
                        || !file.holds(l1TableOffset, l1Size * Long.BYTES))) {
            throw corrupt(
                    file,
                    "its L1 table of " + l1Size + " entries at " + Long.toUnsignedString(l1TableOffset)
                            + " is not aligned, too large, or beyond the end of the file (" + file.fileSize()
                            + " bytes)");
        }
    }

    private CorruptImageException corrupt(HostFile file, String text) {
        return new CorruptImageException(file.name() + ": snapshot " + Printable.quote(info.name()) + " (entry at "
                + tableOffset + "): " + text);
    }

    private static long u32(ByteBuffer bytes, int at) {
        return bytes.getInt(at) & 0xffff_ffffL;
    }
}
