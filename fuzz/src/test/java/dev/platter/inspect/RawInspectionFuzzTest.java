package dev.platter.inspect;

import com.code_intelligence.jazzer.junit.FuzzTest;
import dev.platter.core.BlockDevice;
import dev.platter.core.BlockDevices;
import dev.platter.testkit.Promises;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/**
 * Everything together, over a raw disk of 4 MiB. The input says what is not zero: pieces of a sector number (2 bytes), a
 * length (2 bytes), both little-endian, and that many bytes.
 */
class RawInspectionFuzzTest {
    private static final int SECTOR = 512;

    private final ByteBuffer disk = ByteBuffer.allocate(4 << 20);

    @FuzzTest
    void diskIsInspected(byte[] input) {
        place(input, false);
        try {
            BlockDevice device = BlockDevices.ofBytes("fuzz.raw", disk.asReadOnlyBuffer());
            Promises.ofMetadata(input.length).check(() -> SeenInspection.see(device));
        } finally {
            place(input, true);
        }
    }

    private void place(byte[] input, boolean wiping) {
        ByteBuffer pieces = ByteBuffer.wrap(input).order(ByteOrder.LITTLE_ENDIAN);
        while (pieces.remaining() > 4) {
            int at = Short.toUnsignedInt(pieces.getShort()) * SECTOR % disk.capacity();
            int stated = Short.toUnsignedInt(pieces.getShort());
            int length = Math.min(stated, Math.min(pieces.remaining(), disk.capacity() - at));
            if (wiping) {
                disk.put(at, new byte[length]);
            } else {
                disk.put(at, pieces, pieces.position(), length);
            }
            pieces.position(pieces.position() + length);
        }
    }
}
