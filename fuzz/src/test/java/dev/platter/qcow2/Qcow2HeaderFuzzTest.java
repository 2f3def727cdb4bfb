package dev.platter.qcow2;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.DiskImage;
import dev.platter.testkit.Promises;

/** The header with its extensions; the input is the beginning of a file. */
class Qcow2HeaderFuzzTest {

    @FuzzTest
    void headerIsReadOrRefused(byte[] file) {
        Promises.ofMetadata(file.length).check(() -> {
            Qcow2Header header = Qcow2Header.read(OpenedImage.storage(file));
            header.warnings().forEach(warning -> Promises.requireShowable(warning.text()));
            try (DiskImage image = OpenedImage.open(file)) {
                image.info();
            }
        });
    }
}
