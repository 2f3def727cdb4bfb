package dev.platter.lvm;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.testkit.Promises;

/** Labels, and the headers of metadata areas; the input is the beginning of a device, whose checksums are made right. */
class LvmLabelFuzzTest {

    @FuzzTest
    void labelIsReadOrRefused(byte[] device) {
        byte[] sealed = device.clone();
        PvSeal.seal(sealed);
        Promises.ofMetadata(device.length).check(() -> SeenScan.check(sealed));
    }
}
