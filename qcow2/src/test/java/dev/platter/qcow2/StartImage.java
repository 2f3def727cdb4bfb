package dev.platter.qcow2;

import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.Durability;
import dev.platter.core.OpenOptions;
import dev.platter.testkit.CrashStorage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Random;

/** Images to begin with, of every layout. */
final class StartImage {

    private StartImage() {}

    /** Returns an image with something in it, or a new one. */
    static byte[] random(Random random) throws IOException {
        return switch (random.nextInt(24)) {
            case 0 -> nearlyFullTable(random);
            case 1, 2, 3, 4, 5, 6, 7 -> created(random);
            default -> built(random);
        };
    }

    /** A file whose refcount table is about to need another cluster: with 64 bits and 512 bytes, at 2 MiB. */
    static byte[] nearlyFullTable(Random random) throws IOException {
        CreateOptions options =
                CreateOptions.builder(3 << 20).clusterSize(512).refcountBits(64).build();
        CrashStorage storage = new CrashStorage("full", new byte[0]);
        new NewImage(options).write(storage);
        OpenOptions writable = OpenOptions.builder().writable(true).build();
        try (DiskImage image = DiskImages.open(storage, writable)) {
            byte[] bytes = new byte[(1 << 20) + (900 << 10)];
            random.nextBytes(bytes);
            image.write(0, ByteBuffer.wrap(bytes), Durability.NONE);
        }
        return storage.contents();
    }

    private static byte[] created(Random random) throws IOException {
        boolean extended = random.nextInt(4) == 0;
        int clusterSize = extended ? 16 << 10 : 512 << random.nextInt(5);
        CreateOptions options = CreateOptions.builder(
                        clusterSize * (4L + random.nextInt(extended ? 8 : 60)) + 512L * random.nextInt(2))
                .clusterSize(clusterSize)
                .extendedL2(extended)
                .refcountBits(1 << random.nextInt(7))
                .lazyRefcounts(random.nextBoolean())
                .compressionType(
                        random.nextInt(4) == 0
                                ? CreateOptions.CompressionType.ZSTD
                                : CreateOptions.CompressionType.ZLIB)
                .build();
        CrashStorage storage = new CrashStorage("new", new byte[0]);
        new NewImage(options).write(storage);
        return storage.contents();
    }

    private static byte[] built(Random random) throws IOException {
        int version = 2 + random.nextInt(2);
        boolean extended = version == 3 && random.nextInt(3) == 0;
        int bits = extended ? 14 : 9 + random.nextInt(4);
        int clusters = extended ? 8 : 40;
        Qcow2Builder image = new Qcow2Builder(version, bits, ((long) clusters << bits) - 512L * random.nextInt(2));
        if (extended) {
            image.extendedL2();
        }
        for (int i = 0; i < clusters; i++) {
            switch (random.nextInt(6)) {
                case 0 -> image.data(i);
                case 1 -> image.compressed(i);
                case 2 -> {
                    if (version == 3) {
                        image.zero(i);
                    }
                }
                case 3 -> {
                    if (version == 3) {
                        image.zeroAllocated(i);
                    }
                }
                case 4 -> {
                    if (extended) {
                        long allocated = random.nextInt() & 0xffff_ffffL;
                        long zero = random.nextInt() & ~allocated & 0xffff_ffffL;
                        image.subclusters(i, allocated | zero << 32);
                    }
                }
                default -> {
                    // nothing there
                }
            }
        }
        if (random.nextBoolean()) {
            image.snapshot("1", "before", (long) clusters << bits);
        }
        return image.build();
    }
}
