package dev.platter.qcow2;

import dev.platter.core.SnapshotInfo;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;

/** Writes the snapshot table, each time in a new place. Source: qcow2.rst, "Snapshots". */
final class SnapshotTable {
    /** Bytes of extra data that version 3 of the format has. */
    static final int EXTRA_BYTES = 24;

    private static final int FIXED_BYTES = 40;

    private final Qcow2Header header;
    private final HostFile file;
    private final TableTrees trees;

    SnapshotTable(Qcow2Header header, HostFile file, TableTrees trees) {
        this.header = header;
        this.file = file;
        this.trees = trees;
    }

    /** Returns a snapshot that is not in the file yet. */
    static Snapshot added(long l1TableOffset, int l1Size, SnapshotInfo info) {
        return new Snapshot(0, 0, l1TableOffset, l1Size, EXTRA_BYTES, info);
    }

    /** Returns how many bytes the table that is there has with another snapshot. */
    long bytesWith(List<Snapshot> before, SnapshotInfo added) {
        return (bytes(before) + 7 & -8) + (newEntry(added(0, 0, added)).length + 7 & -8);
    }

    private long bytes(List<Snapshot> snapshots) {
        if (snapshots.isEmpty()) {
            return 0;
        }
        Snapshot last = snapshots.get(snapshots.size() - 1);
        return last.tableOffset() + last.entryBytes() - header.snapshotsOffset();
    }

    /**
     * Writes a table and releases the one that is there; returns where, 0 if it is empty.
     *
     * @param before what is in the file
     * @param now those of them that stay, as they are stored, and those that are {@linkplain #added added}
     */
    long write(List<Snapshot> before, List<Snapshot> now) throws IOException {
        List<byte[]> entries = new ArrayList<>();
        for (Snapshot snapshot : now) {
            entries.add(snapshot.tableOffset() == 0 ? newEntry(snapshot) : stored(snapshot));
        }
        return writeEntries(before, entries);
    }

    /** Writes the table anew, with L1 tables in other places. */
    long writeMoved(List<Snapshot> snapshots, List<Long> l1TableOffsets) throws IOException {
        List<byte[]> entries = new ArrayList<>();
        for (int i = 0; i < snapshots.size(); i++) {
            byte[] entry = stored(snapshots.get(i));
            ByteBuffer.wrap(entry).putLong(0, l1TableOffsets.get(i));
            entries.add(entry);
        }
        return writeEntries(snapshots, entries);
    }

    /** Writes the table anew, with the extra data that version 3 of the format asks for. */
    long writeCompleted(List<Snapshot> snapshots) throws IOException {
        List<byte[]> entries = new ArrayList<>();
        for (Snapshot snapshot : snapshots) {
            byte[] stored = stored(snapshot);
            entries.add(snapshot.isComplete() ? stored : completed(stored, snapshot));
        }
        return writeEntries(snapshots, entries);
    }

    private long writeEntries(List<Snapshot> before, List<byte[]> entries) throws IOException {
        trees.releaseRange(header.snapshotsOffset(), bytes(before));
        if (entries.isEmpty()) {
            return 0;
        }
        int bytes = 0;
        for (byte[] entry : entries) {
            bytes += entry.length + 7 & -8;
        }
        ByteBuffer table = ByteBuffer.allocate(bytes);
        for (byte[] entry : entries) {
            table.put(entry).position(table.position() + 7 & -8);
        }
        long place = trees.allocateRange(bytes, MetadataMap.Kind.SNAPSHOT_TABLE);
        file.write(place, table.clear());
        return place;
    }

    /** As it is stored, extra data that we do not know included. */
    private byte[] stored(Snapshot snapshot) throws IOException {
        ByteBuffer entry = ByteBuffer.allocate((int) snapshot.entryBytes());
        file.readPadded(snapshot.tableOffset(), entry);
        return entry.array();
    }

    private static byte[] completed(byte[] stored, Snapshot snapshot) {
        int names = FIXED_BYTES + (int) snapshot.extraDataSize();
        ByteBuffer entry = ByteBuffer.allocate(FIXED_BYTES + EXTRA_BYTES + stored.length - names);
        entry.put(stored, 0, FIXED_BYTES - Integer.BYTES).putInt(EXTRA_BYTES);
        entry.putLong(snapshot.info().vmStateSize())
                .putLong(snapshot.info().diskSize())
                .putLong(-1);
        return entry.put(stored, names, stored.length - names).array();
    }

    private static byte[] newEntry(Snapshot snapshot) {
        SnapshotInfo info = snapshot.info();
        byte[] id = info.id().getBytes(StandardCharsets.UTF_8);
        byte[] name = info.name().getBytes(StandardCharsets.UTF_8);
        ByteBuffer entry = ByteBuffer.allocate(FIXED_BYTES + EXTRA_BYTES + id.length + name.length);
        entry.putLong(snapshot.l1TableOffset()).putInt((int) snapshot.l1Size());
        entry.putShort((short) id.length).putShort((short) name.length);
        entry.putInt((int) info.dateSeconds()).putInt((int) info.dateNanos());
        entry.putLong(info.vmClockNanos()).putInt(0).putInt(EXTRA_BYTES);
        entry.putLong(0).putLong(info.diskSize()).putLong(-1);
        return entry.put(id).put(name).array();
    }
}
