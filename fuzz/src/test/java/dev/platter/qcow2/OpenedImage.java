package dev.platter.qcow2;

import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.OpenOptions.TruncatedFile;
import dev.platter.core.Storage;
import dev.platter.core.Storages;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;

/** Opens bytes as a qcow2 image, and checks what the image says of itself. */
final class OpenedImage {
    private static final OpenOptions OPTIONS = OpenOptions.builder()
            .format("qcow2")
            .cacheBytes(1 << 20)
            .onWarning(warning -> Promises.requireShowable(warning.text()))
            .build();

    private OpenedImage() {}

    static Storage storage(byte[] bytes) {
        return Storages.of(BlockDevices.ofBytes("fuzz.qcow2", ByteBuffer.wrap(bytes)));
    }

    static DiskImage open(byte[] bytes) throws IOException {
        // one bit of the size chooses what lies behind the end of the file, so that inputs stay plain images
        TruncatedFile end = (bytes.length & 1) == 0 ? TruncatedFile.REFUSE : TruncatedFile.ZEROS;
        DiskImage image = DiskImages.open(
                storage(bytes), OPTIONS.toBuilder().truncatedFile(end).build());
        Promises.requireShowable(image.description());
        image.warnings().forEach(warning -> Promises.requireShowable(warning.text()));
        image.problems().forEach(problem -> Promises.requireShowable(problem.getMessage()));
        return image;
    }
}
