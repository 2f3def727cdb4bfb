package dev.platter.qcow2;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockDevice;
import dev.platter.core.BlockIOException;
import dev.platter.core.DiskImage;
import dev.platter.core.Durability;
import dev.platter.core.NotFasterException;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/**
 * What a guest did to its disk and when, and so what each sector may hold after the power went at a moment: what the last
 * flush covered, or anything that was written since.
 */
final class GuestHistory {
    static final int SECTOR = 512;
    private static final List<ZeroMode> MODES = List.of(ZeroMode.values());

    private final Qcow2Disk device;
    private final BlockDevice compressing;
    private final int clusterSize;
    private final CrashStorage storage;
    private final Map<String, byte[][]> snapshots = new HashMap<>();
    private final byte[][] initial;
    private final List<Event> events = new ArrayList<>();
    private long tag;

    /** From one moment to another: a flush, or new contents of sectors, which are not sure to be there if it failed. */
    private static final class Event {
        final int begin;
        final int end;
        final int firstSector;
        final byte[][] sectors;
        final boolean failed;

        Event(int begin, int end, int firstSector, byte[][] sectors, boolean failed) {
            this.begin = begin;
            this.end = end;
            this.firstSector = firstSector;
            this.sectors = sectors;
            this.failed = failed;
        }

        boolean isFlush() {
            return sectors.length == 0;
        }
    }

    private interface Operation {
        void run() throws IOException;
    }

    /**
     * Makes a history that begins now.
     *
     * @param storage where the image lies in the end, whose moments count
     */
    GuestHistory(Qcow2Disk device, CrashStorage storage) throws IOException {
        this.device = device;
        this.compressing = device.compressing();
        this.clusterSize = Math.toIntExact(requireNonNull(device.info().clusterSize()));
        this.storage = storage;
        this.initial = sectors(device, 0, (int) (device.size() / SECTOR));
    }

    /** Makes, applies or deletes a snapshot, or writes. */
    void stepWithSnapshots(Random random) throws IOException {
        List<SnapshotInfo> present = device.snapshots();
        SnapshotInfo chosen = present.isEmpty() ? null : present.get(random.nextInt(present.size()));
        switch (random.nextInt(30)) {
            case 0, 1, 2 -> create("s" + snapshots.size());
            case 3 -> {
                if (chosen != null) {
                    device.deleteSnapshot(chosen.id());
                }
            }
            case 4 -> {
                if (chosen != null && chosen.diskSize() == device.size()) {
                    apply(chosen);
                }
            }
            default -> step(random);
        }
    }

    private void create(String name) throws IOException {
        byte[][] now = sectors(device, 0, initial.length);
        // if it fails, it may be there or not
        snapshots.put(name, now);
        try {
            device.createSnapshot(name);
        } catch (BlockIOException e) {
            requireTooNarrow(e);
            snapshots.remove(name);
        }
    }

    private void apply(SnapshotInfo chosen) throws IOException {
        byte[][] kept;
        try (BlockDevice snapshot = device.openSnapshot(chosen.id())) {
            kept = sectors(snapshot, 0, initial.length);
        }
        try {
            record(0, kept, () -> device.applySnapshot(chosen.id()));
        } catch (BlockIOException e) {
            requireTooNarrow(e);
        }
    }

    /** Refcounts of one bit allow no snapshot, and those of two not many. */
    private static void requireTooNarrow(BlockIOException e) throws BlockIOException {
        if (e.kind() != BlockIOException.Kind.NOT_SUPPORTED) {
            throw e;
        }
    }

