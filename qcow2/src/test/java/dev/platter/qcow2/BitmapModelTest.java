package dev.platter.qcow2;

import static java.util.Objects.requireNonNull;
import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.core.BlockIOException;
import dev.platter.core.CheckListener;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.core.ZeroMode;
import dev.platter.testkit.CrashStorage;
import dev.platter.testkit.ReferenceTools;
import dev.platter.testkit.Seeds;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Bitmaps against a model: no change is missed, nothing far from a change is dirty, whatever happens meanwhile. */
final class BitmapModelTest {
    private static final int SECTOR = 512;
    private static final OpenOptions WRITABLE =
            OpenOptions.builder().writable(true).build();

    @TempDir
    private Path folder;

    private final AtomicLong points = new AtomicLong();

    @Test
    void bitmapsSayWhatChanged() throws Exception {
        Seeds.run(getClass(), 60, random -> new Model(random).run());
    }

    /** Bitmaps, and which sectors they have to and may call dirty. */
    private final class Model {
        private final Random random;
        private final CrashStorage storage;
        private final int clusterSectors;
        private final Map<String, Expected> bitmaps = new LinkedHashMap<>();
        private int names;

        Model(Random random) throws IOException {
            this.random = random;
            this.storage = new CrashStorage("model.qcow2", start(random));
            this.clusterSectors = Qcow2Header.read(storage).clusterSize() / SECTOR;
        }

        void run() throws IOException {
            for (int opening = 0; opening < 4; opening++) {
                try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
                    for (int i = 0; i < 12; i++) {
                        step(disk);
                        assertAll(disk);
                    }
                }
                try (DiskImage closed = Qcow2Builder.open(storage.contents(), OpenOptions.defaults())) {
                    assertAll(closed);
                    assertThat(closed.check(new CheckListener() {}).corruptions())
                            .isZero();
                }
            }
            assertQemuAgrees();
        }

        private void step(Qcow2Disk disk) throws IOException {
            String name =
                    bitmaps.isEmpty() ? "" : new ArrayList<>(bitmaps.keySet()).get(random.nextInt(bitmaps.size()));
            int choice = random.nextInt(16);
            if (choice < 2 || name.isEmpty()) {
                String added = "b" + names++;
                long granularity = (long) SECTOR << random.nextInt(9);
                boolean enabled = random.nextInt(4) > 0;
                disk.addBitmap(added, granularity, enabled);
                bitmaps.put(added, new Expected((int) (granularity / SECTOR), enabled));
                return;
            }
            Expected expected = expected(name);
            switch (choice) {
                case 2 -> {
                    disk.removeBitmap(name);
                    bitmaps.remove(name);
                }
                case 3 -> {
                    disk.clearBitmap(name);
                    expected.must.clear();
                    expected.may.clear();
                }
                case 4 -> {
                    disk.enableBitmap(name);
                    expected.enabled = true;
                }
                case 5 -> {
                    disk.disableBitmap(name);
                    expected.enabled = false;
                }
                case 6 -> {
                    String source = new ArrayList<>(bitmaps.keySet()).get(random.nextInt(bitmaps.size()));
                    disk.mergeBitmap(name, disk, source);
                    expected.must.or(dirty(disk, source));
                    expected.may.or(expected(source).rounded());
                }
                default -> change(disk);
            }
        }

        private Expected expected(String name) {
            Expected found = bitmaps.get(name);
            assertThat(found).as(name).isNotNull();
            return requireNonNull(found);
        }

