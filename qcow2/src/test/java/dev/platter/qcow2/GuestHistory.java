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

    /** From one moment to another: a flush, or new contents of sectors. */
    private static final class Event {
        final int begin;
        final int end;
        final int firstSector;
        final byte[][] sectors;

        Event(int begin, int end, int firstSector, byte[][] sectors) {
            this.begin = begin;
            this.end = end;
            this.firstSector = firstSector;
            this.sectors = sectors;
        }

        boolean isFlush() {
            return sectors.length == 0;
        }
    }

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
            case 0, 1, 2 -> {
                String name = "s" + snapshots.size();
                try {
                    device.createSnapshot(name);
                } catch (BlockIOException e) {
                    // refcounts of one bit, or of two and too many snapshots
                    assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                    return;
                }
                snapshots.put(name, sectors(device, 0, initial.length));
            }
            case 3 -> {
                if (chosen != null) {
                    device.deleteSnapshot(chosen.id());
                }
            }
            case 4 -> {
                if (chosen != null && chosen.diskSize() == device.size()) {
                    int begin = storage.moment();
                    try {
                        device.applySnapshot(chosen.name());
                    } catch (BlockIOException e) {
                        assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                        return;
                    }
                    events.add(new Event(begin, storage.moment(), 0, sectors(device, 0, initial.length)));
                    byte[][] kept = snapshots.get(chosen.name());
                    if (kept != null) {
                        assertThat(sectors(device, 0, initial.length)).isDeepEqualTo(kept);
                    }
                }
            }
            default -> step(random);
        }
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
                events.add(new Event(begin, storage.moment(), 0, new byte[0][]));
            }
            case 1, 2 -> {
                ZeroMode mode = MODES.get(random.nextInt(MODES.size()));
                try {
                    device.writeZeroes((long) first * SECTOR, (long) count * SECTOR, mode, Durability.NONE);
                } catch (NotFasterException e) {
                    assertThat(mode.isFast()).isTrue();
                    return;
                }
                byte[][] zeros = new byte[count][];
                Arrays.fill(zeros, new byte[SECTOR]);
                events.add(new Event(begin, storage.moment(), first, zeros));
            }
            case 3 -> {
                device.discard((long) first * SECTOR, (long) count * SECTOR);
                int end = storage.moment();
                events.add(new Event(begin, end, first, sectors(device, first, count)));
            }
            case 4, 5, 6, 7 -> {
                int perCluster = clusterSize / SECTOR;
                int from = first / perCluster * perCluster;
                int end = Math.min(sectors, from + (1 + random.nextInt(4)) * perCluster);
                // now and then with less than a cluster at the end
                write(compressing, from, Math.max(1, end - from - random.nextInt(2)), random);
            }
            default -> write(device, first, count, random);
        }
    }

    private void write(BlockDevice to, int first, int count, Random random) throws IOException {
        int begin = storage.moment();
        byte[][] written = new byte[count][];
        ByteBuffer bytes = ByteBuffer.allocate(count * SECTOR);
        for (int i = 0; i < count; i++) {
            written[i] = tagged(first + i, random);
            bytes.put(written[i]);
        }
        Durability durability = random.nextInt(12) == 0 ? Durability.FUA : Durability.NONE;
        to.write((long) first * SECTOR, bytes.flip(), durability);
        events.add(new Event(begin, storage.moment(), first, written));
        if (durability == Durability.FUA) {
            events.add(new Event(begin, storage.moment(), 0, new byte[0][]));
        }
    }

    /** Asserts that the live disk holds what was last written. */
    void assertLive() throws IOException {
        byte[][] expected = initial.clone();
        for (Event event : events) {
            System.arraycopy(event.sectors, 0, expected, event.firstSector, event.sectors.length);
        }
        byte[][] found = sectors(device, 0, initial.length);
        for (int i = 0; i < expected.length; i++) {
            assertThat(found[i]).as("sector " + i).isEqualTo(expected[i]);
        }
    }

    /** Asserts that a disk holds only what it may hold if the power went at a moment. */
    void assertAllowed(BlockDevice after, int moment) throws IOException {
        byte[][] found = sectors(after, 0, initial.length);
        byte[][] durable = initial.clone();
        int covered = 0;
        for (int i = 0; i < events.size() && events.get(i).end <= moment; i++) {
            covered = events.get(i).isFlush() ? i + 1 : covered;
        }
        for (Event event : events.subList(0, covered)) {
            System.arraycopy(event.sectors, 0, durable, event.firstSector, event.sectors.length);
        }
        for (int i = 0; i < found.length; i++) {
            if (!Arrays.equals(found[i], durable[i]) && !wasWritten(found[i], i, covered, moment)) {
                throw new AssertionError("sector " + i + " holds " + describe(found[i]) + ", neither what was flushed ("
                        + describe(durable[i]) + ") nor what was written since; power went at " + moment);
            }
        }
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

    private boolean wasWritten(byte[] found, int sector, int from, int moment) {
        for (int i = from; i < events.size() && events.get(i).begin <= moment; i++) {
            Event event = events.get(i);
            int index = sector - event.firstSector;
            if (index >= 0 && index < event.sectors.length && Arrays.equals(found, event.sectors[index])) {
                return true;
            }
        }
        return false;
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
