package dev.platter.qcow2;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.BitmapInfo;
import dev.platter.core.DiskImage;
import dev.platter.fuzz.Qcow2Bytes;
import dev.platter.testkit.Promises;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;

/** Persistent bitmaps; the input is a file, whose header is made to open and to say that its bitmaps are valid. */
class Qcow2BitmapsFuzzTest {
    private static final int MOST_READ = 8;
    private static final int MOST_RANGES = 10_000;
    private static final int AUTOCLEAR_AT = 88;

    @FuzzTest
    void bitmapsAreReadOrRefused(byte[] file) {
        byte[] openable = Qcow2Bytes.openable(file);
        ByteBuffer header = ByteBuffer.wrap(openable);
        if (header.getInt(4) == 3) {
            header.putLong(AUTOCLEAR_AT, header.getLong(AUTOCLEAR_AT) | Qcow2Header.AUTOCLEAR_BITMAPS);
        }
        Promises.ofMetadata(file.length).check(() -> {
            try (DiskImage image = OpenedImage.open(openable)) {
                List<BitmapInfo> bitmaps = image.bitmaps();
                for (BitmapInfo bitmap : bitmaps.subList(0, Math.min(MOST_READ, bitmaps.size()))) {
                    Promises.attempt(() -> read(image, bitmap.name()));
                }
            }
        });
    }

    private static void read(DiskImage image, String bitmap) throws IOException {
        long[] state = {0, 0};
        image.dirtyRanges(bitmap, (offset, length) -> {
            if (offset < state[1] || length <= 0 || length > image.size() - offset) {
                throw new AssertionError("dirty range of " + length + " at " + offset + " behind " + state[1]);
            }
            state[1] = offset + length;
            return ++state[0] < MOST_RANGES;
        });
    }
}
