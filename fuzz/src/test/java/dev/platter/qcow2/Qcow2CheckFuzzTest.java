package dev.platter.qcow2;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.fuzz.Qcow2Bytes;
import dev.platter.testkit.Promises;

/** The check of refcounts against references; the input is a file, whose header is made to open. */
class Qcow2CheckFuzzTest {
    private static final CheckListener SHOWN = new CheckListener() {
        @Override
        public void finding(Kind kind, long offset, String text) {
            Promises.requireShowable(text);
        }
    };

    @FuzzTest
    void imageIsCheckedOrRefused(byte[] file) {
        byte[] openable = Qcow2Bytes.openable(file);
        Promises.ofMetadata(file.length).check(() -> {
            try (DiskImage image = OpenedImage.open(openable)) {
                CheckReport report = image.check(SHOWN);
                if (report.corruptions() < 0 || report.leaks() < 0 || report.checkErrors() < 0) {
                    throw new AssertionError(report.toString());
                }
            }
        });
    }
}
