package dev.platter.inspect;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.BlockDevices;
import dev.platter.core.DiskImage;
import dev.platter.core.DiskImages;
import dev.platter.core.OpenOptions;
import dev.platter.core.Storages;
import dev.platter.fuzz.Qcow2Bytes;
import dev.platter.testkit.Promises;
import java.nio.ByteBuffer;

/** Everything together, over a qcow2 image; the input is the file, whose header is made to open. */
class Qcow2InspectionFuzzTest {
    private static final OpenOptions OPTIONS =
            OpenOptions.builder().cacheBytes(1 << 20).build();

    @FuzzTest
    void imageIsInspectedOrRefused(byte[] file) {
        ByteBuffer openable = ByteBuffer.wrap(Qcow2Bytes.openable(file));
        Promises.ofMetadata(file.length).check(() -> {
            try (DiskImage image =
                    DiskImages.open(Storages.of(BlockDevices.ofBytes("fuzz.qcow2", openable)), OPTIONS)) {
                SeenInspection.see(image);
            }
        });
    }
}
