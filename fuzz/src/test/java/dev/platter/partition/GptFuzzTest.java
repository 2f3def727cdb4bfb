package dev.platter.partition;

import com.code_intelligence.jazzer.junit.FuzzTest;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32;

/** GPT; the input is a disk. Where the headers are, its checksums are made right, unless its last byte is odd. */
class GptFuzzTest {
    private static final int LEAST = 8 * 512;
    private static final long SIGNATURE = 0x5452415020494645L; // "EFI PART"

    @FuzzTest
    void tableIsReadOrRefused(byte[] disk) {
        byte[] sealed = Arrays.copyOf(disk, Math.max(LEAST, disk.length));
        sealed[510] = 0x55;
        sealed[511] = (byte) 0xaa;
        if ((sealed[sealed.length - 1] & 1) == 0) {
            ByteBuffer bytes = ByteBuffer.wrap(sealed).order(ByteOrder.LITTLE_ENDIAN);
            for (int sectorSize = 512; sectorSize <= 4096; sectorSize <<= 3) {
                seal(bytes, sectorSize, sectorSize);
                seal(bytes, (sealed.length / sectorSize - 1) * sectorSize, sectorSize);
            }
        }
        SeenTable.check(sealed);
    }

    private static void seal(ByteBuffer bytes, int at, int sectorSize) {
        if (at < 0 || at > bytes.capacity() - 92 || bytes.getLong(at) != SIGNATURE) {
            return;
        }
        long entries = bytes.getLong(at + 72);
        long length = (long) bytes.getInt(at + 80) * bytes.getInt(at + 84);
        long most = bytes.capacity() / sectorSize;
        if (entries >= 0 && entries < most && length >= 0 && length <= bytes.capacity() - entries * sectorSize) {
            bytes.putInt(at + 88, crc(bytes, (int) (entries * sectorSize), (int) length));
        }
        int headerSize = bytes.getInt(at + 12);
        bytes.putInt(at + 16, 0);
        if (headerSize >= 0 && headerSize <= bytes.capacity() - at) {
            bytes.putInt(at + 16, crc(bytes, at, headerSize));
        }
    }

    private static int crc(ByteBuffer bytes, int at, int length) {
        CRC32 crc = new CRC32();
        crc.update(bytes.slice(at, length));
        return (int) crc.getValue();
    }
}
