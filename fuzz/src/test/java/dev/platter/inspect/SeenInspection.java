package dev.platter.inspect;

import dev.platter.core.BlockDevice;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Inspects a disk, prints the report, and reads the first block of all that is in it. */
final class SeenInspection {
    private static final int MOST_READ = 32;

    private SeenInspection() {}

    static void see(BlockDevice disk) throws IOException {
        try (ImageInspector image = ImageInspector.of(disk)) {
            Promises.requireShowable(image.report().toJson());
            image.warnings().forEach(Promises::requireShowable);
            image.problems().forEach(Promises::requireShowable);
            image.devices().stream()
                    .limit(MOST_READ)
                    .forEach(entry -> Promises.attempt(() -> readFirstBlock(image, entry.name())));
        }
    }

    private static void readFirstBlock(ImageInspector image, String name) throws IOException {
        try (BlockDevice device = image.device(name)) {
            Promises.requireShowable(device.description());
            device.read(0, ByteBuffer.allocate((int) Math.min(4096, device.size())));
        }
    }
}
