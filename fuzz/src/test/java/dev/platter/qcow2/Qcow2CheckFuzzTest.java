package dev.platter.qcow2;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.CheckListener;
import dev.platter.core.CheckReport;
import dev.platter.core.DiskImage;
import dev.platter.fuzz.Qcow2Bytes;
import dev.platter.testkit.Promises;

/** The check of refcounts against references; the input is a file, whose header is made to open. */
class Qcow2CheckFuzzTest {
    private static final int MOST_SHOWN = 100;

    private static final class Findings implements CheckListener {
        private int count;

        @Override
        public void finding(Kind kind, long offset, String text) {
            if (++count <= MOST_SHOWN) {
                Promises.requireShowable(text);
            }
        }
    }

    @FuzzTest
    void imageIsCheckedOrRefused(byte[] file) {
        byte[] openable = Qcow2Bytes.openable(file);
        Promises.ofMetadata(file.length).check(() -> {
            try (DiskImage image = OpenedImage.open(openable)) {
                CheckReport report = image.check(new Findings());
                if (report.corruptions() < 0 || report.leaks() < 0 || report.checkErrors() < 0) {
                    throw new AssertionError(report.toString());
                }
            }
        });
    }
}