        private void change(Qcow2Disk disk) throws IOException {
            int sectors = (int) (disk.size() / SECTOR);
            int first = random.nextInt(sectors);
            int count = 1 + random.nextInt(Math.min(random.nextInt(4) == 0 ? 400 : 20, sectors - first));
            byte[] before = contents(disk);
            switch (random.nextInt(4)) {
                case 0 ->
                    disk.writeZeroes(
                            (long) first * SECTOR,
                            (long) count * SECTOR,
                            random.nextBoolean() ? ZeroMode.MAY_UNMAP : ZeroMode.KEEP_ALLOCATION,
                            Durability.NONE);
                case 1 -> disk.discard((long) first * SECTOR, (long) count * SECTOR);
                default -> {
                    byte[] bytes = new byte[count * SECTOR];
                    random.nextBytes(bytes);
                    disk.write((long) first * SECTOR, ByteBuffer.wrap(bytes), Durability.NONE);
                }
            }
            byte[] after = contents(disk);
            for (Expected expected : bitmaps.values()) {
                if (expected.enabled) {
                    for (int i = 0; i < sectors; i++) {
                        int at = i * SECTOR;
                        if (!Arrays.equals(before, at, at + SECTOR, after, at, at + SECTOR)) {
                            expected.must.set(i);
                        }
                    }
                    expected.may.set(first / clusterSectors * clusterSectors, roundUp(first + count, clusterSectors));
                }
            }
        }

        private void assertAll(DiskImage disk) throws IOException {
            assertThat(disk.bitmaps()).hasSize(bitmaps.size());
            for (Map.Entry<String, Expected> one : bitmaps.entrySet()) {
                BitSet dirty = dirty(disk, one.getKey());
                BitSet missing = (BitSet) one.getValue().must.clone();
                missing.andNot(dirty);
                assertThat(missing).as("missed by " + one.getKey()).isEqualTo(new BitSet());
                dirty.andNot(one.getValue().rounded());
                assertThat(dirty).as("needless in " + one.getKey()).isEqualTo(new BitSet());
            }
        }

