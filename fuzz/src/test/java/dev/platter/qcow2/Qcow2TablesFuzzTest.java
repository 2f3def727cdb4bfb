package dev.platter.qcow2;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.DiskImage;
import dev.platter.fuzz.Qcow2Bytes;
import dev.platter.fuzz.Seeing;
import dev.platter.testkit.Promises;

/** L1 and L2 tables, subclusters, compressed clusters; the input is a file, whose header is made to open. */
class Qcow2TablesFuzzTest {

    @FuzzTest
    void guestIsReadOrRefused(byte[] file) {
        byte[] openable = Qcow2Bytes.openable(file);
        Promises.ofMetadata(file.length).check(() -> {
            try (DiskImage image = OpenedImage.open(openable)) {
                Seeing.all(image);
            }
        });
    }
}