    /** Does what gives sectors new contents, and remembers it, also if it fails. */
    private void record(int firstSector, byte[][] sectors, Operation operation) throws IOException {
        int begin = storage.moment();
        BlockIOException failure = null;
        try {
            operation.run();
        } catch (BlockIOException e) {
            failure = e;
        }
        if (failure == null || failure.kind() != BlockIOException.Kind.NOT_SUPPORTED) {
            events.add(new Event(begin, storage.moment(), firstSector, sectors, failure != null));
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static byte[][] zeros(int count) {
        byte[][] zeros = new byte[count][];
        Arrays.fill(zeros, new byte[SECTOR]);
        return zeros;
    }

    /** Does something at random. */
    void step(Random random) throws IOException {
        int sectors = initial.length;
        int first = random.nextInt(sectors);
        int most = random.nextInt(5) == 0 ? sectors : 24;
        int count = 1 + random.nextInt(Math.min(most, sectors - first));
        int begin = storage.moment();
        switch (random.nextInt(14)) {
            case 0 -> {
                device.flush();
                events.add(new Event(begin, storage.moment(), 0, new byte[0][], false));
            }
            case 1, 2 -> {
                ZeroMode mode = MODES.get(random.nextInt(MODES.size()));
                try {
                    record(
                            first,
                            zeros(count),
                            () -> device.writeZeroes(
                                    (long) first * SECTOR, (long) count * SECTOR, mode, Durability.NONE));
                } catch (NotFasterException e) {
                    assertThat(mode.isFast()).isTrue();
                }
            }
            case 3 -> {
                byte[][] left = zeros(count);
                record(first, left, () -> {
                    device.discard((long) first * SECTOR, (long) count * SECTOR);
                    // what it leaves is its own choice
                    System.arraycopy(sectors(device, first, count), 0, left, 0, count);
                });
            }
            case 4, 5, 6, 7 -> {
                int perCluster = clusterSize / SECTOR;
                int from = first / perCluster * perCluster;
                int end = Math.min(sectors, from + (1 + random.nextInt(4)) * perCluster);
                // now and then with less than a cluster at the end
                int length = Math.max(1, end - from - random.nextInt(2));
                write(compressing, from, tagged(from, length, random), random);
            }
            default -> write(device, first, tagged(first, count, random), random);
        }
    }

    private void write(BlockDevice to, int first, byte[] bytes, Random random) throws IOException {
        write(to, first, bytes, random.nextInt(12) == 0 ? Durability.FUA : Durability.NONE);
    }

    /** Writes whole sectors. */
    void write(int first, byte[] bytes, Durability durability) throws IOException {
        write(device, first, bytes, durability);
    }

    private void write(BlockDevice to, int first, byte[] bytes, Durability durability) throws IOException {
        int begin = storage.moment();
        byte[][] written = new byte[bytes.length / SECTOR][];
        for (int i = 0; i < written.length; i++) {
            written[i] = Arrays.copyOfRange(bytes, i * SECTOR, (i + 1) * SECTOR);
        }
        record(first, written, () -> to.write((long) first * SECTOR, ByteBuffer.wrap(bytes), durability));
        if (durability == Durability.FUA) {
            events.add(new Event(begin, storage.moment(), 0, new byte[0][], false));
        }
    }

    /** Asserts that the live disk holds what was last written, and where that failed, that or what was there before. */
    void assertLive() throws IOException {
        assertMayHold(device, events.size(), Integer.MAX_VALUE);
    }

    /** Asserts that a disk holds only what it may hold if the power went at a moment. */
    void assertAllowed(BlockDevice after, int moment) throws IOException {
        int covered = 0;
        for (int i = 0; i < events.size() && events.get(i).end <= moment; i++) {
            covered = events.get(i).isFlush() ? i + 1 : covered;
        }
        assertMayHold(after, covered, moment);
    }

    private void assertMayHold(BlockDevice disk, int covered, int moment) throws IOException {
        byte[][] found = sectors(disk, 0, initial.length);
        for (int i = 0; i < found.length; i++) {
            if (!mayHold(found[i], i, covered, moment)) {
                throw new AssertionError("sector " + i + " holds " + describe(found[i]) + ", neither what was flushed"
                        + " nor what was written since; at moment " + moment);
            }
        }
    }

    /** Returns whether a sector may hold this: what is sure of the first events, or any of the others until a moment. */
    private boolean mayHold(byte[] found, int sector, int covered, int moment) {
        for (int i = events.size() - 1; i >= 0; i--) {
            Event event = events.get(i);
            int index = sector - event.firstSector;
            if (event.begin > moment || index < 0 || index >= event.sectors.length) {
                continue;
            }
            if (Arrays.equals(found, event.sectors[index])) {
                return true;
            }
            if (i < covered && !event.failed) {
                return false;
            }
        }
        return Arrays.equals(found, initial[sector]);
    }

    /** Asserts that each snapshot holds what the disk held when it was made. */
    void assertSnapshots(DiskImage after) throws IOException {
        for (SnapshotInfo snapshot : after.snapshots()) {
            byte[][] expected = snapshots.get(snapshot.name());
            if (expected != null) {
                try (BlockDevice found = after.openSnapshot(snapshot.id())) {
                    assertThat(sectors(found, 0, expected.length))
                            .as(snapshot.name())
                            .isDeepEqualTo(expected);
                }
            }
        }
    }

    private byte[] tagged(int first, int count, Random random) {
        ByteBuffer bytes = ByteBuffer.allocate(count * SECTOR);
        for (int i = 0; i < count; i++) {
            bytes.put(tagged(first + i, random));
        }
        return bytes.array();
    }

    /** Bytes that say where they belong; some can be compressed well, some hardly, some not at all. */
    private byte[] tagged(int sector, Random random) {
        byte[] bytes = new byte[SECTOR];
        tag++;
        int noise = random.nextInt(4) * SECTOR / 3;
        for (int i = 0; i < SECTOR; i += Long.BYTES) {
            long any = i < noise ? random.nextLong() : 0;
            ByteBuffer.wrap(bytes).putLong(i, i == 0 || any == 0 ? 0x5a00_0000_0000_0000L | tag << 24 | sector : any);
        }
        return bytes;
    }

    private static String describe(byte[] sector) {
        long first = ByteBuffer.wrap(sector).getLong();
        return first >>> 56 == 0x5a
                ? "write " + ((first >>> 24) & 0xffff_ffffL) + " of sector " + (first & 0xff_ffff)
                : "0x" + Long.toHexString(first) + "...";
    }

    private static byte[][] sectors(BlockDevice device, int first, int count) throws IOException {
        byte[] bytes = new byte[count * SECTOR];
        device.read((long) first * SECTOR, ByteBuffer.wrap(bytes));
        byte[][] sectors = new byte[count][];
        for (int i = 0; i < count; i++) {
            sectors[i] = Arrays.copyOfRange(bytes, i * SECTOR, (i + 1) * SECTOR);
        }
        return sectors;
    }
}