        /** qemu reads each bitmap when it adds it to one of its own. */
        private void assertQemuAgrees() throws IOException {
            if (!ReferenceTools.isInstalled("qemu-img") || bitmaps.isEmpty()) {
                return;
            }
            Path file = Files.createTempFile(folder, "model", ".qcow2");
            Files.write(file, storage.contents());
            ReferenceTools.runOk("qemu-img", "check", "-f", "qcow2", file.toString());
            for (Map.Entry<String, Expected> one : bitmaps.entrySet()) {
                ReferenceTools.runOk(
                        "qemu-img",
                        "bitmap",
                        "--add",
                        "--merge",
                        one.getKey(),
                        "-g",
                        Integer.toString(one.getValue().granularitySectors * SECTOR),
                        file.toString(),
                        "copy-" + one.getKey());
            }
            try (DiskImage image = DiskImages.open(file)) {
                for (String name : bitmaps.keySet()) {
                    assertThat(dirty(image, "copy-" + name)).isEqualTo(dirty(image, name));
                }
            }
            Files.delete(file);
        }
    }

    /** Which sectors a bitmap has to call dirty, and which it may. */
    private static final class Expected {
        final BitSet must = new BitSet();
        final BitSet may = new BitSet();
        final int granularitySectors;
        boolean enabled;

        Expected(int granularitySectors, boolean enabled) {
            this.granularitySectors = granularitySectors;
            this.enabled = enabled;
        }

        BitSet rounded() {
            BitSet rounded = new BitSet();
            for (int i = may.nextSetBit(0); i >= 0; i = may.nextSetBit(i + 1)) {
                int from = i / granularitySectors * granularitySectors;
                rounded.set(from, from + granularitySectors);
            }
            return rounded;
        }
    }

    @Test
    void bitmapThatIsWholeAfterThePowerWentMissesNothing() throws Exception {
        int ran = Seeds.run(getClass(), 30, this::crash);

        assertThat(points.get()).isGreaterThanOrEqualTo(ran < 30 ? 1 : ran * 200L);
    }

    private void crash(Random random) throws IOException {
        CrashStorage prepared = new CrashStorage("crash.qcow2", start(random));
        byte[] base;
        try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(prepared, WRITABLE)) {
            base = contents(disk);
            disk.addBitmap("base", (long) SECTOR << random.nextInt(6), true);
        }
        CrashStorage storage = new CrashStorage("crash.qcow2", prepared.contents());
        for (int opening = 0; opening < 3; opening++) {
            try (Qcow2Disk disk = (Qcow2Disk) DiskImages.open(storage, WRITABLE)) {
                for (int i = 0; i < 8; i++) {
                    disturb(disk, random, opening * 8 + i);
                }
            }
        }
        CrashStorage.Replay replay = storage.replay();
        for (int moment = 0; moment <= replay.end(); moment++) {
            for (int k = 0; k <= Math.min(2, replay.pending(moment)); k++) {
                assertMissesNothing(replay.state(moment, k == 0 ? null : random), base, moment);
                points.incrementAndGet();
            }
        }
    }

    private static void disturb(Qcow2Disk disk, Random random, int number) throws IOException {
        switch (random.nextInt(10)) {
            case 0 -> disk.addBitmap("other" + number, 1 << 16, random.nextBoolean());
            case 1 -> {
                String last = disk.bitmaps().get(disk.bitmaps().size() - 1).name();
                if (!last.equals("base")) {
                    disk.removeBitmap(last);
                }
            }
            case 2 -> disk.flush();
            case 3 -> {
                try {
                    disk.createSnapshot("s" + number);
                } catch (BlockIOException e) {
                    // refcounts of one bit
                    assertThat(e.kind()).isEqualTo(BlockIOException.Kind.NOT_SUPPORTED);
                }
            }
            case 4 ->
                disk.clearBitmap(
                        disk.bitmaps().size() > 1 ? disk.bitmaps().get(1).name() : addOther(disk));
            default -> {
                int sectors = (int) (disk.size() / SECTOR);
                int first = random.nextInt(sectors);
                byte[] bytes = new byte[SECTOR * (1 + random.nextInt(Math.min(20, sectors - first)))];
                random.nextBytes(bytes);
                disk.write((long) first * SECTOR, ByteBuffer.wrap(bytes), Durability.NONE);
            }
        }
    }

    private static String addOther(Qcow2Disk disk) throws IOException {
        disk.addBitmap("another", 4096, true);
        return "another";
    }

    private static void assertMissesNothing(byte[] state, byte[] base, int moment) throws IOException {
        try (DiskImage image = Qcow2Builder.open(state, OpenOptions.defaults())) {
            assertThat(image.problems()).as("power went at " + moment).isEmpty();
            assertThat(image.check(new CheckListener() {}).corruptions())
                    .as("power went at " + moment)
                    .isZero();
            assertThat(image.bitmaps())
                    .anySatisfy(bitmap -> assertThat(bitmap.name()).isEqualTo("base"));
            if (image.bitmaps().get(0).inUse()) {
                return;
            }
            BitSet dirty = dirty(image, "base");
            byte[] now = contents(image);
            for (int i = 0; i < now.length / SECTOR; i++) {
                int at = i * SECTOR;
                if (!Arrays.equals(base, at, at + SECTOR, now, at, at + SECTOR)) {
                    assertThat(dirty.get(i))
                            .as("sector " + i + ", power went at " + moment)
                            .isTrue();
                }
            }
        }
    }

    private static byte[] start(Random random) throws IOException {
        boolean extended = random.nextInt(4) == 0;
        int clusterSize = extended ? 16 << 10 : 512 << random.nextInt(6);
        CreateOptions options = CreateOptions.builder(clusterSize * (3L + random.nextInt(40)) + SECTOR)
                .clusterSize(clusterSize)
                .extendedL2(extended)
                .refcountBits(1 << random.nextInt(7))
                .build();
        CrashStorage storage = new CrashStorage("new", new byte[0]);
        new NewImage(options).write(storage);
        return storage.contents();
    }

    private static int roundUp(int value, int unit) {
        return (value + unit - 1) / unit * unit;
    }

    private static byte[] contents(DiskImage image) throws IOException {
        byte[] bytes = new byte[(int) image.size()];
        image.read(0, ByteBuffer.wrap(bytes));
        return bytes;
    }

    private static BitSet dirty(DiskImage image, String bitmap) throws IOException {
        BitSet sectors = new BitSet();
        List<Long> ends = new ArrayList<>(List.of(0L));
        image.dirtyRanges(bitmap, (offset, length) -> {
            assertThat(offset).isGreaterThanOrEqualTo(ends.get(0));
            ends.set(0, offset + length);
            sectors.set((int) (offset / SECTOR), (int) ((offset + length) / SECTOR));
            return true;
        });
        return sectors;
    }
}
