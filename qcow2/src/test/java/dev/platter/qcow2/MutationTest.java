package dev.platter.qcow2;

import dev.platter.core.BitmapInfo;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImageException;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.SnapshotInfo;
import dev.platter.core.Storages;
import dev.platter.qcow2.RandomImage.Compression;
import dev.platter.qcow2.RandomImage.Shape;
import dev.platter.testkit.Contents;
import dev.platter.testkit.Mutations;
import dev.platter.testkit.Seed;
import java.io.IOException;
import java.nio.ByteBuffer;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Images with random damage: they read, or they end in a {@link DiskImageException}, in bounded memory. */
final class MutationTest {
    private static final int CLUSTER = 4096;
    private static final long SIZE = 600 * 1024;

    /** Caches of 1 MiB, buffers, the strings of snapshots; each exception of each unreadable range. */
    private static final long MOST_HEAP = 64 << 20;

    @ParameterizedTest
    @EnumSource(Compression.class)
    void damagedMetadataIsReadOrRefused(Compression compression) {
        byte[] file = image(compression, false);

        Mutations mutations = Mutations.of("qcow2 metadata " + compression, file)
                .rounds(400)
                .truncating()
                .allocatingAtMost(MOST_HEAP);
        withinMetadata(mutations, file).run(MutationTest::useAll);
    }

    @Test
    void damagedSubclustersAreReadOrRefused() {
        byte[] file = image(Compression.ZSTD, true);

        Mutations mutations =
                Mutations.of("qcow2 subclusters", file).rounds(300).allocatingAtMost(MOST_HEAP);
        withinMetadata(mutations, file).run(MutationTest::useAll);
    }

    @ParameterizedTest
    @EnumSource(Compression.class)
    void damageAnywhereIsReadOrRefused(Compression compression) {
        Mutations.of("qcow2 anywhere " + compression, image(compression, false))
                .rounds(500)
                .truncating()
                .allocatingAtMost(MOST_HEAP)
                .run(MutationTest::useAll);
    }

    /** What reading does not need can be damaged at will: refcounts, the snapshot table, bitmaps. */
    @Test
    void damageToRefcountsSnapshotsAndBitmapsChangesNoByteOfTheDisk() {
        RandomImage made = made(Compression.NONE, false);
        byte[] file = made.builder().build();
        ByteBuffer bytes = ByteBuffer.wrap(file);
        Contents contents = made.contents();

        Mutations.of("qcow2 needless", file)
                .rounds(500)
                .within((int) bytes.getLong(48), CLUSTER)
                .within((int) bytes.getLong((int) bytes.getLong(48)), CLUSTER)
                .within((int) bytes.getLong(64), 128)
                .within(60, 12)
                .within((int) bytes.getLong(112 + 8 + 16), 64)
                .run(image -> {
                    try (DiskImage disk = open(image)) {
                        contents.assertAll(disk);
                    }
                });
    }

    private static Mutations withinMetadata(Mutations mutations, byte[] file) {
        ByteBuffer bytes = ByteBuffer.wrap(file);
        int l1 = (int) bytes.getLong(40);
        int entries = bytes.getInt(36);
        mutations.within(0, 256).within(l1, entries * Long.BYTES);
        for (int i = 0; i < entries; i++) {
            long table = L2Entry.offset(bytes.getLong(l1 + i * Long.BYTES));
            mutations.within((int) table, table == 0 ? 0 : 1024);
        }
        return mutations
                .within((int) bytes.getLong(64), 128)
                .within((int) bytes.getLong((int) bytes.getLong(64)), Long.BYTES)
                .within((int) bytes.getLong(112 + 8 + 16), 64);
    }

    private static RandomImage made(Compression compression, boolean extended) {
        Shape shape = Shape.of(3, extended ? 14 : 12, extended, compression, SIZE);
        RandomImage made = new RandomImage(shape, Seed.random("mutated " + shape));
        made.builder()
                .bitmap("b", 12, 0, new byte[20])
                .snapshot("1", "one", SIZE)
                .snapshot("2", "two", 4096);
        return made;
    }

    private static byte[] image(Compression compression, boolean extended) {
        return made(compression, extended).builder().build();
    }

    private static DiskImage open(ByteBuffer image) throws IOException {
        return DiskImages.open(
                Storages.of(BlockDevices.ofBytes("test.qcow2", image)),
                OpenOptions.builder().format("qcow2").cacheBytes(1 << 20).build());
    }

    private static void useAll(ByteBuffer image) throws IOException {
        try (DiskImage disk = open(image)) {
            disk.info();
            useDevice(disk);
            for (SnapshotInfo snapshot : disk.snapshots()) {
                attempt(() -> {
                    try (BlockDevice device = disk.openSnapshot(snapshot.id())) {
                        useDevice(device);
                    }
                });
            }
            for (BitmapInfo bitmap : disk.bitmaps()) {
                attempt(() -> disk.dirtyRanges(bitmap.name(), (offset, length) -> true));
            }
        }
    }

    private static void useDevice(BlockDevice device) throws IOException {
        int[] seen = {0};
        attempt(() -> device.extents(
                0, device.size(), (offset, length, facts, depth, below, belowOffset) -> ++seen[0] < 10_000));
        ByteBuffer into = ByteBuffer.allocateDirect(3000);
        long most = Math.min(device.size(), 2 * SIZE);
        for (long at = 0; at < most; at += into.capacity()) {
            long offset = at;
            attempt(() ->
                    device.read(offset, into.clear().limit((int) Math.min(into.capacity(), device.size() - offset))));
        }
        if (device.size() > 0) {
            attempt(() -> device.read(device.size() - 1, into.clear().limit(1)));
        }
    }

    private interface Step {
        void run() throws IOException;
    }

    /** Goes on after a refusal: other ranges have to stay readable. Anything else is the caller's failure. */
    private static void attempt(Step step) throws IOException {
        try {
            step.run();
        } catch (DiskImageException e) {
            if (e.getMessage() == null || e.getMessage().isEmpty()) {
                throw new AssertionError("a refusal without words", e);
            }
        }
    }
}
